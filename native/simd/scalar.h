// The vocabulary on one lane, and what each word means on every instruction set. float, double and int32_t.
//   set broadcasts; load_n/store_n move the first n lanes (0 < n < lanes; other lanes read as 0 or as fill).
//   fma rounds once; mul_add is the fastest multiply-add (fused wherever the CPU fuses).
//   min/max return b when either operand is NaN or both are zero. round is half to even.
//   lt le eq are false on NaN. select(m, a, b) is m ? a : b. scale2(a, n) is a * 2^n for whole |n| <= 252.
//   near_reciprocal has at least 11 bits. equal_bytes(p, n, b) compares the first n of `lanes` bytes with b (other
//   lanes are false), store_bytes(p, n, u) stores the low bytes of the first n lanes. to_int rounds to nearest,
//   to_float reads the lanes as int32. test(a, b) is (a & b) != 0. shift_down<W> moves lane j + W to lane j, j < W.
//   first() is lane 0. lt of U32 is unsigned. Pairs are 64-bit lanes for Philox, see random.inl.h.
#pragma once

namespace neurite::scalar {

struct Mask {
  bool m;
};
NEURITE_INLINE Mask operator&(Mask a, Mask b) { return {a.m && b.m}; }
NEURITE_INLINE Mask operator|(Mask a, Mask b) { return {a.m || b.m}; }
NEURITE_INLINE Mask invert(Mask a) { return {!a.m}; }
NEURITE_INLINE bool any(Mask a) { return a.m; }

struct U32 {
  uint32_t v;
  static NEURITE_INLINE U32 set(uint32_t x) { return {x}; }
  static NEURITE_INLINE U32 iota() { return {0}; }
  static NEURITE_INLINE U32 load(const uint32_t* p) { return {*p}; }
};
NEURITE_INLINE U32 operator+(U32 a, U32 b) { return {a.v + b.v}; }
NEURITE_INLINE U32 operator-(U32 a, U32 b) { return {a.v - b.v}; }
NEURITE_INLINE U32 operator&(U32 a, U32 b) { return {a.v & b.v}; }
NEURITE_INLINE U32 operator|(U32 a, U32 b) { return {a.v | b.v}; }
NEURITE_INLINE U32 operator^(U32 a, U32 b) { return {a.v ^ b.v}; }
template <int K>
NEURITE_INLINE U32 shl(U32 a) {
  return {a.v << K};
}
template <int K>
NEURITE_INLINE U32 shr(U32 a) {
  return {a.v >> K};
}
template <int K>
NEURITE_INLINE U32 sar(U32 a) {
  return {static_cast<uint32_t>(static_cast<int32_t>(a.v) >> K)};
}
NEURITE_INLINE Mask test(U32 a, U32 b) { return {(a.v & b.v) != 0}; }
NEURITE_INLINE Mask lt(U32 a, U32 b) { return {a.v < b.v}; }
NEURITE_INLINE U32 select(Mask m, U32 a, U32 b) { return m.m ? a : b; }
NEURITE_INLINE Mask equal_bytes(const uint8_t* p, int64_t, uint8_t b) { return {*p == b}; }
NEURITE_INLINE void store_bytes(uint8_t* p, int64_t, U32 u) { *p = static_cast<uint8_t>(u.v); }
struct Pairs {
  static constexpr bool usable = false;
};
NEURITE_INLINE void mul_wide(U32 a, U32 b, U32& hi, U32& lo) {
  const uint64_t product = static_cast<uint64_t>(a.v) * b.v;
  hi.v = static_cast<uint32_t>(product >> 32);
  lo.v = static_cast<uint32_t>(product);
}

template <class T>
struct Vec {
  static constexpr int lanes = 1;
  T v;
  static NEURITE_INLINE Vec set(T x) { return {x}; }
  static NEURITE_INLINE Vec load(const T* p) { return {*p}; }
  static NEURITE_INLINE Vec load_n(const T* p, int64_t) { return {*p}; }
  static NEURITE_INLINE Vec load_n(const T* p, int64_t, Vec) { return {*p}; }
  NEURITE_INLINE T first() const { return v; }
  NEURITE_INLINE void store(T* p) const { *p = v; }
  NEURITE_INLINE void store_n(T* p, int64_t) const { *p = v; }
};
using F32 = Vec<float>;
using F64 = Vec<double>;
using I32 = Vec<int32_t>;

template <class T>
NEURITE_INLINE Vec<T> operator+(Vec<T> a, Vec<T> b) {
  return {a.v + b.v};
}
template <class T>
NEURITE_INLINE Vec<T> operator-(Vec<T> a, Vec<T> b) {
  return {a.v - b.v};
}
template <class T>
NEURITE_INLINE Vec<T> operator*(Vec<T> a, Vec<T> b) {
  return {a.v * b.v};
}
template <class T>
NEURITE_INLINE Vec<T> operator/(Vec<T> a, Vec<T> b) {
  return {a.v / b.v};
}
// Integers wrap; x / 0 = 0 and INT32_MIN / -1 = INT32_MIN, so that no input traps.
NEURITE_INLINE I32 wrap(uint32_t x) { return {static_cast<int32_t>(x)}; }
NEURITE_INLINE I32 operator+(I32 a, I32 b) { return wrap(static_cast<uint32_t>(a.v) + static_cast<uint32_t>(b.v)); }
NEURITE_INLINE I32 operator-(I32 a, I32 b) { return wrap(static_cast<uint32_t>(a.v) - static_cast<uint32_t>(b.v)); }
NEURITE_INLINE I32 operator*(I32 a, I32 b) { return wrap(static_cast<uint32_t>(a.v) * static_cast<uint32_t>(b.v)); }
NEURITE_INLINE I32 operator/(I32 a, I32 b) {
  if (b.v == 0) return {0};
  if (b.v == -1) return wrap(0u - static_cast<uint32_t>(a.v));
  return {a.v / b.v};
}

// The double product of floats is exact, so only the sum is rounded (twice).
NEURITE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {static_cast<float>(static_cast<double>(a.v) * b.v + c.v)}; }
template <class T>
NEURITE_INLINE Vec<T> mul_add(Vec<T> a, Vec<T> b, Vec<T> c) {
  return {a.v * b.v + c.v};
}
template <class T>
NEURITE_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  return {a.v < b.v ? a.v : b.v};
}
template <class T>
NEURITE_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return {a.v > b.v ? a.v : b.v};
}
template <class T>
NEURITE_INLINE Vec<T> select(Mask m, Vec<T> a, Vec<T> b) {
  return {m.m ? a.v : b.v};
}
template <class T>
NEURITE_INLINE Mask eq(Vec<T> a, Vec<T> b) {
  return {a.v == b.v};
}
template <class T>
NEURITE_INLINE Mask lt(Vec<T> a, Vec<T> b) {
  return {a.v < b.v};
}
template <class T>
NEURITE_INLINE Mask le(Vec<T> a, Vec<T> b) {
  return {a.v <= b.v};
}
template <class T>
NEURITE_INLINE Mask is_nan(Vec<T> a) {
  return {a.v != a.v};
}
NEURITE_INLINE F32 near_reciprocal(F32 a) { return {1 / a.v}; }
NEURITE_INLINE F32 sqrt(F32 a) { return {::sqrtf(a.v)}; }
NEURITE_INLINE F64 sqrt(F64 a) { return {::sqrt(a.v)}; }
NEURITE_INLINE F32 round(F32 a) { return {::rintf(a.v)}; }
NEURITE_INLINE F64 round(F64 a) { return {::rint(a.v)}; }
NEURITE_INLINE F32 trunc(F32 a) { return {::truncf(a.v)}; }
NEURITE_INLINE F64 trunc(F64 a) { return {::trunc(a.v)}; }
// Not the library's: musl's ceilf of a denormal is 1 also where denormals count as 0.
template <class T>
NEURITE_INLINE Vec<T> floor(Vec<T> a) {
  const T t = trunc(a).v;
  return {t > a.v ? t - 1 : t};
}
template <class T>
NEURITE_INLINE Vec<T> ceil(Vec<T> a) {
  const T t = trunc(a).v;
  return {t < a.v ? t + 1 : t};
}

NEURITE_INLINE U32 bits(F32 a) {
  U32 u;
  __builtin_memcpy(&u.v, &a.v, 4);
  return u;
}
NEURITE_INLINE F32 from_bits(U32 a) {
  F32 f;
  __builtin_memcpy(&f.v, &a.v, 4);
  return f;
}
NEURITE_INLINE F32 to_float(U32 a) { return {static_cast<float>(static_cast<int32_t>(a.v))}; }
// The range check keeps a NaN or infinity out of the conversion; callers blend such lanes away.
NEURITE_INLINE U32 to_int(F32 a) {
  return {a.v > -2147483648.0f && a.v < 2147483648.0f ? static_cast<uint32_t>(static_cast<int32_t>(::rintf(a.v)))
                                                      : 0x80000000u};
}
NEURITE_INLINE F32 scale2(F32 a, F32 n) {
  const U32 whole = to_int(n), half = sar<1>(whole), bias = U32::set(127);
  return a * from_bits(shl<23>(half + bias)) * from_bits(shl<23>(whole - half + bias));
}

template <class T>
NEURITE_INLINE void transpose4(const T* const* rows, int64_t at, Vec<T>* out) {
  for (int t = 0; t < 4; ++t) out[t].v = rows[0][at + t];
}
template <class T>
NEURITE_INLINE void store_interleaved4(T* p, const Vec<T>* x) {
  for (int t = 0; t < 4; ++t) p[t] = x[t].v;
}

NEURITE_INLINE F64 neg(F64 a) { return {-a.v}; }
NEURITE_INLINE F64 abs(F64 a) { return {::fabs(a.v)}; }
NEURITE_INLINE I32 neg(I32 a) { return I32{0} - a; }
NEURITE_INLINE I32 abs(I32 a) { return a.v < 0 ? neg(a) : a; }

// double math is the C library's: gradient checks need accuracy, not speed.
NEURITE_INLINE F64 fma(F64 a, F64 b, F64 c) { return {::fma(a.v, b.v, c.v)}; }
NEURITE_INLINE F64 exp(F64 x) { return {::exp(x.v)}; }
NEURITE_INLINE F64 expm1(F64 x) { return {::expm1(x.v)}; }
NEURITE_INLINE F64 log(F64 x) { return {::log(x.v)}; }
NEURITE_INLINE F64 log1p(F64 x) { return {::log1p(x.v)}; }
NEURITE_INLINE F64 sin(F64 x) { return {::sin(x.v)}; }
NEURITE_INLINE F64 cos(F64 x) { return {::cos(x.v)}; }
NEURITE_INLINE F64 tan(F64 x) { return {::tan(x.v)}; }
NEURITE_INLINE F64 tanh(F64 x) { return {::tanh(x.v)}; }
NEURITE_INLINE F64 erf(F64 x) { return {::erf(x.v)}; }
NEURITE_INLINE F64 twice_normal(F64 x) { return {1 + ::erf(x.v * 0.70710678118654752440)}; }
NEURITE_INLINE F64 pow(F64 x, F64 y) { return {::pow(x.v, y.v)}; }
NEURITE_INLINE F64 sigmoid(F64 x) { return {1 / (1 + ::exp(-x.v))}; }
NEURITE_INLINE F64 softplus(F64 x) {
  const double magnitude = ::fabs(x.v);
  return {(x.v < 0 ? 0 : x.v) + ::log1p(::exp(-magnitude))};
}
NEURITE_INLINE void sincos_turns(F64 u, F64& s, F64& c) {
  s.v = ::sin(6.283185307179586477 * u.v);
  c.v = ::cos(6.283185307179586477 * u.v);
}

}  // namespace neurite::scalar
