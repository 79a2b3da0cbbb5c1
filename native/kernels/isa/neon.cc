// NEON, part of every AArch64 CPU: no target pragma.
#include "../../simd/common.h"
#include "../table.h"

#if (defined(__aarch64__) || defined(_M_ARM64)) && !defined(NEURITE_SCALAR_ONLY)
#include <arm_neon.h>

#define NEURITE_ISA neon
#include "../../simd/neon.h"

#include "../../simd/math.inl.h"

namespace neurite::neon {
template <class T>
struct Tile;
template <>
struct Tile<float> {
  static constexpr int rows = 8, vectors = 3, skinny_rows = 5, skinny_vectors = 4, panels = 16;
};
}  // namespace neurite::neon

#include "../kernels.inl.h"

namespace neurite::neon {
static constexpr int64_t kColumns = Tile<float>::vectors * F32::lanes;
static constexpr KernelTable kTable = {Isa::NEON, "neon", Tile<float>::rows, kColumns, all_kernels<float>()};
}  // namespace neurite::neon

const neurite::KernelTable* neurite::neon_table() noexcept { return &neon::kTable; }
#else
const neurite::KernelTable* neurite::neon_table() noexcept { return nullptr; }
#endif
