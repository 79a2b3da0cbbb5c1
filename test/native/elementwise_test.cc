// Micro-operations, conversions, finite check: values, special cases, and equal bits wherever an element sits.
#include <functional>
#include <limits>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

constexpr int64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000};

template <class T>
struct Case {
  Micro code;
  int arity;
  std::function<T(T, T, T)> reference;
};

template <class T>
T largest(T a, T b) {
  return a != a ? a : b != b ? b : a > b ? a : b;
}
template <class T>
T smallest(T a, T b) {
  return a != a ? a : b != b ? b : a < b ? a : b;
}

template <class T>
std::vector<Case<T>> common() {
  return {
      {Micro::MAXIMUM, 2, [](T a, T b, T) { return largest(a, b); }},
      {Micro::MINIMUM, 2, [](T a, T b, T) { return smallest(a, b); }},
      {Micro::EQUAL, 2, [](T a, T b, T) { return T(a == b); }},
      {Micro::NOT_EQUAL, 2, [](T a, T b, T) { return T(a != b); }},
      {Micro::LESS, 2, [](T a, T b, T) { return T(a < b); }},
      {Micro::LESS_EQUAL, 2, [](T a, T b, T) { return T(a <= b); }},
      {Micro::GREATER, 2, [](T a, T b, T) { return T(a > b); }},
      {Micro::GREATER_EQUAL, 2, [](T a, T b, T) { return T(a >= b); }},
      {Micro::AND, 2, [](T a, T b, T) { return T(a != 0 && b != 0); }},
      {Micro::OR, 2, [](T a, T b, T) { return T(a != 0 || b != 0); }},
      {Micro::NOT, 1, [](T a, T, T) { return T(a == 0); }},
      {Micro::WHERE, 3, [](T a, T b, T c) { return a != 0 ? b : c; }},
      {Micro::CLAMP, 3, [](T a, T b, T c) { return smallest(largest(a, b), c); }},
      {Micro::INSIDE, 3, [](T a, T b, T c) { return T(b < a && a < c); }},
      {Micro::WHERE_POSITIVE, 3, [](T a, T b, T c) { return a > 0 ? b : c; }},
      {Micro::SIGN, 1, [](T a, T, T) { return a > 0   ? T(1)
                                              : a < 0 ? T(-1)
                                                      : a; }},
      {Micro::RELU, 1, [](T a, T, T) { return a > 0 || a != a ? a : T(0); }},
      {Micro::RELU_GRAD, 2, [](T a, T b, T) { return b > 0 ? a : T(0); }},
  };
}

template <class T>
std::vector<Case<T>> floating() {
  std::vector<Case<T>> cases = common<T>();
  const std::vector<Case<T>> more = {
      {Micro::ADD, 2, [](T a, T b, T) { return a + b; }},
      {Micro::SUB, 2, [](T a, T b, T) { return a - b; }},
      {Micro::MUL, 2, [](T a, T b, T) { return a * b; }},
      {Micro::DIV, 2, [](T a, T b, T) { return a / b; }},
      {Micro::NEG, 1, [](T a, T, T) { return -a; }},
      {Micro::ABS, 1, [](T a, T, T) { return std::fabs(a); }},
      {Micro::RSQRT, 1, [](T a, T, T) { return T(1) / std::sqrt(a); }},
      {Micro::RECIPROCAL, 1, [](T a, T, T) { return T(1) / a; }},
      {Micro::IS_FINITE, 1, [](T a, T, T) { return T(std::isfinite(a)); }},
      {Micro::IS_NAN, 1, [](T a, T, T) { return T(std::isnan(a)); }},
      {Micro::TANH_GRAD, 2, [](T a, T b, T) { return a * ((T(1) - b) * (T(1) + b)); }},
      {Micro::SIGMOID_GRAD, 2, [](T a, T b, T) { return a * (b * (T(1) - b)); }},
  };
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

int32_t wrapped(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(x))); }

std::vector<Case<int32_t>> integer() {
  using T = int32_t;
  std::vector<Case<T>> cases = common<T>();
  const std::vector<Case<T>> more = {
      {Micro::ADD, 2, [](T a, T b, T) { return wrapped(int64_t{a} + b); }},
      {Micro::SUB, 2, [](T a, T b, T) { return wrapped(int64_t{a} - b); }},
      {Micro::MUL, 2, [](T a, T b, T) { return wrapped(int64_t{a} * b); }},
      {Micro::DIV, 2, [](T a, T b, T) { return b == 0 ? 0 : wrapped(int64_t{a} / b); }},
      {Micro::NEG, 1, [](T a, T, T) { return wrapped(-int64_t{a}); }},
      {Micro::ABS, 1, [](T a, T, T) { return wrapped(a < 0 ? -int64_t{a} : a); }},
  };
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

template <class T>
bool equal(T a, T b) {
  if (a != a || b != b) return a != a && b != b;
  return a == b;
}

template <class T>
void run(const char* name, const Kernels<T>& kernels, const std::vector<Case<T>>& cases, const std::vector<T>& a,
         const std::vector<T>& b, const std::vector<T>& c) {
  const int64_t n = static_cast<int64_t>(a.size());
  for (const Case<T>& test : cases) {
    const int code = static_cast<int>(test.code);
    std::vector<T> out(a.size());
    kernels.micro(code, out.data(), a.data(), b.data(), c.data(), n);
    for (size_t i = 0; i < a.size(); ++i) {
      const T want = test.reference(a[i], b[i], c[i]);
      CHECK(equal(out[i], want), "%s micro %d (%g, %g, %g) = %g, want %g", name, code, double(a[i]), double(b[i]),
            double(c[i]), double(out[i]), double(want));
    }
    for (int alias = 0; alias < test.arity; ++alias) {  // in place
      std::vector<T> x[3] = {a, b, c};
      kernels.micro(code, x[alias].data(), x[0].data(), x[1].data(), x[2].data(), n);
      CHECK(check::same_bits(x[alias], out), "%s micro %d: in place over operand %d", name, code, alias);
    }
  }
}

template <class T>
std::vector<T> mixed(uint64_t seed, size_t n) {
  const T special[] = {T(0), -T(0), T(1), T(-1), T(INFINITY), T(-INFINITY), T(NAN), T(0.5), T(3)};
  Values values(seed);
  std::vector<T> v = values.many<T>(static_cast<int64_t>(n));
  for (size_t i = 0; i < n; i += 3) v[i] = special[values.next() % 9];
  return v;
}

std::vector<int32_t> integers(uint64_t seed, size_t n) {
  const int32_t special[] = {0, 1, -1, INT32_MIN, INT32_MAX, 7, -7};
  Values values(seed);
  std::vector<int32_t> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = i % 3 == 0 ? special[values.next() % 7] : static_cast<int32_t>(values.next());
  return v;
}

// The value of an element may not depend on the length of the array nor on where in it the element stands.
template <class T>
void positions(const char* name, const Kernels<T>& kernels) {
  Values values(21);
  std::vector<T> a = values.many<T>(160), b = values.many<T>(160), c = values.many<T>(160);
  for (size_t i = 0; i < a.size(); i += 7) a[i] *= T(1e6);
  for (int code = 1; code <= static_cast<int>(Micro::GELU_GRAD); ++code) {
    std::vector<T> whole(a.size());
    kernels.micro(code, whole.data(), a.data(), b.data(), c.data(), 160);
    for (int64_t n : {1, 3, 4, 5, 8, 15, 16, 17, 33}) {
      for (int64_t start = 0; start + n <= 160; start += n) {
        std::vector<T> part(static_cast<size_t>(n) + 1, T(7));
        kernels.micro(code, part.data(), &a[size_t(start)], &b[size_t(start)], &c[size_t(start)], n);
        CHECK(std::memcmp(part.data(), &whole[size_t(start)], size_t(n) * sizeof(T)) == 0,
              "%s micro %d: bits depend on the position, n = %lld", name, code, (long long)n);
        CHECK(part[size_t(n)] == T(7), "%s micro %d wrote past the end", name, code);
      }
    }
  }
}

template <class T>
void conversions(const char* name, const Kernels<T>& kernels) {
  for (int64_t n : lengths) {
    const size_t size = static_cast<size_t>(n);
    std::vector<float> f(size);
    std::vector<double> d(size);
    std::vector<int32_t> i32(size);
    std::vector<uint8_t> u8(size);
    Values values(static_cast<uint64_t>(n));
    for (size_t i = 0; i < size; ++i) {
      d[i] = 100 * values.unit();
      f[i] = static_cast<float>(d[i]);
      i32[i] = static_cast<int32_t>(values.next() % 2001) - 1000;
      u8[i] = static_cast<uint8_t>(values.next());
    }
    std::vector<T> x(size + 1, T(9));
    const auto loaded = [&](const auto& from, DType type) {
      kernels.load(x.data(), from.data(), type, n);
      for (size_t i = 0; i < size; ++i)
        CHECK(x[i] == static_cast<T>(from[i]), "%s load of dtype %d", name, static_cast<int>(type));
      CHECK(x[size] == T(9), "%s load wrote past the end", name);
    };
    loaded(u8, DType::UINT8);
    loaded(i32, DType::INT32);
    loaded(d, DType::FLOAT64);
    loaded(f, DType::FLOAT32);
    const auto stored = [&](auto element, DType type, auto want) {
      std::vector<decltype(element)> out(size + 1, decltype(element)(5));
      kernels.store(out.data(), type, x.data(), n);
      for (size_t i = 0; i < size; ++i) {
        CHECK(out[i] == want(x[i]), "%s store of %g to dtype %d = %g", name, double(x[i]), static_cast<int>(type),
              double(out[i]));
      }
      CHECK(out[size] == decltype(element)(5), "%s store wrote past the end", name);
    };
    stored(float{}, DType::FLOAT32, [](T v) { return static_cast<float>(v); });
    stored(double{}, DType::FLOAT64, [](T v) { return static_cast<double>(v); });
    stored(int32_t{}, DType::INT32, [](T v) { return static_cast<int32_t>(v); });
    stored(uint8_t{}, DType::UINT8, [](T v) { return static_cast<uint8_t>(static_cast<int32_t>(v)); });
    stored(uint8_t{}, DType::BOOL, [](T v) { return static_cast<uint8_t>(v != 0); });
  }
}

template <class T>
void saturation(const char* name, const Kernels<T>& kernels) {
  const T in[] = {T(NAN),          T(INFINITY),      T(-INFINITY), T(3e9), T(-3e9),
                  T(2147483648.0), T(-2147483648.0), T(-0.9),      T(1.9)};
  const int32_t want[] = {0, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0, 1};
  int32_t out[9];
  kernels.store(out, DType::INT32, in, 9);
  for (int i = 0; i < 9; ++i) CHECK(out[i] == want[i], "%s store of %g to int32 = %d", name, double(in[i]), out[i]);
}

template <class T>
void finite(const char* name, const Kernels<T>& kernels) {
  for (int64_t n : lengths) {
    std::vector<T> x = Values(4).many<T>(n);
    CHECK(kernels.first_non_finite(x.data(), n) == -1, "%s: all finite", name);
    for (int64_t at : {n - 1, n / 2, int64_t{0}}) {
      x[static_cast<size_t>(at)] = at % 2 ? T(NAN) : T(-INFINITY);
      CHECK(kernels.first_non_finite(x.data(), n) == at, "%s: the first of several", name);
    }
  }
}

}  // namespace

SUITE(micro) {
  check::each_table([](const KernelTable& t) {
    for (int64_t n : lengths) {
      const size_t size = static_cast<size_t>(n);
      run(t.name, t.f32, floating<float>(), mixed<float>(1, size), mixed<float>(2, size), mixed<float>(3, size));
    }
    positions(t.name, t.f32);
  });
  run("float64", float64_kernels(), floating<double>(), mixed<double>(1, 500), mixed<double>(2, 500),
      mixed<double>(3, 500));
  positions("float64", float64_kernels());
  run("int32", int32_kernels(), integer(), integers(1, 500), integers(2, 500), integers(3, 500));
}

SUITE(conversions) {
  check::each_table([](const KernelTable& t) {
    conversions(t.name, t.f32);
    saturation(t.name, t.f32);
    finite(t.name, t.f32);
  });
  conversions("float64", float64_kernels());
  saturation("float64", float64_kernels());
  finite("float64", float64_kernels());
  conversions("int32", int32_kernels());
}
