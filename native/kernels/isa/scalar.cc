// The baseline of every CPU, and the only unit with float64 and int32: one lane, vectorised by the compiler where it
// can.
#include "../../simd/common.h"
#include "../table.h"

#define NEURITE_ISA scalar
#include "../../simd/scalar.h"

#include "../../simd/math.inl.h"

namespace neurite::scalar {

template <class T>
struct Tile {
  static constexpr int rows = 4, vectors = 4, skinny_rows = 4, skinny_vectors = 4, panels = 16;
};

}  // namespace neurite::scalar

#include "../kernels.inl.h"

namespace neurite::scalar {

template <>
struct Stream<double> {
  static constexpr int per_counter = 2, size = 4;
  static void uniform(const RandomArgs& args, uint64_t counter, double* out) {
    U32 w[4];
    philox(args, counter, w);
    for (int j = 0; j < 2; ++j) {
      const uint64_t word = static_cast<uint64_t>(w[2 * j].v) << 32 | w[2 * j + 1].v;
      out[j] = static_cast<double>(word >> 11) * 0x1p-53;
    }
  }
  // The same 24-bit draws as float, so that both types see the same sample up to rounding.
  static void normal(const RandomArgs& args, uint64_t counter, double* out) {
    U32 w[4];
    philox(args, counter, w);
    for (int j = 0; j < 4; j += 2) {
      F64 s, c;
      sincos_turns(F64{(w[j + 1].v >> 8) * 0x1p-24}, s, c);
      const double radius = ::sqrt(-2 * ::log(((w[j].v >> 8) + 1) * 0x1p-24));
      out[j] = radius * c.v;
      out[j + 1] = radius * s.v;
    }
  }
};

static constexpr KernelTable kTable = {Isa::SCALAR, "scalar", Tile<float>::rows, Tile<float>::vectors,
                                       all_kernels<float>()};
static constexpr Kernels<double> kFloat64 = all_kernels<double>();

static constexpr Kernels<int32_t> int32_table() {
  Kernels<int32_t> k{};
  k.micro = &micro<int32_t>;
  k.chain = &chain<int32_t>;
  k.load = &load<int32_t>;
  k.store = &store<int32_t>;
  k.reduce_block = &reduce_block<int32_t>;
  k.reduce_rows = &reduce_rows<int32_t>;
  k.reduce_short = &reduce_short<int32_t>;
  k.arg_short = &arg_short<int32_t>;
  k.arg_reduce = &arg_reduce<int32_t>;
  return k;
}
static constexpr Kernels<int32_t> kInt32 = int32_table();

}  // namespace neurite::scalar

const neurite::KernelTable* neurite::scalar_table() noexcept { return &scalar::kTable; }
const neurite::Kernels<double>& neurite::float64_kernels() noexcept { return scalar::kFloat64; }
const neurite::Kernels<int32_t>& neurite::int32_kernels() noexcept { return scalar::kInt32; }
