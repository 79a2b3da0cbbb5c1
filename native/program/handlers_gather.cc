// GATHER, SCATTER_ADD: the rows an index names. GATHER_AXIS, SCATTER_AXIS: elements along an axis. Every index is
// checked before it is used, and all of them before a slot that is also read is written.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <type_traits>

#include "../base/checked.h"
#include "view.h"

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
  // All are looked at before any is asked for: a loop that may end early is not vectorised.
  const auto rows = static_cast<uint32_t>(shape.table_rows);
  uint32_t bad = 0;
  for (int64_t i = 0; i < shape.n; ++i) bad |= static_cast<uint32_t>(static_cast<uint32_t>(index[i]) >= rows);
  if (bad == 0) return true;
  const int32_t* found =
      std::find_if(index, index + shape.n, [&](int32_t i) { return i < 0 || i >= shape.table_rows; });
  context.fail(RunCode::INDEX, found - index, *found);
  return false;
}

/** Integers wrap. */
template <class T>
T sum(T a, T b) noexcept {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  return a + b;
}

class Gather final : public Instruction {
 public:
  Gather(const IndexShape& shape, int64_t width) : shape_(shape), bytes_(shape.row * width) {}
  void run(RunContext& context) const noexcept override {
    const int32_t* index = context.at<const int32_t>(shape_.index);
    if (!check_indices(context, shape_, index) || bytes_ == 0) return;
    const std::byte* table = context.at<const std::byte>(shape_.table);
    std::byte* out = context.at<std::byte>(shape_.out);
    const int64_t pieces = ceil_div(shape_.n * shape_.row, kTaskElements);
    const int64_t tasks = pieces == 1 ? 1 : std::min(shape_.n, round_up(pieces, context.team.size()));
    context.team.parallel_for(tasks, [&](int64_t task, int) noexcept {
      const int64_t last = shape_.n * (task + 1) / tasks;
      for (int64_t i = shape_.n * task / tasks; i < last; ++i) {
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
        for (int64_t j = 0; j < count; ++j) to[j] = sum(to[j], from[j]);
      }
    });
  }

 private:
  IndexShape shape_;
};

/** index [outer, k, inner] chooses along the middle axis of a value [outer, r, inner]. */
struct AxisShape {
  int64_t outer, r, inner, k;
  Operand base, in, index, out;  // GATHER_AXIS has no base
  bool checks_first;             // all indices, since a stopped run must not change a slot that is also read
};

bool check_axis(RunContext& context, const AxisShape& s, const int32_t* index) noexcept {
  return !s.checks_first || check_indices(context, {s.r, 0, s.outer * s.k * s.inner, {}, {}, {}}, index);
}

/** The first index that names nothing, whichever thread meets it: the report does not depend on them. */
class BadIndex {
 public:
  /** Whether index[at, at + n) are all below r. A task asks just before it reads what they name. */
  bool check(const int32_t* index, int64_t at, int64_t n, int64_t r) noexcept {
    const auto rows = static_cast<uint32_t>(r);
    uint32_t bad = 0;
    for (int64_t i = at; i < at + n; ++i) bad |= static_cast<uint32_t>(static_cast<uint32_t>(index[i]) >= rows);
    if (bad == 0) return true;
    const int64_t found = std::find_if(index + at, index + at + n, [&](int32_t i) { return i < 0 || i >= r; }) - index;
    int64_t seen = first_.load(std::memory_order_relaxed);
    while (found < seen && !first_.compare_exchange_weak(seen, found, std::memory_order_relaxed)) {
    }
    return false;
  }
  void report(RunContext& context, const int32_t* index) const noexcept {
    const int64_t first = first_.load(std::memory_order_relaxed);
    if (first != kNothing) context.fail(RunCode::INDEX, first, index[first]);
  }

 private:
  static constexpr int64_t kNothing = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first_{kNothing};
};

/** Calls body(o, first column, columns) for parts of the lanes of an axis; a task owns its lanes. */
template <class F>
void each_lane(RunContext& context, const AxisShape& s, F body) noexcept {
  const int64_t blocks = ceil_div(s.inner, kColumns), pieces = s.outer * blocks;
  const int64_t size = std::max<int64_t>(1, std::max(s.r, s.k) * std::min(s.inner, kColumns));
  const int64_t step = std::max<int64_t>(1, kTaskElements / size);
  context.team.parallel_for(ceil_div(pieces, step), [&](int64_t task, int) noexcept {
    for (int64_t piece = task * step; piece < std::min(pieces, (task + 1) * step); ++piece) {
      const int64_t column = piece % blocks * kColumns;
      body(piece / blocks, column, std::min(kColumns, s.inner - column));
    }
  });
}

template <class W>
class GatherAxis final : public Instruction {
 public:
  explicit GatherAxis(const AxisShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const AxisShape& s = shape_;
    const int32_t* index = context.at<const int32_t>(s.index);
    if (!check_axis(context, s, index)) return;
    const W* in = context.at<const W>(s.in);
    W* out = context.at<W>(s.out);
    BadIndex bad;
    each_lane(context, s, [&](int64_t o, int64_t column, int64_t columns) noexcept {
      const W* from = in + o * s.r * s.inner + column;
      if (s.inner == 1) {
        if (!bad.check(index, o * s.k, s.k, s.r)) return;
        for (int64_t i = o * s.k; i < (o + 1) * s.k; ++i) out[i] = from[index[i]];
        return;
      }
      for (int64_t i = 0; i < s.k; ++i) {
        const int64_t at = (o * s.k + i) * s.inner + column;
        if (!bad.check(index, at, columns, s.r)) return;
        for (int64_t j = 0; j < columns; ++j) out[at + j] = from[index[at + j] * s.inner + j];
      }
    });
    bad.report(context, index);
  }

 private:
  AxisShape shape_;
};

template <class T, bool set>
class ScatterAxis final : public Instruction {
 public:
  explicit ScatterAxis(const AxisShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const AxisShape& s = shape_;
    const int32_t* index = context.at<const int32_t>(s.index);
    if (!check_axis(context, s, index)) return;
    const T* base = context.at<const T>(s.base);
    const T* in = context.at<const T>(s.in);
    T* out = context.at<T>(s.out);
    BadIndex bad;
    each_lane(context, s, [&](int64_t o, int64_t column, int64_t columns) noexcept {
      const int64_t begin = o * s.r * s.inner + column;
      T* to = out + begin;
      if (s.inner == 1) {
        if (base == nullptr) {
          std::fill_n(to, s.r, T{0});
        } else {
          std::copy_n(base + begin, s.r, to);
        }
        if (!bad.check(index, o * s.k, s.k, s.r)) return;
        for (int64_t i = o * s.k; i < (o + 1) * s.k; ++i) put(to[index[i]], in[i]);
        return;
      }
      for (int64_t i = 0; i < s.r; ++i) {
        if (base == nullptr) {
          std::fill_n(to + i * s.inner, columns, T{0});
        } else {
          std::copy_n(base + begin + i * s.inner, columns, to + i * s.inner);
        }
      }
      for (int64_t i = 0; i < s.k; ++i) {
        const int64_t at = (o * s.k + i) * s.inner + column;
        if (!bad.check(index, at, columns, s.r)) return;
        for (int64_t j = 0; j < columns; ++j) {
          put(to[index[at + j] * s.inner + j], in[at + j]);
        }
      }
    });
    bad.report(context, index);
  }

 private:
  static void put(T& place, T value) noexcept {
    if constexpr (set) {
      place = value;
    } else {
      place = sum(place, value);
    }
  }

  AxisShape shape_;
};
template <class T>
using SetAxis = ScatterAxis<T, true>;
template <class T>
using AddAxis = ScatterAxis<T, false>;

AxisShape parse_axis(InstructionReader& reader) {
  AxisShape s{};
  s.outer = reader.size("outer");
  s.r = reader.size("r");
  s.inner = reader.size("inner");
  s.k = reader.size("k");
  return s;
}

}  // namespace

std::unique_ptr<Instruction> parse_GATHER_AXIS(InstructionReader& reader) {
  AxisShape s = parse_axis(reader);
  s.in = reader.input("in", reader.dtype(), reader.product({s.outer, s.r, s.inner}));
  const int64_t chosen = reader.product({s.outer, s.k, s.inner});
  s.index = reader.input("index", DType::INT32, chosen);
  s.out = reader.output("out", reader.dtype(), chosen);
  s.checks_first = reader.writes_inout();
  return with_width(reader.dtype(),
                    [&]<class W>(W*) -> std::unique_ptr<Instruction> { return std::make_unique<GatherAxis<W>>(s); });
}

std::unique_ptr<Instruction> parse_SCATTER_AXIS(InstructionReader& reader) {
  const bool set = reader.flag("set");
  if (!set) reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  AxisShape s = parse_axis(reader);
  const int64_t elements = reader.product({s.outer, s.r, s.inner});
  const int64_t chosen = reader.product({s.outer, s.k, s.inner});
  s.base = reader.optional("base", reader.dtype(), elements, Access::READ);
  s.in = reader.input("values", reader.dtype(), chosen);
  s.index = reader.input("index", DType::INT32, chosen);
  s.out = reader.output("out", reader.dtype(), elements);
  s.checks_first = reader.writes_inout();
  if (set) {
    return with_width(reader.dtype(),
                      [&]<class W>(W*) -> std::unique_ptr<Instruction> { return std::make_unique<SetAxis<W>>(s); });
  }
  if (reader.dtype() == DType::INT32) return std::make_unique<AddAxis<int32_t>>(s);
  return make_float<AddAxis>(reader.dtype(), s);
}

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
