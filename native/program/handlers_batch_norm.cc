// BATCH_NORM, forward and backward. Sums over rows are taken in slices that depend on the shape alone, then combined by
// a fixed tree.
#include "norm_parts.h"

namespace neurite {
namespace {

/** Calls body(slice, first row, rows, first column, columns) for slices of kReduceRows rows by kNormColumns columns. */
template <class Body>
void for_blocks(Team& team, int64_t rows, int64_t cols, Body body) noexcept {
  const int64_t chunks = ceil_div(cols, kNormColumns), units = ceil_div(rows, kReduceRows) * chunks;
  const int64_t unit = std::min(rows, kReduceRows) * std::min(cols, kNormColumns);
  const int64_t group = std::max<int64_t>(1, kNormTaskElements / std::max<int64_t>(1, unit));
  team.parallel_for(ceil_div(units, group), [&](int64_t task, int) noexcept {
    for (int64_t i = task * group; i < std::min(units, (task + 1) * group); ++i) {
      const int64_t slice = i / chunks, row = slice * kReduceRows, column = i % chunks * kNormColumns;
      body(slice, row, std::min(kReduceRows, rows - row), column, std::min(kNormColumns, cols - column));
    }
  });
}

struct BatchNormShape {
  int64_t rows, cols;
  double eps;
  Operand g, x, weight, bias, y, mean, variance, dweight, dbias;
  bool relu;
};

template <class T>
class BatchNorm final : public Instruction {
 public:
  explicit BatchNorm(const BatchNormShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t cols = shape_.cols;
    if (cols == 0) return;
    const T* x = context.at<const T>(shape_.x);
    T* const mean = context.at<T>(shape_.mean);
    T* const variance = context.at<T>(shape_.variance);
    T* const scale = reinterpret_cast<T*>(context.shared);
    moments(context, x, mean, variance, scale + cols);
    T* const y = context.at<T>(shape_.y);
    if (y == nullptr) return;
    const T* weight = context.at<const T>(shape_.weight);
    for (int64_t j = 0; j < cols; ++j) {
      scale[j] = reciprocal_root(variance[j], shape_.eps) * (weight == nullptr ? T{1} : weight[j]);
    }
    const T* bias = context.at<const T>(shape_.bias);
    each_rows(context.team, shape_.rows, shape_.cols, [&](int64_t row, int64_t rows) noexcept {
      const int64_t at = row * shape_.cols;
      const BatchNormArgs<T> args{shape_.cols, x + at, mean, scale, bias, y + at, shape_.relu};
      context.table<T>().batch_norm(args, rows);
    });
  }

 private:
  void moments(RunContext& context, const T* x, T* mean, T* variance, T* scratch) const noexcept {
    const int64_t rows = shape_.rows, cols = shape_.cols, slices = ceil_div(rows, kReduceRows);
    T* const means = slices == 1 ? mean : scratch;
    T* const squares = slices == 1 ? variance : scratch + slices * cols;
    for_blocks(context.team, rows, cols, [&](int64_t slice, int64_t row, int64_t n, int64_t column, int64_t width) {
      const int64_t at = slice * cols + column;
      context.table<T>().column_moments(x + row * cols + column, n, cols, width, means + at, squares + at);
    });
    const auto rows_in = [&](int64_t begin, int64_t end) {
      return std::min(end * kReduceRows, rows) - std::min(begin * kReduceRows, rows);
    };
    const int64_t group = std::max<int64_t>(16, kNormTaskElements / slices);
    context.team.parallel_for(ceil_div(cols, group), [&](int64_t task, int) noexcept {
      const int64_t column = task * group, n = std::min(group, cols - column);
      for (int64_t width = 1; width < slices; width *= 2) {
        for (int64_t left = 0; left + width < slices; left += 2 * width) {
          const int64_t a = left * cols + column, b = (left + width) * cols + column;
          merge_moments(rows_in(left, left + width), rows_in(left + width, left + 2 * width), n, means + a, squares + a,
                        means + b, squares + b);
        }
      }
      for (int64_t j = column; j < column + n; ++j) {
        mean[j] = means[j];
        variance[j] = squares[j] / static_cast<T>(rows);
      }
    });
  }

  BatchNormShape shape_;
};

template <class T>
class BatchNormGrad final : public Instruction {
 public:
  explicit BatchNormGrad(const BatchNormShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t rows = shape_.rows, cols = shape_.cols, slices = ceil_div(rows, kReduceRows);
    if (cols == 0) return;
    const T* g = context.at<const T>(shape_.g);
    const T* x = context.at<const T>(shape_.x);
    const T* mean = context.at<const T>(shape_.mean);
    const T* variance = context.at<const T>(shape_.variance);
    const T* weight = context.at<const T>(shape_.weight);
    T* const scale = reinterpret_cast<T*>(context.shared);
    T* const products = scale + cols;  // slices x cols, then the sums in the first row; the same for sums
    T* const sums = products + slices * cols;
    const T* bias = context.at<const T>(shape_.bias);
    for (int64_t j = 0; j < cols; ++j) {
      scale[j] = reciprocal_root(variance[j], shape_.eps) * (weight == nullptr ? T{1} : weight[j]);
    }
    for_blocks(context.team, rows, cols, [&](int64_t slice, int64_t row, int64_t n, int64_t column, int64_t width) {
      const int64_t at = row * cols + column, to = slice * cols + column;
      const T* shift = bias == nullptr ? nullptr : bias + column;
      const BatchNormArgs<T> args{cols, x + at, mean + column, scale + column, shift, nullptr, shape_.relu};
      context.table<T>().batch_norm_sums(args, g + at, n, width, products + to, sums + to);
    });
    T* const dweight = context.at<T>(shape_.dweight);
    T* const dbias = context.at<T>(shape_.dbias);
    tree(context, products, slices);
    tree(context, sums, slices);
    const T inverse = T{1} / static_cast<T>(rows);
    for (int64_t j = 0; j < cols; ++j) {
      const T rstd = reciprocal_root(variance[j], shape_.eps);
      const T projected = products[j] * rstd;
      if (dweight != nullptr) dweight[j] = projected;
      if (dbias != nullptr) dbias[j] = sums[j];
      products[j] = scale[j] * (rstd * (projected * inverse));
      sums[j] = scale[j] * (sums[j] * inverse);
    }
    T* const dx = context.at<T>(shape_.y);
    if (dx == nullptr) return;
    each_rows(context.team, rows, cols, [&](int64_t row, int64_t n) noexcept {
      const int64_t at = row * cols;
      const BatchNormArgs<T> args{cols, x + at, mean, scale, bias, dx + at, shape_.relu};
      context.table<T>().batch_norm_grad(args, g + at, sums, products, n);
    });
  }

 private:
  void tree(RunContext& context, T* partial, int64_t slices) const noexcept {
    if (slices > 1) fold_slices(context, partial, slices, shape_.cols, partial);
  }

  BatchNormShape shape_;
};

/** What stands in front of the operands; the scratch is as large forward and backward. */
BatchNormShape parse_batch_norm(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  BatchNormShape s{};
  s.rows = reader.size("rows");
  s.cols = reader.size("cols");
  if (s.rows == 0) reader.fail("rows is 0, expected at least one");
  s.eps = epsilon(reader);
  s.relu = reader.flag("relu");
  reader.need_shared(bytes_of(reader, reader.product({s.cols, 1 + 2 * ceil_div(s.rows, kReduceRows)})));
  return s;
}

}  // namespace

std::unique_ptr<Instruction> parse_BATCH_NORM(InstructionReader& reader) {
  BatchNormShape s = parse_batch_norm(reader);
  const DType dtype = reader.dtype();
  const int64_t elements = reader.product({s.rows, s.cols});
  s.x = reader.input("x", dtype, elements);
  s.weight = reader.optional("weight", dtype, s.cols, Access::READ);
  s.bias = reader.optional("bias", dtype, s.cols, Access::READ);
  s.y = reader.optional("y", dtype, elements, Access::WRITE);
  s.mean = reader.output("mean", dtype, s.cols);
  s.variance = reader.output("variance", dtype, s.cols);
  return make_float<BatchNorm>(dtype, s);
}

std::unique_ptr<Instruction> parse_BATCH_NORM_GRAD(InstructionReader& reader) {
  BatchNormShape s = parse_batch_norm(reader);
  const DType dtype = reader.dtype();
  const int64_t elements = reader.product({s.rows, s.cols});
  s.g = reader.input("g", dtype, elements);
  s.x = reader.input("x", dtype, elements);
  s.mean = reader.input("mean", dtype, s.cols);
  s.variance = reader.input("variance", dtype, s.cols);
  s.weight = reader.optional("weight", dtype, s.cols, Access::READ);
  s.bias = reader.optional("bias", dtype, s.cols, Access::READ);
  s.y = reader.optional("dx", dtype, elements, Access::WRITE);
  s.dweight = reader.optional("dweight", dtype, s.cols, Access::WRITE);
  s.dbias = reader.optional("dbias", dtype, s.cols, Access::WRITE);
  return make_float<BatchNormGrad>(dtype, s);
}

}  // namespace neurite
