// REDUCE.
#include <algorithm>
#include <cstring>

#include "../base/checked.h"
#include "reader.h"
#include "reduce_tree.h"

namespace neurite {
namespace {

constexpr int64_t kColumns = 1024;           // of one task; columns are independent, so any cut gives the same bits
constexpr int64_t kTaskElements = 32 << 10;  // about what a task should read at least

int64_t block_rows(int64_t inner) { return inner == 1 ? kReduceBlock : kReduceRows; }

int combine_code(Reduction reduction) {
  switch (reduction) {
    case Reduction::PROD: return static_cast<int>(Micro::MUL);
    case Reduction::MAX: return static_cast<int>(Micro::MAXIMUM);
    case Reduction::MIN: return static_cast<int>(Micro::MINIMUM);
    default: return static_cast<int>(Micro::ADD);
  }
}

/** Calls body(unit) for every unit in [0, units), several to a task when they are small. */
template <class Body>
void for_units(Team& team, int64_t units, int64_t unit_elements, Body body) noexcept {
  const int64_t group = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, unit_elements));
  team.parallel_for(ceil_div(units, group), [&](int64_t task, int) noexcept {
    const int64_t last = std::min(units, (task + 1) * group);
    for (int64_t unit = task * group; unit < last; ++unit) body(unit);
  });
}

/** Calls body(first, count) for parts of `outer` stretches of r elements. */
template <class Body>
void for_short(Team& team, int64_t outer, int64_t r, Body body) noexcept {
  const int64_t step = kTaskElements / r;
  team.parallel_for(ceil_div(outer, step),
                    [&](int64_t task, int) noexcept { body(task * step, std::min(step, outer - task * step)); });
}

}  // namespace

template <class T>
int64_t reduce_tree_bytes(int64_t outer, int64_t r, int64_t inner) noexcept {
  const int64_t blocks = ceil_div(r, block_rows(inner));
  return blocks <= 1 ? 0 : outer * blocks * inner * static_cast<int64_t>(sizeof(T));
}

template <class T>
void reduce_tree(RunContext& context, Reduction reduction, int64_t outer, int64_t r, int64_t inner, const T* in,
                 T* out) noexcept {
  if (outer * inner == 0) return;
  if (r == 0) {
    std::fill_n(out, outer * inner, reduction == Reduction::PROD ? T{1} : T{0});
    return;
  }
  const Kernels<T>& kernels = context.table<T>();
  if (inner == 1 && r <= kReduceShort) {
    for_short(context.team, outer, r, [&](int64_t first, int64_t n) {
      kernels.reduce_short(static_cast<int>(reduction), in + first * r, n, r, out + first);
    });
    return;
  }
  const int64_t rows = block_rows(inner);
  const int64_t blocks = ceil_div(r, rows);
  const int64_t chunks = ceil_div(inner, kColumns);
  T* const partial = blocks == 1 ? out : reinterpret_cast<T*>(context.shared);
  for_units(context.team, outer * blocks * chunks, std::min(r, rows) * std::min(inner, kColumns), [&](int64_t unit) {
    const int64_t column = unit % chunks * kColumns;
    const int64_t block = unit / chunks % blocks;
    const int64_t o = unit / chunks / blocks;
    const T* from = in + (o * r + block * rows) * inner + column;
    T* to = partial + (o * blocks + block) * inner + column;
    const int64_t count = std::min(rows, r - block * rows);
    if (inner == 1) {
      *to = kernels.reduce_block(static_cast<int>(reduction), from, count);
    } else {
      const int64_t columns = std::min(kColumns, inner - column);
      kernels.reduce_rows(static_cast<int>(reduction), from, count, inner, columns, to);
    }
  });
  if (blocks == 1) return;

  const int code = combine_code(reduction);
  for_units(context.team, outer * chunks, blocks * std::min(inner, kColumns), [&](int64_t unit) {
    const int64_t column = unit % chunks * kColumns;
    const int64_t o = unit / chunks;
    const int64_t columns = std::min(kColumns, inner - column);
    T* const base = partial + o * blocks * inner + column;
    for (int64_t width = 1; width < blocks; width *= 2) {
      for (int64_t left = 0; left + width < blocks; left += 2 * width) {
        T* const a = base + left * inner;
        kernels.micro(code, a, a, base + (left + width) * inner, a, columns);
      }
    }
    std::memcpy(out + o * inner + column, base, static_cast<size_t>(columns) * sizeof(T));
  });
}

template int64_t reduce_tree_bytes<float>(int64_t, int64_t, int64_t) noexcept;
template int64_t reduce_tree_bytes<double>(int64_t, int64_t, int64_t) noexcept;
template void reduce_tree<float>(RunContext&, Reduction, int64_t, int64_t, int64_t, const float*, float*) noexcept;
template void reduce_tree<double>(RunContext&, Reduction, int64_t, int64_t, int64_t, const double*, double*) noexcept;

namespace {

struct ReduceShape {
  Reduction reduction;
  int64_t outer, r, inner;
  Operand in, out;
};

template <class T>
class Reduce final : public Instruction {
 public:
  explicit Reduce(const ReduceShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const auto& [reduction, outer, r, inner, in, out] = shape_;
    reduce_tree(context, reduction, outer, r, inner, context.at<const T>(in), context.at<T>(out));
  }

 private:
  ReduceShape shape_;
};

template <class T>
class ArgReduce final : public Instruction {
 public:
  explicit ArgReduce(const ReduceShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const T* in = context.at<const T>(shape_.in);
    int32_t* out = context.at<int32_t>(shape_.out);
    const int code = static_cast<int>(shape_.reduction);
    if (shape_.r > 0 && shape_.r <= kReduceShort) {
      for_short(context.team, shape_.outer, shape_.r, [&](int64_t first, int64_t n) {
        context.table<T>().arg_short(code, in + first * shape_.r, n, shape_.r, out + first);
      });
      return;
    }
    for_units(context.team, shape_.outer, shape_.r, [&](int64_t row) {
      out[row] = static_cast<int32_t>(context.table<T>().arg_reduce(code, in + row * shape_.r, shape_.r));
    });
  }

 private:
  ReduceShape shape_;
};

template <template <class> class Handler>
std::unique_ptr<Instruction> make(DType dtype, const ReduceShape& shape) {
  if (dtype == DType::INT32) return std::make_unique<Handler<int32_t>>(shape);
  return make_float<Handler>(dtype, shape);
}

}  // namespace

std::unique_ptr<Instruction> parse_REDUCE(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  ReduceShape shape;
  shape.reduction = static_cast<Reduction>(reader.choice("reduction", 1, static_cast<int32_t>(Reduction::ARGMIN)));
  shape.outer = reader.size("outer");
  shape.r = reader.size("r");
  shape.inner = reader.size("inner");
  const bool arg = shape.reduction == Reduction::ARGMAX || shape.reduction == Reduction::ARGMIN;
  const int64_t results = reader.product({shape.outer, shape.inner});
  if (arg && shape.inner != 1) reader.fail("ARGMAX and ARGMIN need inner = 1, got " + std::to_string(shape.inner));
  const bool has_identity = shape.reduction == Reduction::SUM || shape.reduction == Reduction::PROD;
  if (shape.r == 0 && results > 0 && !has_identity) reader.fail("nothing to take the extreme of");
  // Partial results take at most as much as the input, which the operand check bounds.
  shape.in = reader.input("in", reader.dtype(), reader.product({results, shape.r}));
  shape.out = reader.output("out", arg ? DType::INT32 : reader.dtype(), results);
  if (arg) return make<ArgReduce>(reader.dtype(), shape);
  reader.need_shared(reader.dtype() == DType::FLOAT64 ? reduce_tree_bytes<double>(shape.outer, shape.r, shape.inner)
                                                      : reduce_tree_bytes<float>(shape.outer, shape.r, shape.inner));
  return make<Reduce>(reader.dtype(), shape);
}

}  // namespace neurite
