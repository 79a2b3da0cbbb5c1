// The vocabulary on AVX-512 (F, BW, VL, DQ). See scalar.h for the meaning of each word.
#pragma once

namespace neurite::avx512 {

template <class T>
struct Vec;

struct Mask {
  __mmask16 m;
};
NEURITE_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.m & b.m)}; }
NEURITE_INLINE Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.m | b.m)}; }
NEURITE_INLINE Mask invert(Mask a) { return {static_cast<__mmask16>(~a.m)}; }
NEURITE_INLINE bool any(Mask a) { return a.m != 0; }

NEURITE_INLINE __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

struct U32 {
  __m512i v;
  static NEURITE_INLINE U32 set(uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
  static NEURITE_INLINE U32 iota() { return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
  static NEURITE_INLINE U32 load(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
};
NEURITE_INLINE U32 operator+(U32 a, U32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
NEURITE_INLINE U32 operator-(U32 a, U32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
NEURITE_INLINE U32 operator&(U32 a, U32 b) { return {_mm512_and_si512(a.v, b.v)}; }
NEURITE_INLINE U32 operator|(U32 a, U32 b) { return {_mm512_or_si512(a.v, b.v)}; }
NEURITE_INLINE U32 operator^(U32 a, U32 b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int K>
NEURITE_INLINE U32 shl(U32 a) {
  return {_mm512_maskz_slli_epi32(0xFFFF, a.v, K)};
}
template <int K>
NEURITE_INLINE U32 shr(U32 a) {
  return {_mm512_maskz_srli_epi32(0xFFFF, a.v, K)};
}
template <int K>
NEURITE_INLINE U32 sar(U32 a) {
  return {_mm512_maskz_srai_epi32(0xFFFF, a.v, K)};
}
NEURITE_INLINE Mask test(U32 a, U32 b) { return {_mm512_test_epi32_mask(a.v, b.v)}; }
NEURITE_INLINE Mask lt(U32 a, U32 b) { return {_mm512_cmplt_epu32_mask(a.v, b.v)}; }
NEURITE_INLINE U32 select(Mask m, U32 a, U32 b) { return {_mm512_mask_blend_epi32(m.m, b.v, a.v)}; }
NEURITE_INLINE Mask equal_bytes(const uint8_t* p, int64_t n, uint8_t b) {
  const __mmask16 m = first_lanes(n);
  return {_mm_mask_cmpeq_epi8_mask(m, _mm_maskz_loadu_epi8(m, p), _mm_set1_epi8(static_cast<char>(b)))};
}
NEURITE_INLINE void store_bytes(uint8_t* p, int64_t n, U32 u) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n), u.v);
}
// Eight 64-bit lanes. `first` numbers them so that `join` gives the words of consecutive counters in memory order.
struct Pairs {
  static constexpr bool usable = true;
  static constexpr int lanes = 8;
  using V = __m512i;
  static NEURITE_INLINE V set(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static NEURITE_INLINE V first(uint64_t block) {
    return _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(block)), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
  }
  static NEURITE_INLINE V product(V a, V b) { return _mm512_maskz_mul_epu32(0xFF, a, b); }
  // A shuffle, not a shift: shifts share a port with half of the products.
  static NEURITE_INLINE V high(V a) {
    return _mm512_castps_si512(_mm512_maskz_movehdup_ps(0xFFFF, _mm512_castsi512_ps(a)));
  }
  static NEURITE_INLINE V exclusive_or(V a, V b, V c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  static NEURITE_INLINE void join(const V* w, U32* out) {
    const V low = _mm512_set1_epi64(0xFFFFFFFF);
    const V p = _mm512_ternarylogic_epi64(low, w[0], _mm512_maskz_slli_epi64(0xFF, w[1], 32), 0xEA);
    const V q = _mm512_ternarylogic_epi64(low, w[2], _mm512_maskz_slli_epi64(0xFF, w[3], 32), 0xEA);
    out[0].v = _mm512_maskz_unpacklo_epi64(0xFF, p, q);
    out[1].v = _mm512_maskz_unpackhi_epi64(0xFF, p, q);
  }
};
NEURITE_INLINE void mul_wide(U32 a, U32 b, U32& hi, U32& lo) {
  const __m512i even = _mm512_maskz_mul_epu32(0xFF, a.v, b.v);
  const __m512i odd =
      _mm512_maskz_mul_epu32(0xFF, _mm512_maskz_srli_epi64(0xFF, a.v, 32), _mm512_maskz_srli_epi64(0xFF, b.v, 32));
  hi.v = _mm512_mask_blend_epi32(0xAAAA, _mm512_maskz_srli_epi64(0xFF, even, 32), odd);
  lo.v = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_maskz_slli_epi64(0xFF, odd, 32));
}

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m512 v;
  static NEURITE_INLINE Vec set(float x) { return {_mm512_set1_ps(x)}; }
  static NEURITE_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n, Vec fill) {
    return {_mm512_mask_loadu_ps(fill.v, first_lanes(n), p)};
  }
  NEURITE_INLINE float first() const { return _mm512_cvtss_f32(v); }
  NEURITE_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  NEURITE_INLINE void store_n(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
};
using F32 = Vec<float>;
NEURITE_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
NEURITE_INLINE F32 near_reciprocal(F32 a) { return {_mm512_maskz_rcp14_ps(0xFFFF, a.v)}; }
NEURITE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
NEURITE_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
NEURITE_INLINE F32 min(F32 a, F32 b) { return {_mm512_maskz_min_ps(0xFFFF, a.v, b.v)}; }
NEURITE_INLINE F32 max(F32 a, F32 b) { return {_mm512_maskz_max_ps(0xFFFF, a.v, b.v)}; }
NEURITE_INLINE F32 sqrt(F32 a) { return {_mm512_maskz_sqrt_ps(0xFFFF, a.v)}; }
NEURITE_INLINE F32 round(F32 a) { return {_mm512_maskz_roundscale_ps(0xFFFF, a.v, 8)}; }
NEURITE_INLINE F32 floor(F32 a) { return {_mm512_maskz_roundscale_ps(0xFFFF, a.v, 9)}; }
NEURITE_INLINE F32 ceil(F32 a) { return {_mm512_maskz_roundscale_ps(0xFFFF, a.v, 10)}; }
NEURITE_INLINE F32 trunc(F32 a) { return {_mm512_maskz_roundscale_ps(0xFFFF, a.v, 11)}; }
NEURITE_INLINE Mask eq(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
NEURITE_INLINE Mask lt(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
NEURITE_INLINE Mask le(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
NEURITE_INLINE Mask is_nan(F32 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
NEURITE_INLINE F32 select(Mask m, F32 a, F32 b) { return {_mm512_mask_blend_ps(m.m, b.v, a.v)}; }
NEURITE_INLINE U32 bits(F32 a) { return {_mm512_castps_si512(a.v)}; }
NEURITE_INLINE F32 from_bits(U32 a) { return {_mm512_castsi512_ps(a.v)}; }
NEURITE_INLINE F32 to_float(U32 a) { return {_mm512_maskz_cvtepi32_ps(0xFFFF, a.v)}; }
NEURITE_INLINE U32 to_int(F32 a) { return {_mm512_maskz_cvtps_epi32(0xFFFF, a.v)}; }
NEURITE_INLINE F32 scale2(F32 a, F32 n) { return {_mm512_maskz_scalef_ps(0xFFFF, a.v, n.v)}; }

template <int W>
NEURITE_INLINE F32 shift_down(F32 a) {
  if constexpr (W == 8) return {_mm512_maskz_shuffle_f32x4(0xFFFF, a.v, a.v, 0x4E)};
  if constexpr (W == 4) return {_mm512_maskz_shuffle_f32x4(0xFFFF, a.v, a.v, 0xB1)};
  if constexpr (W == 2) return {_mm512_maskz_permute_ps(0xFFFF, a.v, 0x4E)};
  return {_mm512_maskz_permute_ps(0xFFFF, a.v, 0xB1)};
}

// Lanes of out[t] are element t of each of `lanes` rows, t < 4.
NEURITE_INLINE void transpose4(const float* const* rows, int64_t at, F32* out) {
  __m512 s[4];
  NEURITE_UNROLL
  for (int i = 0; i < 4; ++i) {
    __m512 x = _mm512_maskz_broadcast_f32x4(0xFFFF, _mm_loadu_ps(rows[i] + at));
    x = _mm512_mask_broadcast_f32x4(x, 0x00F0, _mm_loadu_ps(rows[4 + i] + at));
    x = _mm512_mask_broadcast_f32x4(x, 0x0F00, _mm_loadu_ps(rows[8 + i] + at));
    s[i] = _mm512_mask_broadcast_f32x4(x, 0xF000, _mm_loadu_ps(rows[12 + i] + at));
  }
  const __m512d a = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xFFFF, s[0], s[1]));
  const __m512d b = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xFFFF, s[2], s[3]));
  const __m512d c = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xFFFF, s[0], s[1]));
  const __m512d d = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xFFFF, s[2], s[3]));
  out[0].v = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xFF, a, b));
  out[1].v = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xFF, a, b));
  out[2].v = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xFF, c, d));
  out[3].v = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xFF, c, d));
}

// p[4 i + t] = lane i of x[t].
NEURITE_INLINE void store_interleaved4(float* p, const F32* x) {
  const __m512d a = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xFFFF, x[0].v, x[1].v));
  const __m512d b = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xFFFF, x[2].v, x[3].v));
  const __m512d c = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xFFFF, x[0].v, x[1].v));
  const __m512d d = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xFFFF, x[2].v, x[3].v));
  const __m512 q[4] = {
      _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xFF, a, b)), _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xFF, a, b)),
      _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xFF, c, d)), _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xFF, c, d))};
  NEURITE_UNROLL
  for (int t = 0; t < 4; ++t) {
    _mm_storeu_ps(p + 4 * t, _mm512_maskz_extractf32x4_ps(0xF, q[t], 0));
    _mm_storeu_ps(p + 16 + 4 * t, _mm512_maskz_extractf32x4_ps(0xF, q[t], 1));
    _mm_storeu_ps(p + 32 + 4 * t, _mm512_maskz_extractf32x4_ps(0xF, q[t], 2));
    _mm_storeu_ps(p + 48 + 4 * t, _mm512_maskz_extractf32x4_ps(0xF, q[t], 3));
  }
}

}  // namespace neurite::avx512
