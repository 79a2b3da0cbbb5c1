// GROUP_NORM, forward and backward, on [n, positions, channels] as it lies: column sums of each sample as batch norm
// takes them of all, joined within the groups, after which every column of a sample has a scale and shifts of its own.
// Slices and trees depend on the shape alone.
#include <cstring>

#include "../base/checked.h"
#include "norm_parts.h"

namespace neurite {
namespace {

struct GroupNormShape {
  int64_t n, positions, groups, width;
  double eps;
  bool relu;
  Operand g, x, weight, bias, y, mean, rstd, dweight, dbias;

  int64_t cols() const noexcept { return groups * width; }
  int64_t slices() const noexcept { return ceil_div(positions, kReduceRows); }

  /** Calls body(sample, slice, its first row in all samples, its rows). */
  template <class F>
  void each_slice(Team& team, F body) const noexcept {
    const int64_t units = n * slices();
    const int64_t group = std::max<int64_t>(1, kNormTaskElements / (std::min(positions, kReduceRows) * cols()));
    team.parallel_for(ceil_div(units, group), [&](int64_t task, int) noexcept {
      for (int64_t i = task * group; i < std::min(units, (task + 1) * group); ++i) {
        const int64_t sample = i / slices(), row = i % slices() * kReduceRows;
        body(sample, i % slices(), sample * positions + row, std::min(kReduceRows, positions - row));
      }
    });
  }

  /** Calls body(sample) for every sample. */
  template <class F>
  void each_sample(Team& team, F body) const noexcept {
    const int64_t group = std::max<int64_t>(1, kNormTaskElements / (4 * slices() * cols()));
    team.parallel_for(ceil_div(n, group), [&](int64_t task, int) noexcept {
      for (int64_t i = task * group; i < std::min(n, (task + 1) * group); ++i) body(i);
    });
  }

  /** Calls body(sample, first row in all samples, rows) for parts of every sample. */
  template <class F>
  void each_part(Team& team, F body) const noexcept {
    const int64_t step = std::min(positions, rows_per_task(cols())), parts = ceil_div(positions, step);
    team.parallel_for(n * parts, [&](int64_t task, int) noexcept {
      const int64_t sample = task / parts, row = task % parts * step;
      body(sample, sample * positions + row, std::min(step, positions - row));
    });
  }
};

template <class T>
class GroupNorm final : public Instruction {
 public:
  explicit GroupNorm(const GroupNormShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t cols = s_.cols(), slices = s_.slices(), all = s_.n * slices * cols;
    if (all == 0) return;
    const T* const x = context.at<const T>(s_.x);
    const T* const weight = context.at<const T>(s_.weight);
    T* const means = reinterpret_cast<T*>(context.shared);
    T* const squares = means + all;
    T* const centre = squares + all;  // [n, cols], as scale
    T* const scale = centre + s_.n * cols;
    s_.each_slice(context.team, [&](int64_t sample, int64_t slice, int64_t row, int64_t rows) noexcept {
      const int64_t at = (sample * slices + slice) * cols;
      context.table<T>().column_moments(x + row * cols, rows, cols, cols, means + at, squares + at);
    });
    T* const mean_out = context.at<T>(s_.mean);
    T* const rstd_out = context.at<T>(s_.rstd);
    s_.each_sample(context.team, [&](int64_t sample) noexcept {
      T* const m = means + sample * slices * cols;
      T* const q = squares + sample * slices * cols;
      const auto rows_in = [&](int64_t begin, int64_t end) {
        return std::min(end * kReduceRows, s_.positions) - std::min(begin * kReduceRows, s_.positions);
      };
      for (int64_t width = 1; width < slices; width *= 2) {
        for (int64_t left = 0; left + width < slices; left += 2 * width) {
          const int64_t a = left * cols, b = (left + width) * cols;
          merge_moments(rows_in(left, left + width), rows_in(left + width, left + 2 * width), cols, m + a, q + a, m + b,
                        q + b);
        }
      }
      for (int64_t group = 0; group < s_.groups; ++group) {
        const int64_t first = group * s_.width, last = first + s_.width;
        T mean = 0, spread = 0;
        for (int64_t j = first; j < last; ++j) mean += m[j];
        mean /= static_cast<T>(s_.width);
        for (int64_t j = first; j < last; ++j) {
          const T delta = m[j] - mean;
          spread += q[j] + delta * delta * static_cast<T>(s_.positions);
        }
        const T rstd = reciprocal_root(spread / static_cast<T>(s_.positions * s_.width), s_.eps);
        if (mean_out != nullptr) mean_out[sample * s_.groups + group] = mean;
        if (rstd_out != nullptr) rstd_out[sample * s_.groups + group] = rstd;
        for (int64_t j = first; j < last; ++j) {
          centre[sample * cols + j] = mean;
          scale[sample * cols + j] = rstd * (weight == nullptr ? T{1} : weight[j]);
        }
      }
    });
    T* const y = context.at<T>(s_.y);
    if (y == nullptr) return;
    const T* const bias = context.at<const T>(s_.bias);
    s_.each_part(context.team, [&](int64_t sample, int64_t row, int64_t rows) noexcept {
      const int64_t column = sample * cols, at = row * cols;
      const BatchNormArgs<T> args{cols, x + at, centre + column, scale + column, bias, y + at, s_.relu};
      context.table<T>().batch_norm(args, rows);
    });
  }

 private:
  GroupNormShape s_;
};

template <class T>
class GroupNormGrad final : public Instruction {
 public:
  explicit GroupNormGrad(const GroupNormShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t cols = s_.cols(), slices = s_.slices(), all = s_.n * slices * cols, columns = s_.n * cols;
    T* const dweight = context.at<T>(s_.dweight);
    T* const dbias = context.at<T>(s_.dbias);
    if (all == 0) {
      if (dweight != nullptr) std::fill_n(dweight, cols, T{0});
      if (dbias != nullptr) std::fill_n(dbias, cols, T{0});
      return;
    }
    const T* const g = context.at<const T>(s_.g);
    const T* const x = context.at<const T>(s_.x);
    const T* const mean = context.at<const T>(s_.mean);
    const T* const rstd = context.at<const T>(s_.rstd);
    const T* const weight = context.at<const T>(s_.weight);
    const T* const bias = context.at<const T>(s_.bias);
    T* const products = reinterpret_cast<T*>(context.shared);  // slices x cols a sample, then sums in the first row
    T* const sums = products + all;
    T* const centre = sums + all;
    T* const scale = centre + columns;
    T* const c1 = scale + columns;
    T* const c2 = c1 + columns;
    for (int64_t sample = 0; sample < s_.n; ++sample) {
      for (int64_t j = 0; j < cols; ++j) {
        const int64_t at = sample * s_.groups + j / s_.width;
        centre[sample * cols + j] = mean[at];
        scale[sample * cols + j] = rstd[at] * (weight == nullptr ? T{1} : weight[j]);
      }
    }
    s_.each_slice(context.team, [&](int64_t sample, int64_t slice, int64_t row, int64_t rows) noexcept {
      const int64_t column = sample * cols, to = (sample * slices + slice) * cols;
      const BatchNormArgs<T> args{cols, x + row * cols, centre + column, scale + column, bias, nullptr, s_.relu};
      context.table<T>().batch_norm_sums(args, g + row * cols, rows, cols, products + to, sums + to);
    });
    const T inverse = T{1} / static_cast<T>(s_.positions * s_.width);
    s_.each_sample(context.team, [&](int64_t sample) noexcept {
      T* const p = products + sample * slices * cols;
      T* const q = sums + sample * slices * cols;
      for (int64_t width = 1; width < slices; width *= 2) {
        for (int64_t left = 0; left + width < slices; left += 2 * width) {
          for (int64_t j = 0; j < cols; ++j) {
            p[left * cols + j] += p[(left + width) * cols + j];
            q[left * cols + j] += q[(left + width) * cols + j];
          }
        }
      }
      for (int64_t group = 0; group < s_.groups; ++group) {
        const T r = rstd[sample * s_.groups + group];
        T along = 0, across = 0;
        for (int64_t j = group * s_.width; j < (group + 1) * s_.width; ++j) {
          const T w = weight == nullptr ? T{1} : weight[j];
          p[j] *= r;
          along += w * q[j];
          across += w * p[j];
        }
        for (int64_t j = group * s_.width; j < (group + 1) * s_.width; ++j) {
          c1[sample * cols + j] = r * (along * inverse);
          c2[sample * cols + j] = r * (r * (across * inverse));
        }
      }
    });
    const auto total = [&](const T* partial, T* out) {
      if (out == nullptr) return;
      std::memcpy(out, partial, static_cast<size_t>(cols) * sizeof(T));
      for (int64_t sample = 1; sample < s_.n; ++sample) {
        const T* const row = partial + sample * slices * cols;
        context.table<T>().micro(static_cast<int>(Micro::ADD), out, out, row, out, cols);
      }
    };
    total(products, dweight);
    total(sums, dbias);
    T* const dx = context.at<T>(s_.y);
    if (dx == nullptr) return;
    s_.each_part(context.team, [&](int64_t sample, int64_t row, int64_t rows) noexcept {
      const int64_t column = sample * cols, at = row * cols;
      const BatchNormArgs<T> args{cols, x + at, centre + column, scale + column, bias, dx + at, s_.relu};
      context.table<T>().batch_norm_grad(args, g + at, c1 + column, c2 + column, rows);
    });
  }

 private:
  GroupNormShape s_;
};

/** Sizes, eps and relu; shared scratch for `columns` values a sample and column besides the sums. */
GroupNormShape parse_sizes(InstructionReader& reader, int64_t columns) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  GroupNormShape s{};
  s.n = reader.size("n");
  s.positions = reader.size("positions");
  s.groups = reader.size("groups");
  s.width = reader.size("width");
  if (s.positions == 0 || s.groups == 0 || s.width == 0) reader.fail("a sample has no values, expected at least one");
  s.eps = epsilon(reader);
  s.relu = reader.flag("relu");
  const int64_t cols = reader.product({s.groups, s.width});
  reader.product({s.n, s.positions, cols});
  reader.need_shared(bytes_of(reader, reader.product({s.n, cols, 2 * s.slices() + columns})));
  return s;
}

}  // namespace

std::unique_ptr<Instruction> parse_GROUP_NORM(InstructionReader& reader) {
  GroupNormShape s = parse_sizes(reader, 2);
  const DType dtype = reader.dtype();
  const int64_t elements = s.n * s.positions * s.cols(), groups = s.n * s.groups;
  s.x = reader.input("x", dtype, elements);
  s.weight = reader.optional("weight", dtype, s.cols(), Access::READ);
  s.bias = reader.optional("bias", dtype, s.cols(), Access::READ);
  s.y = reader.optional("y", dtype, elements, Access::WRITE);
  s.mean = reader.optional("mean", dtype, groups, Access::WRITE);
  s.rstd = reader.optional("rstd", dtype, groups, Access::WRITE);
  return make_float<GroupNorm>(dtype, s);
}

std::unique_ptr<Instruction> parse_GROUP_NORM_GRAD(InstructionReader& reader) {
  GroupNormShape s = parse_sizes(reader, 4);
  const DType dtype = reader.dtype();
  const int64_t elements = s.n * s.positions * s.cols(), groups = s.n * s.groups;
  s.g = reader.input("g", dtype, elements);
  s.x = reader.input("x", dtype, elements);
  s.mean = reader.input("mean", dtype, groups);
  s.rstd = reader.input("rstd", dtype, groups);
  s.weight = reader.optional("weight", dtype, s.cols(), Access::READ);
  s.bias = reader.optional("bias", dtype, s.cols(), Access::READ);
  s.y = reader.optional("dx", dtype, elements, Access::WRITE);
  s.dweight = reader.optional("dweight", dtype, s.cols(), Access::WRITE);
  s.dbias = reader.optional("dbias", dtype, s.cols(), Access::WRITE);
  return make_float<GroupNormGrad>(dtype, s);
}

}  // namespace neurite
