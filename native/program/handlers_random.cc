// RANDOM and DROPOUT: element i is a function of the seed, the stream index and i, so any cut gives the same bits.
#include <algorithm>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 16 << 10;
static_assert(kTaskElements % kDropoutGroup == 0);
constexpr int64_t kRngWords = 4;  // seed low, seed high, index low, index high

struct RandomShape {
  Distribution distribution;
  int64_t n, offset;
  double a, b;
  Operand rng, in, out;

  RandomArgs arguments(const RunContext& context) const noexcept {
    const uint32_t* rng_words = context.at<const uint32_t>(rng);
    const uint64_t index = static_cast<uint64_t>(rng_words[3]) << 32 | rng_words[2];
    return {distribution, a, b, {rng_words[0], rng_words[1]}, index + static_cast<uint64_t>(offset)};
  }
};

template <class T>
class Random final : public Instruction {
 public:
  explicit Random(const RandomShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const RandomArgs args = shape_.arguments(context);
    T* out = context.at<T>(shape_.out);
    context.team.parallel_for(ceil_div(shape_.n, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t first = task * kTaskElements;
      context.table<T>().random(args, first, std::min(kTaskElements, shape_.n - first), out + first);
    });
  }

 private:
  RandomShape shape_;
};

template <class T>
class Dropout final : public Instruction {
 public:
  explicit Dropout(const RandomShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const RandomArgs args = shape_.arguments(context);
    const T* in = context.at<const T>(shape_.in);
    T* out = context.at<T>(shape_.out);
    context.team.parallel_for(ceil_div(shape_.n, kTaskElements), [&](int64_t task, int) noexcept {
      const int64_t first = task * kTaskElements;
      context.table<T>().dropout(args, first, std::min(kTaskElements, shape_.n - first), in + first, out + first);
    });
  }

 private:
  RandomShape shape_;
};

}  // namespace

std::unique_ptr<Instruction> parse_RANDOM(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  RandomShape shape{};
  shape.distribution = static_cast<Distribution>(reader.choice("distribution", 0, 2));
  shape.n = reader.size("n");
  shape.a = reader.f64("a");
  shape.b = reader.f64("b");
  shape.offset = reader.size("offset");
  shape.rng = reader.input("rng", DType::INT32, kRngWords);
  shape.out = reader.output("out", reader.dtype(), shape.n);
  return make_float<Random>(reader.dtype(), shape);
}

std::unique_ptr<Instruction> parse_DROPOUT(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  RandomShape shape{};
  shape.distribution = Distribution::UNIFORM;
  shape.n = reader.size("n");
  shape.a = reader.f64("p");
  if (!(shape.a >= 0 && shape.a <= 1)) reader.fail("p is " + std::to_string(shape.a) + ", expected 0 to 1");
  shape.b = 1;
  shape.offset = reader.size("offset");
  shape.rng = reader.input("rng", DType::INT32, kRngWords);
  shape.in = reader.input("in", reader.dtype(), shape.n);
  shape.out = reader.output("out", reader.dtype(), shape.n);
  return make_float<Dropout>(reader.dtype(), shape);
}

}  // namespace neurite
