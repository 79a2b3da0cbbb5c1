// MAX_POOL, AVG_POOL and their gradients. Tasks are rows of what is written.
#include <algorithm>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 16 << 10;

struct PoolShape {
  PoolArgs sizes;
  int64_t images, windows;  // elements of [n, in..., c] and [n, out..., c]
  Operand in, index, out;

  /** Calls body(rows) for parts of the rows of `size` [n, size..., c]. */
  template <class F>
  void each_rows(Team& team, const int64_t* size, F body) const noexcept {
    const int64_t rows = sizes.n * size[0] * size[1];
    const int64_t step = std::max<int64_t>(1, kTaskElements / (size[2] * sizes.c));
    team.parallel_for(ceil_div(rows, step),
                      [&](int64_t task, int) noexcept { body(Range{task * step, std::min(rows, (task + 1) * step)}); });
  }
};

template <class T>
class MaxPool final : public Instruction {
 public:
  explicit MaxPool(const PoolShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (s_.windows == 0) return;
    s_.each_rows(context.team, s_.sizes.out, [&](Range rows) noexcept {
      context.table<T>().max_pool(s_.sizes, context.at<const T>(s_.in), rows, context.at<T>(s_.out),
                                  context.at<uint8_t>(s_.index));
    });
  }

 private:
  PoolShape s_;
};

template <class T>
class MaxPoolGrad final : public Instruction {
 public:
  explicit MaxPoolGrad(const PoolShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (s_.images == 0) return;
    s_.each_rows(context.team, s_.sizes.in, [&](Range rows) noexcept {
      context.table<T>().max_pool_grad(s_.sizes, context.at<const T>(s_.in), context.at<const uint8_t>(s_.index), rows,
                                       context.at<T>(s_.out));
    });
  }

 private:
  PoolShape s_;
};

template <class T>
class MaxPoolTake final : public Instruction {
 public:
  explicit MaxPoolTake(const PoolShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (s_.windows == 0) return;
    s_.each_rows(context.team, s_.sizes.out, [&](Range rows) noexcept {
      context.table<T>().max_pool_take(s_.sizes, context.at<const T>(s_.in), context.at<const uint8_t>(s_.index), rows,
                                       context.at<T>(s_.out));
    });
  }

 private:
  PoolShape s_;
};

template <class T>
class AvgPool final : public Instruction {
 public:
  explicit AvgPool(const PoolShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (s_.windows == 0) return;
    s_.each_rows(context.team, s_.sizes.out, [&](Range rows) noexcept {
      context.table<T>().avg_pool(s_.sizes, context.at<const T>(s_.in), rows, context.at<T>(s_.out));
    });
  }

 private:
  PoolShape s_;
};

template <class T>
class AvgPoolGrad final : public Instruction {
 public:
  explicit AvgPoolGrad(const PoolShape& shape) : s_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (s_.images == 0) return;
    s_.each_rows(context.team, s_.sizes.in, [&](Range rows) noexcept {
      context.table<T>().avg_pool_grad(s_.sizes, context.at<const T>(s_.in), rows, context.at<T>(s_.out));
    });
  }

 private:
  PoolShape s_;
};

/** Reads [3] sizes that are at least `least`. */
void read_axes(InstructionReader& reader, const char* what, int64_t* to, int64_t least) {
  for (int axis = 0; axis < 3; ++axis) {
    to[axis] = reader.size(what);
    if (to[axis] < least) reader.fail(std::string(what) + " is 0, expected at least one");
  }
}

PoolShape parse_sizes(InstructionReader& reader, bool maximum) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  PoolShape s{};
  PoolArgs& p = s.sizes;
  p.n = reader.size("n");
  p.c = reader.size("c");
  read_axes(reader, "in", p.in, 0);
  read_axes(reader, "kernel", p.kernel, 1);
  read_axes(reader, "out", p.out, 0);
  read_axes(reader, "stride", p.stride, 1);
  read_axes(reader, "padLow", p.pad, 0);
  if (maximum) {
    read_axes(reader, "dilation", p.dilation, 1);
    if (reader.product({p.kernel[0], p.kernel[1], p.kernel[2]}) > 255) reader.fail("kernel has more than 255 taps");
  } else {
    std::fill_n(p.dilation, 3, 1);
    read_axes(reader, "padHigh", p.pad_high, 0);
    p.count_pad = reader.flag("countIncludePad");
    p.divisor = reader.size("divisor");
    reader.product({p.kernel[0], p.kernel[1], p.kernel[2]});
  }
  // Positions of taps outside the image are computed too, and must not overflow.
  int64_t reach[3];
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t span =
        p.out[axis] * p.stride[axis] + p.kernel[axis] * p.dilation[axis] + p.pad[axis] + p.pad_high[axis];
    reach[axis] = std::max({int64_t{1}, p.in[axis], span});
  }
  reader.product({std::max<int64_t>(1, p.n), reach[0], reach[1], reach[2], std::max<int64_t>(1, p.c)});
  s.images = reader.product({p.n, p.in[0], p.in[1], p.in[2], p.c});
  s.windows = reader.product({p.n, p.out[0], p.out[1], p.out[2], p.c});
  return s;
}

}  // namespace

std::unique_ptr<Instruction> parse_MAX_POOL(InstructionReader& reader) {
  PoolShape s = parse_sizes(reader, true);
  s.in = reader.input("x", reader.dtype(), s.images);
  s.out = reader.optional("y", reader.dtype(), s.windows, Access::WRITE);
  s.index = reader.optional("index", DType::UINT8, s.windows, Access::WRITE);
  return make_float<MaxPool>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_MAX_POOL_GRAD(InstructionReader& reader) {
  PoolShape s = parse_sizes(reader, true);
  s.in = reader.input("g", reader.dtype(), s.windows);
  s.index = reader.input("index", DType::UINT8, s.windows);
  s.out = reader.output("dx", reader.dtype(), s.images);
  return make_float<MaxPoolGrad>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_MAX_POOL_TAKE(InstructionReader& reader) {
  PoolShape s = parse_sizes(reader, true);
  s.in = reader.input("x", reader.dtype(), s.images);
  s.index = reader.input("index", DType::UINT8, s.windows);
  s.out = reader.output("y", reader.dtype(), s.windows);
  return make_float<MaxPoolTake>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_AVG_POOL(InstructionReader& reader) {
  PoolShape s = parse_sizes(reader, false);
  s.in = reader.input("x", reader.dtype(), s.images);
  s.out = reader.output("y", reader.dtype(), s.windows);
  return make_float<AvgPool>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_AVG_POOL_GRAD(InstructionReader& reader) {
  PoolShape s = parse_sizes(reader, false);
  s.in = reader.input("g", reader.dtype(), s.windows);
  s.out = reader.output("dx", reader.dtype(), s.images);
  return make_float<AvgPoolGrad>(reader.dtype(), s);
}

}  // namespace neurite
