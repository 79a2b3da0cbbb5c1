// IOTA and SCAN: evenly spaced values; running sums, products and linear recurrences. A lane is scanned by one task
// from its first element to its last, in double where elements are float32, so bits depend on nothing else.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 32 << 10;
constexpr int64_t kColumns = 256;  // of one task
constexpr int64_t kLanes = 8;      // scanned at a time where there is one column

enum Kind { SUM, PRODUCT, LINEAR };

struct ScanShape {
  int kind;
  bool reverse;
  int64_t outer, r, inner;
  Operand in, a, out;
};

template <class T>
class Scan final : public Instruction {
 public:
  explicit Scan(const ScanShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    if (shape_.outer == 0 || shape_.r == 0 || shape_.inner == 0) return;
    switch (shape_.kind) {
      case SUM: return run_kind<SUM>(context);
      case PRODUCT: return run_kind<PRODUCT>(context);
      default: return run_kind<LINEAR>(context);
    }
  }

 private:
  // Integers wrap, as sums of unsigned do.
  using Sum = std::conditional_t<std::is_integral_v<T>, uint32_t, double>;

  template <int kind>
  static Sum next(Sum total, T x, const T* a) noexcept {
    if constexpr (kind == SUM) return total + static_cast<Sum>(x);
    if constexpr (kind == PRODUCT) return total * static_cast<Sum>(x);
    return total * static_cast<Sum>(*a) + static_cast<Sum>(x);
  }

  template <int kind>
  void run_kind(RunContext& context) const noexcept {
    const ScanShape& s = shape_;
    const T* in = context.at<const T>(s.in);
    const T* a = context.at<const T>(s.a);
    T* out = context.at<T>(s.out);
    // One column: several lanes at a time, since each element waits for the one before it.
    const int64_t together = s.inner == 1 ? kLanes : 1, blocks = ceil_div(s.inner, kColumns);
    const int64_t pieces = ceil_div(s.outer, together) * blocks;
    const int64_t step = std::max<int64_t>(1, kTaskElements / (s.r * std::min(s.inner, kColumns) * together));
    context.team.parallel_for(ceil_div(pieces, step), [&](int64_t task, int) noexcept {
      for (int64_t piece = task * step; piece < std::min(pieces, (task + 1) * step); ++piece) {
        if (shape_.inner == 1) {
          const int64_t lane = piece * kLanes;
          if (lane + kLanes <= shape_.outer) {
            scan<kind>(in, a, out, lane * shape_.r, 1, shape_.r, kLanes);
          } else {
            for (int64_t l = lane; l < shape_.outer; ++l) scan<kind>(in, a, out, l * shape_.r, 1, shape_.r, 1);
          }
          continue;
        }
        const int64_t column = piece % blocks * kColumns;
        const int64_t at = piece / blocks * shape_.r * shape_.inner + column;
        scan<kind>(in, a, out, at, shape_.inner, 1, std::min(kColumns, shape_.inner - column));
      }
    });
  }

  /** `columns` lanes side by side: element i of lane j is at + i * row + j * column. */
  template <int kind>
  void scan(const T* in, const T* a, T* out, int64_t at, int64_t row, int64_t column, int64_t columns) const noexcept {
    Sum total[kColumns];
    std::fill_n(total, columns, kind == PRODUCT ? Sum{1} : Sum{0});
    const auto each = [&](auto width) {
      for (int64_t i = 0; i < shape_.r; ++i) {
        const int64_t begin = at + (shape_.reverse ? shape_.r - 1 - i : i) * row;
        for (int64_t j = 0; j < width; ++j) {
          const int64_t place = begin + j * column;
          total[j] = next<kind>(total[j], in[place], a == nullptr ? nullptr : a + place);
          out[place] = static_cast<T>(total[j]);
        }
      }
    };
    // A fixed number of lanes stays in registers.
    if (columns == kLanes) {
      each(std::integral_constant<int64_t, kLanes>{});
    } else if (columns == 1) {
      each(std::integral_constant<int64_t, 1>{});
    } else {
      each(columns);
    }
  }

  ScanShape shape_;
};

template <class T>
class Iota final : public Instruction {
 public:
  Iota(int64_t n, double start, double step, const Operand& out) : n_(n), start_(start), step_(step), out_(out) {}
  void run(RunContext& context) const noexcept override {
    T* out = context.at<T>(out_);
    context.team.parallel_for(ceil_div(n_, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t last = std::min(n_, (task + 1) * kTaskElements);
      for (int64_t i = task * kTaskElements; i < last; ++i) out[i] = value(i);
    });
  }

 private:
  T value(int64_t i) const noexcept {
    if constexpr (std::is_integral_v<T>) {
      const auto wrapped = static_cast<uint32_t>(static_cast<int64_t>(start_) + i * static_cast<int64_t>(step_));
      return static_cast<T>(wrapped);
    } else {
      return static_cast<T>(start_ + static_cast<double>(i) * step_);
    }
  }

  int64_t n_;
  double start_, step_;
  Operand out_;
};

}  // namespace

std::unique_ptr<Instruction> parse_IOTA(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  const int64_t n = reader.size("n");
  const double start = reader.f64("start"), step = reader.f64("step");
  if (reader.dtype() == DType::INT32) {
    for (const double v : {start, step}) {
      if (!(v >= -0x1p31 && v < 0x1p31 && v == std::trunc(v))) reader.fail("start or step does not fit INT32");
    }
  }
  const Operand out = reader.output("out", reader.dtype(), n);
  if (reader.dtype() == DType::INT32) return std::make_unique<Iota<int32_t>>(n, start, step, out);
  return make_float<Iota>(reader.dtype(), n, start, step, out);
}

std::unique_ptr<Instruction> parse_SCAN(InstructionReader& reader) {
  ScanShape s{};
  s.kind = reader.choice("kind", SUM, LINEAR);
  if (s.kind == LINEAR) {
    reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  } else {
    reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  }
  s.reverse = reader.flag("reverse");
  s.outer = reader.size("outer");
  s.r = reader.size("r");
  s.inner = reader.size("inner");
  const int64_t elements = reader.product({s.outer, s.r, s.inner});
  s.in = reader.input("in", reader.dtype(), elements);
  s.a = reader.optional("a", reader.dtype(), elements, Access::READ);
  if (s.a.present() != (s.kind == LINEAR)) reader.fail("a is for the linear kind, and only for it");
  s.out = reader.output("out", reader.dtype(), elements);
  if (reader.dtype() == DType::INT32) return std::make_unique<Scan<int32_t>>(s);
  return make_float<Scan>(reader.dtype(), s);
}

}  // namespace neurite
