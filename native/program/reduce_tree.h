// Reductions whose bits depend on the shape alone: fixed blocks, then a fixed pairwise tree. Shared by REDUCE and GEMM
// colsum.
#pragma once
#include "instruction.h"

namespace neurite {

/** Bytes of shared scratch that reduce_tree needs. */
template <class T>
int64_t reduce_tree_bytes(int64_t outer, int64_t r, int64_t inner) noexcept;

/** out[outer, inner] = reduce over r of in[outer, r, inner]; SUM, PROD, MAX or MIN; r > 0 unless SUM or PROD. */
template <class T>
void reduce_tree(RunContext& context, Reduction reduction, int64_t outer, int64_t r, int64_t inner, const T* in,
                 T* out) noexcept;

}  // namespace neurite
