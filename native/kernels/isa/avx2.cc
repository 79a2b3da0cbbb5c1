// AVX2 with FMA. See avx512.cc for what may follow the target pragma.
#include "../../simd/common.h"
#include "../table.h"

#if (defined(__x86_64__) || defined(_M_X64)) && !defined(NEURITE_SCALAR_ONLY)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx2,fma")
#endif

#define NEURITE_ISA avx2
#include "../../simd/avx2.h"

#include "../../simd/math.inl.h"

namespace neurite::avx2 {
template <class T>
struct Tile;
template <>
struct Tile<float> {
  static constexpr int rows = 6, vectors = 2, skinny_rows = 2, skinny_vectors = 4, panels = 16;
};
}  // namespace neurite::avx2

#include "../kernels.inl.h"

namespace neurite::avx2 {
static constexpr int64_t kColumns = Tile<float>::vectors * F32::lanes;
static constexpr KernelTable kTable = {Isa::AVX2, "avx2", Tile<float>::rows, kColumns, all_kernels<float>()};
}  // namespace neurite::avx2

#if defined(__clang__)
#pragma clang attribute pop
#endif

const neurite::KernelTable* neurite::avx2_table() noexcept { return &avx2::kTable; }
#else
const neurite::KernelTable* neurite::avx2_table() noexcept { return nullptr; }
#endif
