// Micro-operations, conversions and the finite check over dense arrays. out may be a, b or c.
// Body and tail run the same vector code, so an element's value does not depend on its position; every operation
// rounds.
#pragma once

namespace neurite::NEURITE_ISA {

template <class T>
inline constexpr bool is_floating = false;
template <>
inline constexpr bool is_floating<float> = true;
template <>
inline constexpr bool is_floating<double> = true;

template <class T, class F>
NEURITE_INLINE void map(T* out, const T* a, int64_t n, F f) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) f(V::load(a + i)).store(out + i);
  if (i < n) f(V::load_n(a + i, n - i)).store_n(out + i, n - i);
}

template <class T, class F>
NEURITE_INLINE void map(T* out, const T* a, const T* b, int64_t n, F f) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) f(V::load(a + i), V::load(b + i)).store(out + i);
  if (i < n) f(V::load_n(a + i, n - i), V::load_n(b + i, n - i)).store_n(out + i, n - i);
}

template <class T, class F>
NEURITE_INLINE void map(T* out, const T* a, const T* b, const T* c, int64_t n, F f) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) f(V::load(a + i), V::load(b + i), V::load(c + i)).store(out + i);
  if (i < n) f(V::load_n(a + i, n - i), V::load_n(b + i, n - i), V::load_n(c + i, n - i)).store_n(out + i, n - i);
}

template <class V>
NEURITE_INLINE V relu(V x, V zero) {
  return select(le(x, zero), zero, x);
}
template <class V>
NEURITE_INLINE V maximum(V a, V b) {
  return select(is_nan(a), a, max(a, b));
}
template <class V>
NEURITE_INLINE V minimum(V a, V b) {
  return select(is_nan(a), a, min(a, b));
}

template <class T>
inline constexpr T kNormalPeak = T(0.39894228040143267794);  // 1 / sqrt(2 pi)

// Hands the body of a micro-operation to `visit`: one(f), two(f), three(f) by its operands, or many(f) and many_two(f)
// where f is long and must not be repeated in the code.
template <class T, class Visit>
NEURITE_INLINE void visit_floating(int code, Visit visit) {
  using V = Vec<T>;
  const V one = V::set(1), zero = V::set(0), infinity = V::set(kInfinity);
  switch (static_cast<Micro>(code)) {
    case Micro::POW: return visit.many_two([](V x, V y) { return pow(x, y); });
    case Micro::TANH_GRAD: return visit.two([one](V g, V y) { return g * ((one - y) * (one + y)); });
    case Micro::SIGMOID_GRAD: return visit.two([one](V g, V y) { return g * (y * (one - y)); });
    case Micro::FLOOR: return visit.one([](V x) { return floor(x); });
    case Micro::CEIL: return visit.one([](V x) { return ceil(x); });
    case Micro::ROUND: return visit.one([](V x) { return round(x); });
    case Micro::TRUNC: return visit.one([](V x) { return trunc(x); });
    case Micro::SQRT: return visit.one([](V x) { return sqrt(x); });
    case Micro::RSQRT: return visit.one([one](V x) { return one / sqrt(x); });
    case Micro::RECIPROCAL: return visit.one([one](V x) { return one / x; });
    case Micro::EXP: return visit.many([](V x) { return exp(x); });
    case Micro::EXPM1: return visit.many([](V x) { return expm1(x); });
    case Micro::LOG: return visit.many([](V x) { return log(x); });
    case Micro::LOG1P: return visit.many([](V x) { return log1p(x); });
    case Micro::SIN: return visit.many([](V x) { return sin(x); });
    case Micro::COS: return visit.many([](V x) { return cos(x); });
    case Micro::TAN: return visit.many([](V x) { return tan(x); });
    case Micro::TANH: return visit.many([](V x) { return tanh(x); });
    case Micro::SIGMOID: return visit.many([](V x) { return sigmoid(x); });
    case Micro::ERF: return visit.many([](V x) { return erf(x); });
    case Micro::GELU: return visit.many([=](V x) { return (V::set(T(0.5)) * x) * twice_normal(x); });
    case Micro::GELU_GRAD:
      return visit.many_two([=](V g, V x) {
        const V half = V::set(T(0.5)), density = V::set(kNormalPeak<T>) * exp((neg(half) * x) * x);
        return g * (half * twice_normal(x) + x * density);
      });
    case Micro::SOFTPLUS: return visit.many([](V x) { return softplus(x); });
    case Micro::IS_FINITE: return visit.one([=](V x) { return select(lt(abs(x), infinity), one, zero); });
    case Micro::IS_NAN: return visit.one([=](V x) { return select(is_nan(x), one, zero); });
    default: return;  // the verifier lets no other code through
  }
}

template <class T, class Visit>
NEURITE_INLINE void visit_micro(int code, Visit visit) {
  using V = Vec<T>;
  const V one = V::set(1), zero = V::set(0);
  switch (static_cast<Micro>(code)) {
    case Micro::ADD: return visit.two([](V x, V y) { return x + y; });
    case Micro::SUB: return visit.two([](V x, V y) { return x - y; });
    case Micro::MUL: return visit.two([](V x, V y) { return x * y; });
    case Micro::DIV: return visit.two([](V x, V y) { return x / y; });
    case Micro::MAXIMUM: return visit.two([](V x, V y) { return maximum(x, y); });
    case Micro::MINIMUM: return visit.two([](V x, V y) { return minimum(x, y); });
    case Micro::EQUAL: return visit.two([=](V x, V y) { return select(eq(x, y), one, zero); });
    case Micro::NOT_EQUAL: return visit.two([=](V x, V y) { return select(eq(x, y), zero, one); });
    case Micro::LESS: return visit.two([=](V x, V y) { return select(lt(x, y), one, zero); });
    case Micro::LESS_EQUAL: return visit.two([=](V x, V y) { return select(le(x, y), one, zero); });
    case Micro::GREATER: return visit.two([=](V x, V y) { return select(lt(y, x), one, zero); });
    case Micro::GREATER_EQUAL: return visit.two([=](V x, V y) { return select(le(y, x), one, zero); });
    case Micro::AND: return visit.two([=](V x, V y) { return select(eq(x, zero) | eq(y, zero), zero, one); });
    case Micro::OR: return visit.two([=](V x, V y) { return select(eq(x, zero) & eq(y, zero), zero, one); });
    case Micro::NOT: return visit.one([=](V x) { return select(eq(x, zero), one, zero); });
    case Micro::WHERE: return visit.three([=](V x, V y, V z) { return select(eq(x, zero), z, y); });
    case Micro::CLAMP: return visit.three([](V x, V low, V high) { return minimum(maximum(x, low), high); });
    case Micro::INSIDE:
      return visit.three([=](V x, V low, V high) { return select(lt(low, x) & lt(x, high), one, zero); });
    case Micro::WHERE_POSITIVE: return visit.three([=](V x, V y, V z) { return select(lt(zero, x), y, z); });
    case Micro::NEG: return visit.one([](V x) { return neg(x); });
    case Micro::ABS: return visit.one([](V x) { return abs(x); });
    case Micro::SIGN:
      return visit.one([=](V x) { return select(lt(zero, x), one, select(lt(x, zero), zero - one, x)); });
    case Micro::RELU: return visit.one([=](V x) { return relu(x, zero); });
    case Micro::RELU_GRAD: return visit.two([=](V g, V y) { return select(lt(zero, y), g, zero); });
    default:
      if constexpr (is_floating<T>) visit_floating<T>(code, visit);
      return;
  }
}

template <class T>
struct MapVisit {
  T* out;
  const T *a, *b, *c;
  int64_t n;
  template <class F>
  NEURITE_INLINE void one(F f) const {
    map(out, a, n, f);
  }
  template <class F>
  NEURITE_INLINE void two(F f) const {
    map(out, a, b, n, f);
  }
  template <class F>
  NEURITE_INLINE void three(F f) const {
    map(out, a, b, c, n, f);
  }
  template <class F>
  NEURITE_INLINE void many(F f) const {
    map(out, a, n, f);
  }
  template <class F>
  NEURITE_INLINE void many_two(F f) const {
    map(out, a, b, n, f);
  }
};

template <class T>
void micro(int code, T* out, const T* a, const T* b, const T* c, int64_t n) noexcept {
  visit_micro<T>(code, MapVisit<T>{out, a, b, c, n});
}

// Float to integer truncates towards zero and saturates; NaN gives 0.
template <class F>
NEURITE_INLINE int32_t truncate(F x) {
  if (!(x == x)) return 0;
  if (x >= F(2147483648.0)) return INT32_MAX;
  if (x <= F(-2147483648.0)) return INT32_MIN;
  return static_cast<int32_t>(x);
}
NEURITE_INLINE int32_t truncate(int32_t x) { return x; }

template <class To, class From>
struct Convert {
  static NEURITE_INLINE To of(From x) { return static_cast<To>(x); }
};
template <>
struct Convert<int32_t, float> {
  static NEURITE_INLINE int32_t of(float x) { return truncate(x); }
};
template <>
struct Convert<int32_t, double> {
  static NEURITE_INLINE int32_t of(double x) { return truncate(x); }
};

template <class To, class From>
NEURITE_INLINE void convert(To* out, const void* in, int64_t n) {
  const From* x = static_cast<const From*>(in);
  for (int64_t i = 0; i < n; ++i) out[i] = Convert<To, From>::of(x[i]);
}

template <class T>
void load(T* out, const void* in, DType from, int64_t n) noexcept {
  switch (from) {
    case DType::FLOAT32: return convert<T, float>(out, in, n);
    case DType::FLOAT64: return convert<T, double>(out, in, n);
    case DType::INT32: return convert<T, int32_t>(out, in, n);
    case DType::UINT8:
    case DType::BOOL: return convert<T, uint8_t>(out, in, n);
  }
}

template <class T>
void store(void* out, DType to, const T* in, int64_t n) noexcept {
  switch (to) {
    case DType::FLOAT32: return convert<float, T>(static_cast<float*>(out), in, n);
    case DType::FLOAT64: return convert<double, T>(static_cast<double*>(out), in, n);
    case DType::INT32: return convert<int32_t, T>(static_cast<int32_t*>(out), in, n);
    case DType::UINT8: {
      uint8_t* bytes = static_cast<uint8_t*>(out);
      for (int64_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(truncate(in[i]));
      return;
    }
    case DType::BOOL: {
      uint8_t* bytes = static_cast<uint8_t*>(out);
      for (int64_t i = 0; i < n; ++i) bytes[i] = in[i] != T(0);
      return;
    }
  }
}

// Index of the first NaN or infinity, or -1.
template <class T>
int64_t first_non_finite(const T* x, int64_t n) noexcept {
  using V = Vec<T>;
  const V infinity = V::set(kInfinity);
  int64_t i = 0;
  for (; i + 4 * V::lanes <= n; i += 4 * V::lanes) {
    const auto finite =
        (lt(abs(V::load(x + i)), infinity) & lt(abs(V::load(x + i + V::lanes)), infinity)) &
        (lt(abs(V::load(x + i + 2 * V::lanes)), infinity) & lt(abs(V::load(x + i + 3 * V::lanes)), infinity));
    if (any(invert(finite))) break;
  }
  for (; i < n; ++i) {
    if (!(x[i] - x[i] == T(0))) return i;
  }
  return -1;
}

}  // namespace neurite::NEURITE_ISA
