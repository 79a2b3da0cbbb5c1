// The vocabulary on AVX2 with FMA. See scalar.h for the meaning of each word.
#pragma once

namespace neurite::avx2 {

template <class T>
struct Vec;

struct Mask {
  __m256 m;
};
NEURITE_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.m, b.m)}; }
NEURITE_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.m, b.m)}; }
NEURITE_INLINE Mask invert(Mask a) { return {_mm256_xor_ps(a.m, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
NEURITE_INLINE bool any(Mask a) { return _mm256_movemask_ps(a.m) != 0; }

NEURITE_INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

struct U32 {
  __m256i v;
  static NEURITE_INLINE U32 set(uint32_t x) { return {_mm256_set1_epi32(static_cast<int>(x))}; }
  static NEURITE_INLINE U32 iota() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }
  static NEURITE_INLINE U32 load(const uint32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
};
NEURITE_INLINE U32 operator+(U32 a, U32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
NEURITE_INLINE U32 operator-(U32 a, U32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
NEURITE_INLINE U32 operator&(U32 a, U32 b) { return {_mm256_and_si256(a.v, b.v)}; }
NEURITE_INLINE U32 operator|(U32 a, U32 b) { return {_mm256_or_si256(a.v, b.v)}; }
NEURITE_INLINE U32 operator^(U32 a, U32 b) { return {_mm256_xor_si256(a.v, b.v)}; }
template <int K>
NEURITE_INLINE U32 shl(U32 a) {
  return {_mm256_slli_epi32(a.v, K)};
}
template <int K>
NEURITE_INLINE U32 shr(U32 a) {
  return {_mm256_srli_epi32(a.v, K)};
}
template <int K>
NEURITE_INLINE U32 sar(U32 a) {
  return {_mm256_srai_epi32(a.v, K)};
}
NEURITE_INLINE Mask test(U32 a, U32 b) {
  return invert(Mask{_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(a.v, b.v), _mm256_setzero_si256()))});
}
NEURITE_INLINE Mask lt(U32 a, U32 b) {
  const __m256i sign = _mm256_set1_epi32(INT32_MIN);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_xor_si256(b.v, sign), _mm256_xor_si256(a.v, sign)))};
}
NEURITE_INLINE U32 select(Mask m, U32 a, U32 b) {
  return {_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b.v), _mm256_castsi256_ps(a.v), m.m))};
}
NEURITE_INLINE Mask equal_bytes(const uint8_t* p, int64_t n, uint8_t b) {
  int64_t bytes = 0;
  __builtin_memcpy(&bytes, p, n < 8 ? static_cast<size_t>(n) : 8);
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_set_epi64x(0, bytes));
  return Mask{_mm256_castsi256_ps(_mm256_cmpeq_epi32(wide, _mm256_set1_epi32(b)))} &
         Mask{_mm256_castsi256_ps(first_lanes(n))};
}
NEURITE_INLINE void store_bytes(uint8_t* p, int64_t n, U32 u) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(u.v), _mm256_extracti128_si256(u.v, 1));
  const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
  __builtin_memcpy(p, &bytes, n < 8 ? static_cast<size_t>(n) : 8);
}
// Four 64-bit lanes. `first` numbers them so that `join` gives the words of consecutive counters in memory order.
struct Pairs {
  static constexpr bool usable = true;
  static constexpr int lanes = 4;
  using V = __m256i;
  static NEURITE_INLINE V set(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static NEURITE_INLINE V first(uint64_t block) {
    return _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(block)), _mm256_setr_epi64x(0, 2, 1, 3));
  }
  static NEURITE_INLINE V product(V a, V b) { return _mm256_mul_epu32(a, b); }
  static NEURITE_INLINE V high(V a) { return _mm256_srli_epi64(a, 32); }
  static NEURITE_INLINE V exclusive_or(V a, V b, V c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
  static NEURITE_INLINE void join(const V* w, U32* out) {
    const V a = _mm256_blend_epi32(w[0], _mm256_slli_epi64(w[1], 32), 0xAA);
    const V b = _mm256_blend_epi32(w[2], _mm256_slli_epi64(w[3], 32), 0xAA);
    out[0].v = _mm256_unpacklo_epi64(a, b);
    out[1].v = _mm256_unpackhi_epi64(a, b);
  }
};
NEURITE_INLINE void mul_wide(U32 a, U32 b, U32& hi, U32& lo) {
  const __m256i even = _mm256_mul_epu32(a.v, b.v);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), _mm256_srli_epi64(b.v, 32));
  hi.v = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  lo.v = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

template <>
struct Vec<float> {
  static constexpr int lanes = 8;
  __m256 v;
  static NEURITE_INLINE Vec set(float x) { return {_mm256_set1_ps(x)}; }
  static NEURITE_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
  static NEURITE_INLINE Vec load_n(const float* p, int64_t n, Vec fill) {
    return {_mm256_blendv_ps(fill.v, _mm256_maskload_ps(p, first_lanes(n)), _mm256_castsi256_ps(first_lanes(n)))};
  }
  NEURITE_INLINE float first() const { return _mm256_cvtss_f32(v); }
  NEURITE_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  NEURITE_INLINE void store_n(float* p, int64_t n) const { _mm256_maskstore_ps(p, first_lanes(n), v); }
};
using F32 = Vec<float>;
NEURITE_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
NEURITE_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
NEURITE_INLINE F32 near_reciprocal(F32 a) { return {_mm256_rcp_ps(a.v)}; }
NEURITE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
NEURITE_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
NEURITE_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
NEURITE_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
NEURITE_INLINE F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
NEURITE_INLINE F32 round(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
NEURITE_INLINE F32 floor(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
NEURITE_INLINE F32 ceil(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
NEURITE_INLINE F32 trunc(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
NEURITE_INLINE Mask eq(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
NEURITE_INLINE Mask lt(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
NEURITE_INLINE Mask le(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
NEURITE_INLINE Mask is_nan(F32 a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
NEURITE_INLINE F32 select(Mask m, F32 a, F32 b) { return {_mm256_blendv_ps(b.v, a.v, m.m)}; }
NEURITE_INLINE U32 bits(F32 a) { return {_mm256_castps_si256(a.v)}; }
NEURITE_INLINE F32 from_bits(U32 a) { return {_mm256_castsi256_ps(a.v)}; }
NEURITE_INLINE F32 to_float(U32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
NEURITE_INLINE U32 to_int(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
NEURITE_INLINE F32 scale2(F32 a, F32 n) {
  const U32 whole = to_int(n), half = sar<1>(whole), bias = U32::set(127);
  return a * from_bits(shl<23>(half + bias)) * from_bits(shl<23>(whole - half + bias));
}

template <int W>
NEURITE_INLINE F32 shift_down(F32 a) {
  if constexpr (W == 4) return {_mm256_permute2f128_ps(a.v, a.v, 1)};
  if constexpr (W == 2) return {_mm256_permute_ps(a.v, 0x4E)};
  return {_mm256_permute_ps(a.v, 0xB1)};
}

NEURITE_INLINE void transpose_quads(const __m256* s, __m256* out) {
  const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(s[0], s[1])),
                b = _mm256_castps_pd(_mm256_unpacklo_ps(s[2], s[3]));
  const __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(s[0], s[1])),
                d = _mm256_castps_pd(_mm256_unpackhi_ps(s[2], s[3]));
  out[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
  out[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
  out[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
  out[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
}

// Lanes of out[t] are element t of each of `lanes` rows, t < 4.
NEURITE_INLINE void transpose4(const float* const* rows, int64_t at, F32* out) {
  __m256 s[4], t[4];
  NEURITE_UNROLL
  for (int i = 0; i < 4; ++i) {
    s[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[i] + at)), _mm_loadu_ps(rows[4 + i] + at), 1);
  }
  transpose_quads(s, t);
  NEURITE_UNROLL
  for (int i = 0; i < 4; ++i) out[i].v = t[i];
}

// p[4 i + t] = lane i of x[t].
NEURITE_INLINE void store_interleaved4(float* p, const F32* x) {
  const __m256 s[4] = {x[0].v, x[1].v, x[2].v, x[3].v};
  __m256 q[4];
  transpose_quads(s, q);
  NEURITE_UNROLL
  for (int t = 0; t < 4; ++t) {
    _mm_storeu_ps(p + 4 * t, _mm256_castps256_ps128(q[t]));
    _mm_storeu_ps(p + 16 + 4 * t, _mm256_extractf128_ps(q[t], 1));
  }
}

}  // namespace neurite::avx2
