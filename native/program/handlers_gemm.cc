// GEMM: cuts C into tasks by shape and calls the kernel for each.
#include <algorithm>
#include <limits>

#include "../base/checked.h"
#include "reader.h"
#include "reduce_tree.h"

namespace neurite {
namespace {

constexpr int64_t kSerialWork = 200'000;  // multiply-adds below which waking a thread costs more than it gives
constexpr int64_t kTaskWork = 1'000'000;  // and what a task should have: about 10 microseconds
constexpr int64_t kMaxTasks = 256;        // a few each for the largest team we expect
constexpr int64_t kMinTaskRows = 64;      // rows that pay for packing B again

struct Grid {
  int64_t row_step, col_step, rows, cols;  // block size and number of blocks
};

/** Depends on the shape and the instruction set's register tile alone; the bits of C do not even depend on the grid. */
Grid choose_grid(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t mr, int64_t nr) {
  const int64_t work = checked_product({batch, m, n, std::max<int64_t>(k, 1)}).value_or(int64_t{1} << 60);
  if (work < kSerialWork || m == 0 || n == 0) return {std::max<int64_t>(m, 1), std::max<int64_t>(n, 1), 1, 1};
  const int64_t tasks = std::clamp<int64_t>(std::min(work / kTaskWork, 64 + work / (16 * kTaskWork)), 2, kMaxTasks);
  const int64_t wanted = ceil_div(tasks, batch);
  const int64_t panels = ceil_div(n, nr);
  // Every row of blocks packs all of B again, every column of blocks reads (or packs) all of A again, for half the
  // price.
  int64_t best_rows = 1, best_cols = 1;
  double best = std::numeric_limits<double>::infinity();
  for (int64_t rows = 1; rows <= std::min(wanted, ceil_div(m, kMinTaskRows)); ++rows) {
    const int64_t cols = std::min(ceil_div(wanted, rows), panels);
    const double missing = std::max(1.0, static_cast<double>(wanted) / static_cast<double>(rows * cols));
    const double cost = (static_cast<double>(rows * n) + 0.5 * static_cast<double>(cols * m)) * missing;
    if (cost >= best) continue;
    best = cost;
    best_rows = rows;
    best_cols = cols;
  }
  const int64_t row_step = round_up(ceil_div(m, best_rows), mr);
  const int64_t col_step = ceil_div(panels, best_cols) * nr;
  return {row_step, col_step, ceil_div(m, row_step), ceil_div(n, col_step)};
}

struct GemmShape {
  bool trans_a, trans_b;
  Activation act, act_grad;
  int64_t batch, m, n, k, stride_a, stride_b;
  Operand a, b, out, bias, aux, colsum;
};

template <class T>
class Gemm final : public Instruction {
 public:
  Gemm(const GemmShape& shape, InstructionReader& reader) : shape_(shape) {
    for (int i = 0; const KernelTable* table = table_at(i); ++i) {
      const GemmArgs<T> args = arguments();
      const KernelTable& unit = std::is_same_v<T, float> ? *table : *scalar_table();
      const Grid grid = choose_grid(shape.batch, shape.m, shape.n, shape.k, unit.gemm_mr, unit.gemm_nr);
      grids_[static_cast<size_t>(table->isa)] = grid;
      const Kernels<T>& kernels = kernels_of(*table);
      const int64_t rows = std::min(grid.row_step, shape.m);
      const int64_t cols = std::min(grid.col_step, shape.n);
      if (rows > 0 && cols > 0) reader.need_worker(kernels.gemm_scratch(args, rows, cols));
    }
    if (shape.colsum.present()) reader.need_shared(reduce_tree_bytes<T>(1, shape.m, shape.n));
  }

  void run(RunContext& context) const noexcept override {
    const GemmShape& s = shape_;
    if (s.batch > 0 && s.m > 0 && s.n > 0) multiply(context);
    if (s.colsum.present()) {
      reduce_tree(context, Reduction::SUM, 1, s.m, s.n, context.at<const T>(s.out), context.at<T>(s.colsum));
    }
  }

 private:
  static const Kernels<T>& kernels_of(const KernelTable& table) noexcept {
    if constexpr (std::is_same_v<T, float>) {
      return table.f32;
    } else {
      return float64_kernels();
    }
  }

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

  void multiply(RunContext& context) const noexcept {
    const Kernels<T>& kernels = context.table<T>();
    const Grid& grid = grids_[static_cast<size_t>(context.kernels.isa)];
    GemmArgs<T> shared = arguments();
    shared.a = context.at<const T>(shape_.a);
    shared.b = context.at<const T>(shape_.b);
    shared.c = context.at<T>(shape_.out);
    shared.bias = context.at<const T>(shape_.bias);
    shared.aux = context.at<const T>(shape_.aux);
    const int64_t blocks = grid.rows * grid.cols;
    const int64_t size = shape_.m * shape_.n;
    context.team.parallel_for(shape_.batch * blocks, [&](int64_t task, int worker) noexcept {
      const int64_t item = task / blocks;
      const int64_t row = task % blocks % grid.rows * grid.row_step;
      const int64_t col = task % blocks / grid.rows * grid.col_step;
      GemmArgs<T> args = shared;
      args.a += item * shape_.stride_a;
      args.b += item * shape_.stride_b;
      args.c += item * size;
      if (args.aux != nullptr) args.aux += item * size;
      kernels.gemm(args, {row, std::min(shape_.m, row + grid.row_step)}, {col, std::min(shape_.n, col + grid.col_step)},
                   context.scratch(worker));
    });
  }

  GemmShape shape_;
  Grid grids_[4] = {};  // by instruction set
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
