// GATHER and SCATTER_ADD: the rows an index names. Every index is checked before anything is written.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 32 << 10;
constexpr int64_t kColumns = 256;  // of one SCATTER_ADD task

struct IndexShape {
  int64_t table_rows, row, n;
  Operand table, index, out;  // SCATTER_ADD: `table` is its input
};

IndexShape parse_sizes(InstructionReader& reader) {
  IndexShape shape{};
  shape.table_rows = reader.size("tableRows");
  shape.row = reader.size("rowElements");
  shape.n = reader.size("n");
  return shape;
}

/** Whether every index names a row; stops the run at the first that does not. */
bool check_indices(RunContext& context, const IndexShape& shape, const int32_t* index) noexcept {
  for (int64_t i = 0; i < shape.n; ++i) {
    if (index[i] >= 0 && index[i] < shape.table_rows) continue;
    context.fail(RunCode::INDEX, i, index[i]);
    return false;
  }
  return true;
}

class Gather final : public Instruction {
 public:
  Gather(const IndexShape& shape, int64_t width) : shape_(shape), bytes_(shape.row * width) {}
  void run(RunContext& context) const noexcept override {
    const int32_t* index = context.at<const int32_t>(shape_.index);
    if (!check_indices(context, shape_, index) || bytes_ == 0) return;
    const std::byte* table = context.at<const std::byte>(shape_.table);
    std::byte* out = context.at<std::byte>(shape_.out);
    const int64_t step = std::max<int64_t>(1, kTaskElements / shape_.row);
    context.team.parallel_for(ceil_div(shape_.n, step), [&](int64_t task, int) noexcept {
      const int64_t last = std::min(shape_.n, (task + 1) * step);
      for (int64_t i = task * step; i < last; ++i) {
        std::memcpy(out + i * bytes_, table + index[i] * bytes_, static_cast<size_t>(bytes_));
      }
    });
  }

 private:
  IndexShape shape_;
  int64_t bytes_;
};

template <class T>
class ScatterAdd final : public Instruction {
 public:
  explicit ScatterAdd(const IndexShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const IndexShape& s = shape_;
    const int32_t* index = context.at<const int32_t>(s.index);
    if (!check_indices(context, s, index) || s.row == 0) return;
    const T* in = context.at<const T>(s.table);
    T* out = context.at<T>(s.out);
    const int64_t size = s.table_rows * s.row;
    context.team.parallel_for(ceil_div(size, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t begin = task * kTaskElements;
      std::fill_n(out + begin, std::min(kTaskElements, size - begin), T{0});
    });
    // A task owns columns, so every element adds its inputs in the order of i and no two tasks meet.
    context.team.parallel_for(ceil_div(s.row, kColumns), [&](int64_t task, int) noexcept {
      const int64_t column = task * kColumns;
      const int64_t count = std::min(kColumns, s.row - column);
      for (int64_t i = 0; i < s.n; ++i) {
        T* to = out + index[i] * s.row + column;
        const T* from = in + i * s.row + column;
        for (int64_t j = 0; j < count; ++j) to[j] = add(to[j], from[j]);
      }
    });
  }

 private:
  static T add(T a, T b) noexcept {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    return a + b;
  }

  IndexShape shape_;
};

}  // namespace

std::unique_ptr<Instruction> parse_GATHER(InstructionReader& reader) {
  IndexShape shape = parse_sizes(reader);
  shape.table = reader.input("table", reader.dtype(), reader.product({shape.table_rows, shape.row}));
  shape.index = reader.input("index", DType::INT32, shape.n);
  shape.out = reader.output("out", reader.dtype(), reader.product({shape.n, shape.row}));
  return std::make_unique<Gather>(shape, dtype_bytes(reader.dtype()));
}

std::unique_ptr<Instruction> parse_SCATTER_ADD(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  IndexShape shape = parse_sizes(reader);
  shape.table = reader.input("in", reader.dtype(), reader.product({shape.n, shape.row}));
  shape.index = reader.input("index", DType::INT32, shape.n);
  shape.out = reader.output("out", reader.dtype(), reader.product({shape.table_rows, shape.row}));
  if (reader.dtype() == DType::INT32) return std::make_unique<ScatterAdd<int32_t>>(shape);
  return make_float<ScatterAdd>(reader.dtype(), shape);
}

}  // namespace neurite
