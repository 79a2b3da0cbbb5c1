// The vocabulary on AArch64 NEON. See scalar.h for the meaning of each word.
#pragma once

namespace neurite::neon {

template <class T>
struct Vec;

struct Mask {
  uint32x4_t m;
};
NEURITE_INLINE Mask operator&(Mask a, Mask b) { return {vandq_u32(a.m, b.m)}; }
NEURITE_INLINE Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.m, b.m)}; }
NEURITE_INLINE Mask invert(Mask a) { return {vmvnq_u32(a.m)}; }
NEURITE_INLINE bool any(Mask a) { return vmaxvq_u32(a.m) != 0; }

struct U32 {
  uint32x4_t v;
  static NEURITE_INLINE U32 set(uint32_t x) { return {vdupq_n_u32(x)}; }
  static NEURITE_INLINE U32 iota() {
    return {vcombine_u32(vcreate_u32(0x0000000100000000u), vcreate_u32(0x0000000300000002u))};
  }
  static NEURITE_INLINE U32 load(const uint32_t* p) { return {vld1q_u32(p)}; }
};
NEURITE_INLINE U32 operator+(U32 a, U32 b) { return {vaddq_u32(a.v, b.v)}; }
NEURITE_INLINE U32 operator-(U32 a, U32 b) { return {vsubq_u32(a.v, b.v)}; }
NEURITE_INLINE U32 operator&(U32 a, U32 b) { return {vandq_u32(a.v, b.v)}; }
NEURITE_INLINE U32 operator|(U32 a, U32 b) { return {vorrq_u32(a.v, b.v)}; }
NEURITE_INLINE U32 operator^(U32 a, U32 b) { return {veorq_u32(a.v, b.v)}; }
template <int K>
NEURITE_INLINE U32 shl(U32 a) {
  return {vshlq_n_u32(a.v, K)};
}
template <int K>
NEURITE_INLINE U32 shr(U32 a) {
  return {vshrq_n_u32(a.v, K)};
}
template <int K>
NEURITE_INLINE U32 sar(U32 a) {
  return {vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(a.v), K))};
}
NEURITE_INLINE Mask test(U32 a, U32 b) { return {vtstq_u32(a.v, b.v)}; }
NEURITE_INLINE Mask lt(U32 a, U32 b) { return {vcltq_u32(a.v, b.v)}; }
NEURITE_INLINE U32 select(Mask m, U32 a, U32 b) { return {vbslq_u32(m.m, a.v, b.v)}; }
NEURITE_INLINE Mask equal_bytes(const uint8_t* p, int64_t n, uint8_t b) {
  uint32_t lane[4] = {256, 256, 256, 256};
  for (int64_t i = 0; i < (n < 4 ? n : 4); ++i) lane[i] = p[i];
  return {vceqq_u32(vld1q_u32(lane), vdupq_n_u32(b))};
}
NEURITE_INLINE void store_bytes(uint8_t* p, int64_t n, U32 u) {
  uint32_t lane[4];
  vst1q_u32(lane, u.v);
  for (int64_t i = 0; i < (n < 4 ? n : 4); ++i) p[i] = static_cast<uint8_t>(lane[i]);
}
struct Pairs {
  static constexpr bool usable = false;
};
NEURITE_INLINE void mul_wide(U32 a, U32 b, U32& hi, U32& lo) {
  const uint64x2_t low = vmull_u32(vget_low_u32(a.v), vget_low_u32(b.v));
  const uint64x2_t high = vmull_high_u32(a.v, b.v);
  lo.v = vuzp1q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
  hi.v = vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
}

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  float32x4_t v;
  static NEURITE_INLINE Vec set(float x) { return {vdupq_n_f32(x)}; }
  static NEURITE_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n) { return load_n(p, n, set(0)); }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n, Vec fill) {
    float lane[4];
    vst1q_f32(lane, fill.v);
    for (int64_t i = 0; i < n; ++i) lane[i] = p[i];
    return {vld1q_f32(lane)};
  }
  NEURITE_INLINE float first() const { return vgetq_lane_f32(v, 0); }
  NEURITE_INLINE void store(float* p) const { vst1q_f32(p, v); }
  NEURITE_INLINE void store_n(float* p, int64_t n) const {
    float lane[4];
    vst1q_f32(lane, v);
    for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
  }
};
using F32 = Vec<float>;
NEURITE_INLINE F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
NEURITE_INLINE F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
NEURITE_INLINE F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
NEURITE_INLINE F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
NEURITE_INLINE F32 near_reciprocal(F32 a) {
  const float32x4_t q = vrecpeq_f32(a.v);
  return {vmulq_f32(q, vrecpsq_f32(a.v, q))};
}
NEURITE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
NEURITE_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
NEURITE_INLINE F32 select(Mask m, F32 a, F32 b) { return {vbslq_f32(m.m, a.v, b.v)}; }
NEURITE_INLINE F32 min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
NEURITE_INLINE F32 max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
NEURITE_INLINE F32 sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
NEURITE_INLINE F32 round(F32 a) { return {vrndnq_f32(a.v)}; }
NEURITE_INLINE F32 floor(F32 a) { return {vrndmq_f32(a.v)}; }
NEURITE_INLINE F32 ceil(F32 a) { return {vrndpq_f32(a.v)}; }
NEURITE_INLINE F32 trunc(F32 a) { return {vrndq_f32(a.v)}; }
NEURITE_INLINE Mask eq(F32 a, F32 b) { return {vceqq_f32(a.v, b.v)}; }
NEURITE_INLINE Mask lt(F32 a, F32 b) { return {vcltq_f32(a.v, b.v)}; }
NEURITE_INLINE Mask le(F32 a, F32 b) { return {vcleq_f32(a.v, b.v)}; }
NEURITE_INLINE Mask is_nan(F32 a) { return invert(Mask{vceqq_f32(a.v, a.v)}); }
NEURITE_INLINE U32 bits(F32 a) { return {vreinterpretq_u32_f32(a.v)}; }
NEURITE_INLINE F32 from_bits(U32 a) { return {vreinterpretq_f32_u32(a.v)}; }
NEURITE_INLINE F32 to_float(U32 a) { return {vcvtq_f32_s32(vreinterpretq_s32_u32(a.v))}; }
NEURITE_INLINE U32 to_int(F32 a) { return {vreinterpretq_u32_s32(vcvtnq_s32_f32(a.v))}; }
NEURITE_INLINE F32 scale2(F32 a, F32 n) {
  const U32 whole = to_int(n), half = sar<1>(whole), bias = U32::set(127);
  return a * from_bits(shl<23>(half + bias)) * from_bits(shl<23>(whole - half + bias));
}

template <int W>
NEURITE_INLINE F32 shift_down(F32 a) {
  return {vextq_f32(a.v, a.v, W)};
}

// Lanes of out[t] are element t of each of `lanes` rows, t < 4.
NEURITE_INLINE void transpose4(const float* const* rows, int64_t at, F32* out) {
  const float32x4x2_t a = vzipq_f32(vld1q_f32(rows[0] + at), vld1q_f32(rows[2] + at));
  const float32x4x2_t b = vzipq_f32(vld1q_f32(rows[1] + at), vld1q_f32(rows[3] + at));
  const float32x4x2_t lo = vzipq_f32(a.val[0], b.val[0]), hi = vzipq_f32(a.val[1], b.val[1]);
  out[0].v = lo.val[0];
  out[1].v = lo.val[1];
  out[2].v = hi.val[0];
  out[3].v = hi.val[1];
}

// p[4 i + t] = lane i of x[t].
NEURITE_INLINE void store_interleaved4(float* p, const F32* x) {
  const float32x4x4_t q = {{x[0].v, x[1].v, x[2].v, x[3].v}};
  vst4q_f32(p, q);
}

}  // namespace neurite::neon
