// GEMM: cuts C into tasks by shape and calls the kernel for each.
#include <algorithm>
#include <limits>

#include "../base/checked.h"
#include "reader.h"
#include "reduce_tree.h"

namespace neurite {
namespace {

constexpr int64_t kSerialWork = 400'000;  // multiply-adds below which waking a thread costs more than it gives
constexpr int64_t kTaskWork = 1'000'000;  // and what a task should have: about 10 microseconds
constexpr int64_t kTasksPerThread = 4;    // so that a thread that was interrupted does not hold up the rest
constexpr int64_t kMinTaskRows = 64;      // rows that pay for packing B again

// K is cut where C is too small to keep threads busy: into slices by the shape alone, summed in ascending order.
constexpr int64_t kSliceC = 128 * 128;  // elements of C up to which
constexpr int64_t kSliceK = 4096;       // products an element takes at least from a slice
constexpr int64_t kMaxSlices = kReduceRows;

int64_t slices_of_k(int64_t batch, int64_t m, int64_t n, int64_t k) {
  return batch != 1 || m * n > kSliceC || k < 2 * kSliceK ? 1 : std::min(k / kSliceK, kMaxSlices);
}

struct Grid {
  int64_t row_step, col_step, rows, cols;  // block size and number of blocks
};

struct GemmShape {
  bool trans_a, trans_b;
  Activation act, act_grad;
  int64_t batch, m, n, k, stride_a, stride_b;
  Operand a, b, out, bias, aux, colsum;

  /** Whether neighbouring tasks are neighbouring rows of C rather than columns. */
  bool by_rows() const noexcept { return trans_a && !trans_b && batch == 1; }
};

/**
 * For a team of so many threads: the bits of C do not depend on the grid. The rows of a weight's gradient are the rows
 * of the weight. Where there are enough of them each thread makes its share of them, the one that it steps (OptimStep)
 * and multiplies by: what a thread needs is then in its own caches, not in those of its neighbours.
 */
Grid choose_grid(int threads, int64_t work, const GemmShape& s, int64_t nr) noexcept {
  if (threads == 1 || work < kSerialWork) return {s.m, s.n, 1, 1};
  const int64_t tasks = std::clamp<int64_t>(work / kTaskWork, threads, kTasksPerThread * threads);
  const int64_t wanted = ceil_div(tasks, s.batch);
  const int64_t panels = ceil_div(s.n, nr);
  const int64_t most_rows = std::min(wanted, ceil_div(s.m, kMinTaskRows));
  const int64_t multiple = s.by_rows() && most_rows >= threads ? threads : 1;
  // Every row of blocks packs all of B again, for twice the price if it is transposed; every column of blocks reads (or
  // packs) all of A again, for half the price. Fewer tasks than wanted are as good if all threads have the same number.
  const double pack = s.trans_b ? 2 : 1;
  int64_t best_rows = 1, best_cols = 1;
  double best = std::numeric_limits<double>::infinity();
  for (int64_t rows = multiple; rows <= most_rows; rows += multiple) {
    const int64_t cols = std::min(ceil_div(wanted, rows), panels);
    const int64_t blocks = rows * cols;
    const double missing =
        s.batch * blocks % threads == 0 ? 1 : std::max(1.0, static_cast<double>(wanted) / static_cast<double>(blocks));
    const double cost = (pack * static_cast<double>(rows * s.n) + 0.5 * static_cast<double>(cols * s.m)) * missing;
    if (cost >= best) continue;
    best = cost;
    best_rows = rows;
    best_cols = cols;
  }
  const int64_t row_step = ceil_div(s.m, best_rows);  // the kernel makes tiles of even heights of it
  const int64_t col_step = ceil_div(panels, best_cols) * nr;
  return {row_step, col_step, ceil_div(s.m, row_step), ceil_div(s.n, col_step)};
}

template <class T>
class Gemm final : public Instruction {
 public:
  Gemm(const GemmShape& shape, InstructionReader& reader)
      : shape_(shape), out_(shape.batch * shape.m * shape.n), work_(out_ * std::max<int64_t>(shape.k, 1)) {
    for (int i = 0; const KernelTable* table = table_at(i); ++i) {
      if (out_ > 0) reader.need_worker(kernels_of<T>(*table).gemm_scratch(arguments(), shape.m, shape.n));
    }
    if (out_ == 0) return;
    slices_ = slices_of_k(shape.batch, shape.m, shape.n, shape.k);
    slice_k_ = round_up(ceil_div(shape.k, slices_), 64);
    slices_ = std::max<int64_t>(1, ceil_div(shape.k, std::max<int64_t>(slice_k_, 1)));
    if (slices_ > 1) reader.need_shared(slices_ * out_ * static_cast<int64_t>(sizeof(T)));
    if (shape.colsum.present()) reader.need_shared(reduce_tree_bytes<T>(1, shape.m, shape.n));
  }

  void run(RunContext& context) const noexcept override {
    const GemmShape& s = shape_;
    const bool fused = slices_ == 1 && out_ > 0 && s.n > 1 && s.colsum.present();
    if (slices_ > 1) {
      multiply_slices(context);
    } else if (out_ > 0) {
      multiply(context, fused);
    }
    if (s.colsum.present() && !fused) {
      reduce_tree(context, Reduction::SUM, 1, s.m, s.n, context.at<const T>(s.out), context.at<T>(s.colsum));
    }
  }

 private:
  GemmArgs<T> arguments() const noexcept {
    GemmArgs<T> args{};
    args.m = shape_.m;
    args.n = shape_.n;
    args.k = shape_.k;
    args.lda = shape_.trans_a ? shape_.m : shape_.k;
    args.trans_a = shape_.trans_a;
    args.ldb = shape_.trans_b ? shape_.k : shape_.n;
    args.trans_b = shape_.trans_b;
    args.ldc = shape_.n;
    args.act = shape_.act;
    args.ldaux = shape_.n;
    args.act_grad = shape_.act_grad;
    return args;
  }

  GemmArgs<T> arguments(const RunContext& context) const noexcept {
    GemmArgs<T> args = arguments();
    args.a = context.at<const T>(shape_.a);
    args.b = context.at<const T>(shape_.b);
    args.c = context.at<T>(shape_.out);
    args.bias = context.at<const T>(shape_.bias);
    args.aux = context.at<const T>(shape_.aux);
    return args;
  }

  /** With `sums`, the columns of each block of rows are summed by the task that made it, while it is in the cache. */
  void multiply(RunContext& context, bool sums) const noexcept {
    const Kernels<T>& kernels = context.table<T>();
    const KernelTable& unit = std::is_same_v<T, float> ? context.kernels : *scalar_table();
    Grid grid = choose_grid(context.team.size(), work_, shape_, unit.gemm_nr);
    if (sums) {
      grid.row_step = round_up(grid.row_step, kReduceRows);
      grid.rows = ceil_div(shape_.m, grid.row_step);
    }
    const GemmArgs<T> shared = arguments(context);
    T* const colsum = context.at<T>(shape_.colsum);
    const int64_t row_blocks = ceil_div(shape_.m, kReduceRows);
    T* const partial = row_blocks == 1 ? colsum : reinterpret_cast<T*>(context.shared);
    const int64_t blocks = grid.rows * grid.cols;
    const int64_t size = shape_.m * shape_.n;
    context.team.parallel_for(shape_.batch * blocks, [&](int64_t task, int worker) noexcept {
      const int64_t item = task / blocks;
      const int64_t block = task % blocks;
      const int64_t row = (shape_.by_rows() ? block / grid.cols : block % grid.rows) * grid.row_step;
      const int64_t col = (shape_.by_rows() ? block % grid.cols : block / grid.rows) * grid.col_step;
      const int64_t row_end = std::min(shape_.m, row + grid.row_step);
      const int64_t col_end = std::min(shape_.n, col + grid.col_step);
      GemmArgs<T> args = shared;
      args.a += item * shape_.stride_a;
      args.b += item * shape_.stride_b;
      args.c += item * size;
      if (args.aux != nullptr) args.aux += item * size;
      kernels.gemm(args, {row, row_end}, {col, col_end}, context.scratch(worker));
      for (int64_t i = row; sums && i < row_end; i += kReduceRows) {
        kernels.reduce_rows(static_cast<int>(Reduction::SUM), args.c + i * shape_.n + col,
                            std::min(kReduceRows, row_end - i), shape_.n, col_end - col,
                            partial + i / kReduceRows * shape_.n + col);
      }
    });
    if (!sums || row_blocks == 1) return;
    const int add = static_cast<int>(Micro::ADD);  // and the tree of REDUCE
    for (int64_t width = 1; width < row_blocks; width *= 2) {
      for (int64_t left = 0; left + width < row_blocks; left += 2 * width) {
        T* const to = partial + left * shape_.n;
        kernels.micro(add, to, to, partial + (left + width) * shape_.n, to, shape_.n);
      }
    }
    std::copy_n(partial, shape_.n, colsum);
  }

  /** C as a sum over slices of k, each into its own part of the shared scratch. */
  void multiply_slices(RunContext& context) const noexcept {
    const Kernels<T>& kernels = context.table<T>();
    const GemmArgs<T> whole = arguments(context);
    T* const partial = reinterpret_cast<T*>(context.shared);
    context.team.parallel_for(slices_, [&](int64_t slice, int worker) noexcept {
      const int64_t k = slice * slice_k_;
      GemmArgs<T> args = whole;
      args.k = std::min(slice_k_, shape_.k - k);
      args.a += shape_.trans_a ? k * args.lda : k;
      args.b += shape_.trans_b ? k : k * args.ldb;
      args.c = partial + slice * out_;
      args.bias = args.aux = nullptr;
      args.act = args.act_grad = Activation::IDENTITY;
      kernels.gemm(args, {0, shape_.m}, {0, shape_.n}, context.scratch(worker));
    });
    kernels.reduce_rows(static_cast<int>(Reduction::SUM), partial, slices_, out_, out_, whole.c);
    GemmArgs<T> rest = whole;  // no products, but the epilogue
    rest.k = 0;
    rest.accumulate = true;
    kernels.gemm(rest, {0, shape_.m}, {0, shape_.n}, context.scratch(0));
  }

  GemmShape shape_;
  int64_t out_, work_;                // elements of C, multiply-adds
  int64_t slices_ = 1, slice_k_ = 0;  // of k
};

}  // namespace

std::unique_ptr<Instruction> parse_GEMM(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const DType dtype = reader.dtype();
  const auto last_activation = static_cast<int32_t>(Activation::SIGMOID);
  GemmShape s;
  s.trans_a = reader.flag("transA");
  s.trans_b = reader.flag("transB");
  s.act = static_cast<Activation>(reader.choice("activation", 0, last_activation));
  s.act_grad = static_cast<Activation>(reader.choice("activationGrad", 0, last_activation));
  s.batch = reader.size("batch");
  s.m = reader.size("m");
  s.n = reader.size("n");
  s.k = reader.size("k");
  s.stride_a = reader.size("strideA");
  s.stride_b = reader.size("strideB");
  const int64_t out = reader.product({s.batch, s.m, s.n});
  reader.product({out, std::max<int64_t>(s.k, 1), 2});  // the work, so that no count of it overflows
  const auto extent = [&](int64_t stride, int64_t matrix) {
    if (out == 0 || matrix == 0) return int64_t{0};
    return reader.product({s.batch - 1, stride}) + matrix;
  };
  s.a = reader.input("a", dtype, extent(s.stride_a, reader.product({s.m, s.k})));
  s.b = reader.input("b", dtype, extent(s.stride_b, reader.product({s.k, s.n})));
  s.out = reader.output("out", dtype, out);
  s.bias = reader.optional("bias", dtype, s.n, Access::READ);
  s.aux = reader.optional("aux", dtype, out, Access::READ);
  s.colsum = reader.optional("colsum", dtype, s.n, Access::WRITE);
  if (s.act_grad != Activation::IDENTITY && !s.aux.present()) reader.fail("activationGrad needs aux");
  if (s.act_grad == Activation::IDENTITY && s.aux.present()) reader.fail("aux without activationGrad");
  if (s.colsum.present() && s.batch != 1) reader.fail("colsum needs batch = 1, got " + std::to_string(s.batch));
  if (dtype == DType::FLOAT64) return std::make_unique<Gemm<double>>(s, reader);
  return std::make_unique<Gemm<float>>(s, reader);
}

}  // namespace neurite
