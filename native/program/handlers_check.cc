// CHECK_FINITE: stops the run at the first NaN or infinity, before anything is written.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 64 << 10;

struct CheckShape {
  int64_t n;
  Operand in, out;
};

template <class T>
class CheckFinite final : public Instruction {
 public:
  explicit CheckFinite(const CheckShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const T* in = context.at<const T>(shape_.in);
    const int64_t n = shape_.n;
    std::atomic<int64_t> first{std::numeric_limits<int64_t>::max()};
    context.team.parallel_for(ceil_div(n, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t begin = task * kTaskElements;
      const int64_t at = context.table<T>().first_non_finite(in + begin, std::min(kTaskElements, n - begin));
      if (at < 0) return;
      int64_t known = first.load();
      while (begin + at < known && !first.compare_exchange_weak(known, begin + at)) {
      }
    });
    const int64_t bad = first.load();
    if (bad < n) return context.fail(RunCode::NON_FINITE, bad, static_cast<double>(in[bad]));
    T* out = context.at<T>(shape_.out);
    if (out == in || n == 0) return;
    context.team.parallel_for(ceil_div(n, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t begin = task * kTaskElements;
      std::memcpy(out + begin, in + begin, static_cast<size_t>(std::min(kTaskElements, n - begin)) * sizeof(T));
    });
  }

 private:
  CheckShape shape_;
};

}  // namespace

std::unique_ptr<Instruction> parse_CHECK_FINITE(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  CheckShape shape{};
  shape.n = reader.size("n");
  shape.in = reader.input("in", reader.dtype(), shape.n, Access::READ_ALIASED);
  shape.out = reader.output("out", reader.dtype(), shape.n);
  return make_float<CheckFinite>(reader.dtype(), shape);
}

}  // namespace neurite
