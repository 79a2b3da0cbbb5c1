// AVX-512 (F, BW, VL, DQ). Nothing but this namespace may be compiled below the target pragma: an inline function that
// the linker could merge with another unit's copy would put AVX-512 code into the baseline.
#include "../../simd/common.h"
#include "../table.h"

#if (defined(__x86_64__) || defined(_M_X64)) && !defined(NEURITE_SCALAR_ONLY)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"))), \
                             apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#endif

#define NEURITE_ISA avx512
#include "../../simd/avx512.h"

#include "../../simd/math.inl.h"

namespace neurite::avx512 {
template <class T>
struct Tile;
template <>
struct Tile<float> {
  static constexpr int rows = 14, vectors = 2, skinny_rows = 6, skinny_vectors = 4, panels = 16;
};
}  // namespace neurite::avx512

#include "../kernels.inl.h"

namespace neurite::avx512 {
static constexpr int64_t kColumns = Tile<float>::vectors * F32::lanes;
static constexpr KernelTable kTable = {Isa::AVX512, "avx512", Tile<float>::rows, kColumns, all_kernels<float>()};
}  // namespace neurite::avx512

#if defined(__clang__)
#pragma clang attribute pop
#endif

const neurite::KernelTable* neurite::avx512_table() noexcept { return &avx512::kTable; }
#else
const neurite::KernelTable* neurite::avx512_table() noexcept { return nullptr; }
#endif
