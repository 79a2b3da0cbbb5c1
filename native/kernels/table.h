// Kernel contracts and the per-instruction-set tables.
// Kernels know pointers, sizes and strides: no tensors, no threads, no allocation. Pointers are aligned to the element
// only.
#pragma once
#include <cstddef>
#include <cstdint>

#include "conv.h"

namespace neurite {

enum class DType : int32_t {
#define NEURITE_DTYPE(name, code, bytes) name = code,
#include "../program/opcodes.inc"
};
enum class Micro : int32_t {
#define NEURITE_MICRO(name, code, arity, integer) name = code,
#include "../program/opcodes.inc"
};
enum class Reduction : int32_t {
#define NEURITE_REDUCTION(name, code) name = code,
#include "../program/opcodes.inc"
};
enum class Activation : int32_t {
#define NEURITE_ACTIVATION(name, code) name = code,
#include "../program/opcodes.inc"
};

struct Range {
  int64_t begin, end;
};

// C[m,n] = act(op(A) op(B) + bias) * act_grad'(aux). op(A)[i,p] = trans_a ? a[p*lda+i] : a[i*lda+p]; likewise B.
// Each element of C sums its k products in one fixed order (ascending k inside fixed k-blocks, one fused multiply-add
// chain a block (the scalar unit rounds product and sum), blocks added in order), whatever rows x cols block is asked
// for: bits do not depend on the split. k == 0 gives act(bias). gemm computes only the rows x cols block; scratch holds
// gemm_scratch() bytes, 64-byte aligned, which is enough for any smaller block and any smaller k as well. The handler
// cuts a very long k into slices by the shape alone and adds their sums in ascending order (program/handlers_gemm).
template <class T>
struct GemmArgs {
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  bool trans_a;
  const T* b;
  int64_t ldb;
  bool trans_b;
  T* c;
  int64_t ldc;
  const T* bias;  // [n] or null
  Activation act;
  const T* aux;  // [m,n] with row stride ldaux, or null when act_grad is IDENTITY
  int64_t ldaux;
  Activation act_grad;
  bool accumulate = false;  // C holds a sum that the products are added to
};

// Sums are exact to the same bits for any number of threads: a handler cuts x into blocks of kReduceBlock elements
// (reduce_block: 64 lanes, then a fixed tree) or kReduceRows rows (reduce_rows: out[j] = reduce of x[i*stride+j], rows
// in ascending order) and combines block results in ascending order by the tree of reduce_tree
// (program/handlers_reduce). Up to kReduceShort neighbours are added in ascending order (reduce_short: out[i] = reduce
// of x[i*r ... i*r + r - 1]).
inline constexpr int64_t kReduceBlock = 4096;
inline constexpr int64_t kReduceRows = 128;
inline constexpr int64_t kReduceShort = 32;

inline constexpr int64_t kSolveBlock = 8;  // columns that solve_dense works on together

enum class Distribution : int32_t { UNIFORM = 0, NORMAL = 1, BERNOULLI = 2 };

// Philox4x32-10 (Salmon et al. 2011). Element i is word i % 4 of counter {i/4 low, i/4 high, index low, index high}
// under key {seed low, seed high}. UNIFORM: a + (b - a) * (word >> 8) * 2^-24 (double: two words of counter i/2, 53
// bits), kept below b. NORMAL: Box-Muller on the pair of words (2j, 2j+1) of the same counter: a + b sqrt(-2 ln u)
// {cos, sin}(2 pi u') with u = ((word >> 8) + 1) * 2^-24, u' = (word' >> 8) * 2^-24 (the same draws for float and
// double). BERNOULLI: uniform < a. DROPOUT gives in * T(1 / (1 - a)) or 0: double where uniform < a; float where 16
// bits are below a 2^16, rounded: element i has the low half of word 64 (i / 128) + i % 128 when i % 128 < 64, and
// otherwise the high half of the word 64 before that. `first` is the index of the first element of this call: a
// multiple of 4, for dropout of kDropoutGroup.
inline constexpr int64_t kDropoutGroup = 128;
struct RandomArgs {
  Distribution distribution;
  double a, b;
  uint32_t key[2];
  uint64_t index;
};

// One step of an optimizer's rule on part of a parameter; see optim.inl.h. optim_norms is the first pass of a rule that
// looks at whole parameters, before optim: sums[0] += w^2, sums[1] += x^2, where LARS has x = g, LAMB steps m and v and
// has x = r, ADAFACTOR has x = u and MUON steps v, decays w and has x = u, which it leaves in slots[1]. optim_squares
// adds g^2 to `squares` and w^2 to *of_w, and gives the sum of g^2. `s` are the scalars of this step that the
// handler works out in double from the options, the learning rate and the step count.
enum class Rule : int32_t {
#define NEURITE_RULE(name, code, required, optional, options) name = code,
#include "../program/opcodes.inc"
};
inline constexpr int kRuleSlots = 3;
inline constexpr int kRuleScalars = 8;
struct OptimArgs {
  Rule rule;
  int32_t present;  // bit i: slots[i] is not null
  bool maximize, decoupled;
  bool variant;  // SGD: nesterov; ADAM, RMSPROP, ADAGRAD: eps inside the root
  double s[kRuleScalars];
  double lr, weight_decay = 0, scale = 1, clip_value = __builtin_inf(), l1 = 0;
};

// Normalisation of dense rows of `cols` elements; weight, bias, mean, rstd and the d* outputs may be null where the
// instruction allows it. Of a gradient, dweight and dbias receive the sums over the rows of this call: a handler asks
// for kNormRows rows at a time and adds the slices by a fixed tree.
inline constexpr int64_t kNormRows = 64;
template <class T>
struct LayerNormArgs {
  int64_t cols;
  double eps;
  const T *x, *weight, *bias;
  T *y, *mean, *rstd;
  bool rms;  // by the root of the mean square: no mean is subtracted
};
// Without a mean the gradient is that of the root of the mean square.
template <class T>
struct LayerNormGradArgs {
  int64_t cols;
  const T *g, *x, *mean, *rstd, *weight;
  T *dx, *dweight, *dbias;
};
// By columns: column_moments gives mean and sum of (x - mean)^2 of a block of rows; batch_norm y = (x - mean) * scale +
// bias; batch_norm_sums the sums over rows of g (x - mean) and of g; batch_norm_grad y = scale * g - c2 (x - mean) -
// c1. The gradients look at scale and bias for relu only.
template <class T>
struct BatchNormArgs {
  int64_t cols;  // row stride, and columns of batch_norm and batch_norm_grad
  const T *x, *mean, *scale, *bias;
  T* y;
  bool relu;  // y = relu(...), and of g counts what lies where that is above 0
};

// An elementwise expression as steps, each a micro-operation on the result of the step before or on memory. For a block
// of at most kChainBlock elements at a time all steps run in order, so an output may lie on a dense input that no later
// step reads.
inline constexpr int64_t kChainBlock = 512;
template <class P>
struct ChainOperand {
  P* data;        // null: of a, the result of the step before; of out, it is not stored
  int64_t moves;  // -1: as far as the elements; 0: memory of one block, used again for the next
  bool scalar;    // *data for all elements
};
template <class T>
struct ChainStep {
  int32_t code;
  ChainOperand<const T> a, b, c;
  ChainOperand<T> out;
};

// Windows of [n, in..., c] that give [n, out..., c]; axes are depth, height and width (see pool.inl.h). Average pooling
// has dilation 1. Its divisor is `divisor`, or when that is 0 the positions of the window that lie in the image and,
// with count_pad, in its padding.
struct PoolArgs {
  int64_t n, c, in[3], kernel[3], out[3], stride[3], pad[3], dilation[3], pad_high[3], divisor;
  bool count_pad;
};

// Weight gradient of a convolution: sizes as ConvGeometry (program/conv.h), axes depth, height, width. The output
// pixels are cut into blocks, the output channels into panels. conv_weight adds the blocks of a range into sums (which
// it overwrites), of the panels of a range, each in its own part; conv_weight_write puts sums into the order of dw,
// elements [range) of each output channel. Sizes in elements, scratch in bytes.
template <class T>
struct ConvWeightArgs {
  int64_t n, c, o, groups;
  int64_t in[3], kernel[3], out[3], stride[3], pad[3], dilation[3];
  const T *x, *g;
};
struct ConvWeightSizes {
  int64_t blocks, panels, sums, scratch;
};

// Convolution with one filter for each of c channels, forward or (backward) the gradient of its input: source [n,
// from_size..., c], weights [taps, c], epilogue as GEMM's. A row is the destination's last axis, rows are numbered
// through n, depth and height. depthwise_weight, of forward args, overwrites sums [taps, c] with the gradient that rows
// of g give.
inline constexpr int64_t kMaxDepthwiseTaps = 128;
template <class T>
struct DepthwiseArgs {
  bool backward;
  int64_t c, from_size[3], to_size[3], kernel[3], stride[3], pad[3], dilation[3];
  const T *from, *weights;
  T* to;
  const T *bias, *aux;  // or null
  Activation act, act_grad;
};

template <class T>
struct Kernels {
#define NEURITE_KERNEL(result, name, arguments) result(*name) arguments noexcept;
#include "kernels.inc"
#undef NEURITE_KERNEL
};

enum class Isa : int32_t { SCALAR = 0, AVX2 = 1, AVX512 = 2, NEON = 3 };

struct KernelTable {
  Isa isa;
  const char* name;          // "scalar", "avx2", "avx512", "neon"
  int64_t gemm_mr, gemm_nr;  // register tile: handlers cut GEMM tasks at multiples of it
  Kernels<float> f32;
};

// Tables of this build, null when the unit is not compiled for this architecture.
const KernelTable* scalar_table() noexcept;
const KernelTable* avx2_table() noexcept;
const KernelTable* avx512_table() noexcept;
const KernelTable* neon_table() noexcept;
// float64 and int32 live in the scalar unit. Of int32 only micro (integer ones), load, store, reduce_* and arg_reduce
// are set.
const Kernels<double>& float64_kernels() noexcept;
const Kernels<int32_t>& int32_kernels() noexcept;

// Best table this CPU and OS can run, or null with a reason when `name` is given and cannot be honoured.
const KernelTable* select_table(const char* name, const char** why) noexcept;
const KernelTable* table_at(int index) noexcept;  // the usable tables, best first; null past the end

}  // namespace neurite
