// float math in the vocabulary of the instruction set that includes it.
// Each is a minimax fit (relative error, fitted for these intervals) after an exact or two-part range reduction:
// maximum error 1 to 3.6 ulp over all inputs (test/native/math_test.cc states and checks each bound), right at +-0,
// infinity and NaN. A result that is denormal may become 0. Source of the reductions: Muller et al., Handbook of
// Floating-Point Arithmetic, ch. 11; Payne and Hanek 1983 for huge angles.
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr float kInfinity = __builtin_inff();
inline constexpr float kNaN = __builtin_nanf("");
// ln 2 in two parts; the first has 15 bits, so n * kLn2High is exact for every exponent n.
inline constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f, kLog2E = 1.44269504f;

NEURITE_INLINE F32 num(float x) { return F32::set(x); }
NEURITE_INLINE F32 abs(F32 x) { return from_bits(bits(x) & U32::set(0x7FFFFFFFu)); }
NEURITE_INLINE F32 neg(F32 x) { return from_bits(bits(x) ^ U32::set(0x80000000u)); }
NEURITE_INLINE F32 copysign(F32 magnitude, F32 sign) {
  return from_bits((bits(magnitude) & U32::set(0x7FFFFFFFu)) | (bits(sign) & U32::set(0x80000000u)));
}

template <int N>
NEURITE_INLINE F32 polynomial(F32 x, const float (&c)[N]) {
  F32 y = num(c[N - 1]);
  NEURITE_UNROLL
  for (int i = N - 2; i >= 0; --i) y = fma(y, x, num(c[i]));
  return y;
}

// r of x = n ln 2 + r, |r| <= 0.3468.
NEURITE_INLINE F32 exp_argument(F32 x, F32& n) {
  n = round(x * num(kLog2E));
  return fma(n, num(-kLn2Low), fma(n, num(-kLn2High), x));
}

// e^r = 1 + r + r^2 q(r).
NEURITE_INLINE F32 exp_tail(F32 r) {
  static constexpr float c[] = {0.5f, 0.16666542f, 0.04166628f, 0.008366621f, 0.0013946511f};
  return polynomial(r, c);
}

// e^r - 1.
NEURITE_INLINE F32 exp_reduced(F32 r) { return fma(r * r, exp_tail(r), r); }

// -110 <= x <= 89 or NaN.
NEURITE_INLINE F32 exp_inside(F32 x) {
  F32 n;
  const F32 r = exp_argument(x, n);
  const F32 t = r + num(1.0f);
  return scale2(t + fma(r * r, exp_tail(r), r - (t - num(1.0f))), n);  // what t lost is kept
}

NEURITE_INLINE F32 exp(F32 x) { return exp_inside(max(num(-110.0f), min(num(89.0f), x))); }

NEURITE_INLINE F32 expm1(F32 x) {
  F32 n;
  const F32 p = exp_reduced(exp_argument(max(num(-30.0f), min(num(88.8f), x)), n));
  const F32 t = scale2(num(1.0f), n - num(1.0f));  // half of 2^n, which may not be representable
  const F32 y = fma(t, p, t - num(0.5f));
  return select(lt(abs(x), num(0x1p-30f)), x, y + y);
}

// log(u + c) + shift ln 2 for finite u > 0; c is 0 unless Corrected, and then |c| <= ulp(u) / 2 and u >= 2^-24.
template <bool Corrected>
NEURITE_INLINE F32 log_reduced(F32 u, F32 c, F32 shift) {
  static constexpr float q[] = {0.3333333f,  -0.25000823f, 0.20001233f, -0.16623297f,
                                0.14201558f, -0.13160595f, 0.127633f,   -0.07635588f};
  const U32 e = sar<23>(bits(u) - U32::set(0x3F3504F3u));  // sqrt(1/2) <= m < sqrt(2)
  const F32 m = from_bits(bits(u) - shl<23>(e));
  F32 f = m - num(1.0f);
  if constexpr (Corrected) f = fma(c * num(0x1p-63f), from_bits(shl<23>(U32::set(190) - e)), f);  // c 2^-e, e <= 128
  const F32 n = to_float(e) + shift, z = f * f;
  F32 y = f * z * polynomial(f, q);
  y = fma(n, num(kLn2Low), y);
  y = fma(num(-0.5f), z, y);
  return fma(n, num(kLn2High), f + y);
}

NEURITE_INLINE F32 log_limits(F32 x, F32 y) {
  y = select(lt(x, num(kInfinity)), y, x);
  y = select(lt(x, num(0.0f)), num(kNaN), y);
  return select(eq(x, num(0.0f)), num(-kInfinity), y);
}

NEURITE_INLINE F32 log(F32 x) {
  const Mask denormal = lt(x, num(0x1p-126f));
  const F32 u = select(denormal, x * num(0x1p23f), x);
  return log_limits(x, log_reduced<false>(u, num(0.0f), select(denormal, num(-23.0f), num(0.0f))));
}

// What rounding u = 1 + x lost.
NEURITE_INLINE F32 lost_beside_one(F32 x, F32 u) {
  const F32 one = num(1.0f), back = u - one;
  return (one - (u - back)) + (x - back);
}

NEURITE_INLINE F32 log1p(F32 x) {
  const F32 u = num(1.0f) + x, c = lost_beside_one(x, u);
  const F32 y = log_limits(u, log_reduced<true>(u, select(lt(x, num(kInfinity)), c, num(0.0f)), num(0.0f)));
  return select(lt(abs(x), num(0x1p-30f)), x, y);
}

// e / (e + 2), e = expm1(2 |x|) without its limits. The quotient by a step of Newton's for 1 / d and one for itself is
// a rounding error away from the division, which takes as long as a third of the rest.
NEURITE_INLINE F32 tanh(F32 x) {
  F32 n;
  const F32 one = num(1.0f), magnitude = abs(x);
  const F32 p = exp_reduced(exp_argument(min(num(20.0f), magnitude + magnitude), n)), power = scale2(one, n);
  const F32 e = fma(power, p, power - one), d = e + num(2.0f), minus = num(-2.0f) - e;
  const F32 guess = near_reciprocal(d), inverse = fma(guess, fma(minus, guess, one), guess), q = e * inverse;
  return select(lt(magnitude, num(0x1p-30f)), x, copysign(fma(fma(minus, q, e), inverse, q), x));
}

// 1 / (1 + e^-x), e^-x = (e + low) 2^n: what e lost corrects the quotient, which is found by a step of third order.
// Below -87.34 the result is denormal.
NEURITE_INLINE F32 sigmoid(F32 x) {
  F32 n;
  const F32 one = num(1.0f);
  const F32 r = exp_argument(max(num(-87.0f), min(num(87.4f), neg(x))), n);
  const F32 t = r + one, tail = fma(r * r, exp_tail(r), r - (t - one)), minus = scale2(num(-1.0f), n);
  const F32 e = t + tail, low = tail - (e - t), d = fma(e, minus, num(-1.0f));
  const F32 q = near_reciprocal(neg(d));
  const F32 rest = fma(low * minus, q, fma(d, q, one));  // 1 - (1 + e^-x) q
  return select(lt(x, num(-87.33655f)), num(0.0f), fma(fma(rest, rest, rest), q, q));
}

// max(0, x) + log1p(e), e = exp(-|x|): of 0 <= e <= 1 the logarithm has no limits to meet, and NaN goes through c.
NEURITE_INLINE F32 softplus(F32 x) {
  const F32 e = exp_inside(max(num(-110.0f), neg(abs(x)))), u = num(1.0f) + e;
  const F32 y = log_reduced<true>(u, lost_beside_one(e, u), num(0.0f));
  return max(num(0.0f), x) + select(lt(e, num(0x1p-30f)), e, y);
}

NEURITE_INLINE F32 erf(F32 x) {
  static constexpr float small[] = {0.12837917f,   -0.37612632f,    0.1128369f,    -0.026859093f,
                                    0.0052002766f, -0.00081341603f, 0.00008334099f};
  static constexpr float large[] = {-1.1286485f,   -0.6351513f,   -0.10623689f,    0.023762075f,
                                    -0.003642465f, 0.0003228054f, -0.000011231466f};  // log(erfc(t)) / t
  const F32 t = min(num(4.0f), abs(x));
  const F32 inner = fma(x, polynomial(x * x, small), x);
  const F32 outer = copysign(num(1.0f) - exp_inside(t * polynomial(t, large)), x);
  return select(lt(t, num(0.925f)), inner, outer);
}

// 1 + erf(x / sqrt(2)), twice the normal distribution function, from erfc(|x| / sqrt(2)) = e^(|x| R(|x|)), R fitted on
// [0, 6]: the error is below 1.5 2^-23, of results above 2e-9 below 1 %; a sum that cancels has no such bound.
NEURITE_INLINE F32 twice_normal(F32 x) {
  static constexpr float c[] = {-0.79788637f,    -0.31828639f,   -0.036436528f, 0.0049827844f,
                                -0.00017357261f, -9.1517621e-5f, 1.8382141e-5f, -1.1405651e-6f};
  const F32 t = abs(x), tails = exp_inside(max(num(-110.0f), t * polynomial(t, c)));
  return select(lt(x, num(0.0f)), tails, num(2.0f) - tails);
}

// |r| <= pi/4 and the quadrant of an angle too large for the three-part reduction: 96 bits of 2/pi are enough for a
// float.
NEURITE_NOINLINE static float reduce_large_angle(float x, uint32_t& quadrant) noexcept {
  static constexpr uint32_t two_over_pi[] = {0,           0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u,
                                             0xDB629599u, 0x3C439041u, 0xFE5163ABu, 0xDEBBC561u};
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  const int exponent = static_cast<int>((u >> 23) & 255u);
  quadrant = 0;
  if (exponent == 255) return kNaN;
  const uint64_t mantissa = (u & 0x7FFFFFu) | 0x800000u;
  const int first = exponent - 152 + 32;  // bits above it contribute whole turns
  uint64_t window[3];
  for (int i = 0; i < 3; ++i) {
    const uint32_t* w = two_over_pi + (first >> 5) + i;
    window[i] = ((static_cast<uint64_t>(w[0]) << 32 | w[1]) << (first & 31)) >> 32;
  }
  const uint64_t turn = ((mantissa * window[0]) << 32) + mantissa * window[1] + ((mantissa * window[2]) >> 32);
  const uint64_t nearest = (turn + (uint64_t{1} << 61)) >> 62;
  const double fraction = static_cast<double>(static_cast<int64_t>(turn - (nearest << 62)));
  const float r = static_cast<float>(fraction * (0x1p-62 * 1.57079632679489661923));
  const bool negative = (u >> 31) != 0;
  quadrant = static_cast<uint32_t>(negative ? 0 - nearest : nearest);
  return negative ? -r : r;
}

NEURITE_NOINLINE static void reduce_large_lanes(const float* x, float* r, float* quadrant) noexcept {
  for (int i = 0; i < F32::lanes; ++i) {
    if (x[i] >= -65536.0f && x[i] <= 65536.0f) continue;
    uint32_t q;
    r[i] = reduce_large_angle(x[i], q);
    __builtin_memcpy(quadrant + i, &q, 4);
  }
}

NEURITE_INLINE F32 reduce_angle(F32 x, U32& quadrant) {
  const F32 q = round(x * num(0.636619772f));
  F32 r = fma(q, num(-0x1.921fb6p+0f), x);
  r = fma(q, num(0x1.777a5cp-25f), r);
  r = fma(q, num(0x1.ee59dap-50f), r);
  quadrant = to_int(q);
  if (any(invert(le(abs(x), num(65536.0f))))) {
    float xs[F32::lanes], rs[F32::lanes], qs[F32::lanes];
    x.store(xs);
    r.store(rs);
    from_bits(quadrant).store(qs);
    reduce_large_lanes(xs, rs, qs);
    r = F32::load(rs);
    quadrant = bits(F32::load(qs));
  }
  return r;
}

// sin and cos of r, |r| <= pi/4.
NEURITE_INLINE F32 sin_reduced(F32 r) {
  static constexpr float c[] = {-0.16666655f, 0.008332178f, -0.00019517234f};
  const F32 z = r * r;
  return fma(r * z, polynomial(z, c), r);
}
NEURITE_INLINE F32 cos_reduced(F32 r) {
  static constexpr float c[] = {0.041666646f, -0.0013887367f, 0.000024438377f};
  const F32 z = r * r;
  return fma(z * z, polynomial(z, c), fma(num(-0.5f), z, num(1.0f)));
}

NEURITE_INLINE F32 flip_sign(F32 x, U32 bit) { return from_bits(bits(x) ^ (shl<30>(bit) & U32::set(0x80000000u))); }

NEURITE_INLINE F32 sin(F32 x) {
  U32 q;
  const F32 r = reduce_angle(x, q);
  const F32 y = flip_sign(select(test(q, U32::set(1)), cos_reduced(r), sin_reduced(r)), q);
  return select(lt(abs(x), num(0x1p-30f)), x, y);
}

NEURITE_INLINE F32 cos(F32 x) {
  U32 q;
  const F32 r = reduce_angle(x, q);
  return flip_sign(select(test(q, U32::set(1)), sin_reduced(r), cos_reduced(r)), q + U32::set(1));
}

// tan r = r + r^3 P(r^2), |r| <= pi/4, or -1 / tan r in odd quadrants: a quotient of sine and cosine would have the
// errors of both.
NEURITE_INLINE F32 tan(F32 x) {
  static constexpr float c[] = {0.33333156f, 0.1333882f, 0.053409517f, 0.024436545f, 0.0031094574f, 0.009391699f};
  U32 q;
  const F32 r = reduce_angle(x, q), z = r * r;
  const F32 t = fma(r * z, polynomial(z, c), r);
  const F32 y = select(test(q, U32::set(1)), num(-1.0f) / t, t);
  return select(lt(abs(x), num(0x1p-30f)), x, y);
}

// sin and cos of 2 pi u, 0 <= u <= 1.
NEURITE_INLINE void sincos_turns(F32 u, F32& s, F32& c) {
  const F32 n = round(u * num(4.0f));
  const F32 r = (u - n * num(0.25f)) * num(6.28318531f);
  const U32 q = to_int(n);
  const Mask odd = test(q, U32::set(1));
  const F32 sr = sin_reduced(r), cr = cos_reduced(r);
  s = flip_sign(select(odd, cr, sr), q);
  c = flip_sign(select(odd, sr, cr), q + U32::set(1));
}

// x^y = e^(y log |x|) with the logarithm and the product in two parts: y log x needs 8 bits more than a float has.
NEURITE_INLINE F32 pow(F32 x, F32 y) {
  static constexpr float c[] = {0.6666666f, 0.40000337f, 0.28537238f, 0.23583572f};  // (2 atanh(s) - 2s) / s^3 in s^2
  const F32 zero = num(0.0f), one = num(1.0f), infinity = num(kInfinity);
  const F32 magnitude = abs(x);
  const Mask denormal = lt(magnitude, num(0x1p-126f));
  const F32 u = select(denormal, magnitude * num(0x1p23f), magnitude);
  const U32 e = sar<23>(bits(u) - U32::set(0x3F3504F3u));
  const F32 m = from_bits(bits(u) - shl<23>(e));
  const F32 n = to_float(e) + select(denormal, num(-23.0f), zero);
  // s = (m - 1) / (m + 1) in two parts
  const F32 f = m - one, d = m + one, d_low = m - (d - one);
  const F32 s = f / d;
  const F32 s_low = (fma(neg(s), d, f) - s * d_low) / d;
  const F32 z = s * s;
  const F32 tail = fma(s * z, polynomial(z, c), s_low + s_low);
  // log |x| = n ln2 + 2 s + tail
  const F32 a = n * num(kLn2High), b = s + s;
  const F32 head = a + b, part = head - a;
  const F32 rest = ((a - (head - part)) + (b - part)) + fma(n, num(kLn2Low), tail);
  const F32 log_high = head + rest, log_low = rest - (log_high - head);
  const F32 product = y * log_high;
  const F32 product_low = fma(y, log_low, fma(y, log_high, neg(product)));
  const Mask inside = lt(abs(product), num(120.0f));
  const F32 bounded = max(num(-120.0f), min(num(120.0f), product));
  F32 power;
  const F32 p = exp_reduced(exp_argument(bounded, power) + select(inside, product_low, zero));
  F32 result = scale2(p + one, power);
  // 0, infinity and the sign
  const Mask zero_x = eq(x, zero), huge_x = eq(magnitude, infinity), positive_y = lt(zero, y);
  result = select(zero_x, select(positive_y, zero, infinity), result);
  result = select(huge_x, select(positive_y, infinity, zero), result);
  const Mask huge_y = eq(abs(y), infinity);
  const Mask grows = (lt(one, magnitude) & positive_y) | (lt(magnitude, one) & lt(y, zero));
  result = select(huge_y, select(grows, infinity, select(eq(magnitude, one), one, zero)), result);
  const Mask whole = eq(round(y), y);
  const F32 half = y * num(0.5f);
  const Mask odd = whole & invert(eq(round(half), half));
  const Mask negative = test(bits(x), U32::set(0x80000000u));
  result = select(negative & odd, neg(result), result);
  result = select(negative & invert(whole) & invert(zero_x) & invert(huge_x), num(kNaN), result);
  result = select(is_nan(x) | is_nan(y), num(kNaN), result);
  return select(eq(y, zero) | eq(x, one), one, result);
}

}  // namespace neurite::NEURITE_ISA
