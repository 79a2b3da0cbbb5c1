// All kernel bodies for the instruction set of the including unit, and its table entries. The order of includes
// matters.
#pragma once
// clang-format off
#include "elementwise.inl.h"
#include "chain.inl.h"
#include "reduce.inl.h"
#include "linalg.inl.h"
#include "softmax.inl.h"
#include "layer_norm.inl.h"
#include "batch_norm.inl.h"
#include "pool.inl.h"
#include "random.inl.h"
#include "optim.inl.h"
#include "gemm_tile.inl.h"
#include "gemm_pack.inl.h"
#include "gemm.inl.h"
#include "conv_weight.inl.h"
#include "conv_source.inl.h"
#include "conv.inl.h"
#include "depthwise.inl.h"
// clang-format on

namespace neurite::NEURITE_ISA {

template <class T>
constexpr Kernels<T> all_kernels() {
  return {
#define NEURITE_KERNEL(result, name, arguments) &name<T>,
#include "kernels.inc"
#undef NEURITE_KERNEL
  };
}

}  // namespace neurite::NEURITE_ISA
