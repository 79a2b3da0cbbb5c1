// SGD and ADAM over all parameters in one instruction, in place.
#include <algorithm>
#include <vector>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kChunk = 16 << 10;           // elements of one task of a large parameter
constexpr int64_t kSerialElements = 32 << 10;  // in all, below which one thread does everything

struct Parameter {
  int64_t n;
  Operand w, g, first, second;  // SGD: v, absent; Adam: m, v
};

/** The parameters cut into tasks, and the host scalars both optimizers share. */
class OptimizerBase : public Instruction {
 protected:
  /** Reads lr and step; `slots` is how many state tensors follow each gradient. */
  void read_operands(InstructionReader& reader, int slots, bool slots_optional) {
    lr_ = reader.input("lr", DType::FLOAT64, 1);
    step_ = reader.input("step", DType::INT32, 1, Access::UPDATE);
    const int64_t count = reader.size("count");
    const DType dtype = reader.dtype();
    for (int64_t i = 0; i < count; ++i) {
      Parameter p{};
      p.n = reader.size("n");
      p.w = reader.input("w", dtype, p.n, Access::UPDATE);
      p.g = reader.input("g", dtype, p.n);
      if (slots_optional) {
        p.first = reader.optional("v", dtype, p.n, Access::UPDATE);
      } else {
        p.first = reader.input("m", dtype, p.n, Access::UPDATE);
        if (slots == 2) p.second = reader.input("v", dtype, p.n, Access::UPDATE);
      }
      parameters_.push_back(p);
    }
    cut();
  }

  /** Calls update(parameter, begin, n) for every piece of every parameter, then counts the step. */
  template <class Update>
  void for_pieces(RunContext& context, Update update) const noexcept {
    context.team.parallel_for(static_cast<int64_t>(task_starts_.size()) - 1, [&](int64_t task, int) noexcept {
      const auto last = static_cast<size_t>(task_starts_[static_cast<size_t>(task) + 1]);
      for (auto i = static_cast<size_t>(task_starts_[static_cast<size_t>(task)]); i < last; ++i) {
        update(parameters_[pieces_[i].parameter], pieces_[i].begin, pieces_[i].n);
      }
    });
    uint32_t* step = context.at<uint32_t>(step_);  // unsigned: a counter at its end wraps
    ++*step;
  }

  int32_t step(const RunContext& context) const noexcept { return *context.at<const int32_t>(step_); }
  double lr(const RunContext& context) const noexcept { return *context.at<const double>(lr_); }

  std::vector<Parameter> parameters_;

 private:
  struct Piece {
    size_t parameter;
    int64_t begin, n;
  };

  void cut() {
    int64_t total = 0;
    for (const Parameter& p : parameters_) total += p.n;
    const int64_t limit = total <= kSerialElements ? std::max<int64_t>(total, 1) : kChunk;
    int64_t room = limit;  // elements the current task still takes
    task_starts_.push_back(0);
    for (size_t i = 0; i < parameters_.size(); ++i) {
      for (int64_t begin = 0; begin < parameters_[i].n;) {
        // Whole chunks: a small parameter joins the current task, a large one starts its own.
        const int64_t n = std::min(parameters_[i].n - begin, limit);
        if (n > room) {
          task_starts_.push_back(static_cast<int64_t>(pieces_.size()));
          room = limit;
        }
        pieces_.push_back({i, begin, n});
        room -= n;
        begin += n;
      }
    }
    task_starts_.push_back(static_cast<int64_t>(pieces_.size()));
  }

  Operand lr_, step_;
  std::vector<Piece> pieces_;
  std::vector<int64_t> task_starts_;  // of pieces_, one more than tasks
};

/** base^exponent by squaring: the same bits on every platform, unlike libm's pow. */
double power(double base, uint32_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) result *= base;
  }
  return result;
}

template <class T>
class Sgd final : public OptimizerBase {
 public:
  explicit Sgd(InstructionReader& reader) {
    args_.nesterov = reader.flag("nesterov");
    args_.maximize = reader.flag("maximize");
    args_.momentum = reader.f64("momentum");
    args_.dampening = reader.f64("dampening");
    args_.weight_decay = reader.f64("weightDecay");
    read_operands(reader, 1, true);
    for (const Parameter& p : parameters_) {
      if (args_.momentum != 0 && !p.first.present()) reader.fail("momentum needs v");
    }
  }

  void run(RunContext& context) const noexcept override {
    SgdArgs args = args_;
    args.lr = lr(context);
    args.first_step = step(context) == 0;
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      T* v = context.at<T>(p.first);
      context.table<T>().sgd(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                             v == nullptr ? nullptr : v + begin);
    });
  }

 private:
  SgdArgs args_{};
};

template <class T>
class Adam final : public OptimizerBase {
 public:
  explicit Adam(InstructionReader& reader) {
    args_.decoupled = reader.flag("decoupled");
    args_.maximize = reader.flag("maximize");
    args_.beta1 = reader.f64("beta1");
    args_.beta2 = reader.f64("beta2");
    args_.eps = reader.f64("eps");
    args_.weight_decay = reader.f64("weightDecay");
    read_operands(reader, 2, false);
  }

  void run(RunContext& context) const noexcept override {
    AdamArgs args = args_;
    const uint32_t t = static_cast<uint32_t>(step(context)) + 1;
    args.lr = lr(context);
    args.bias_correction1 = 1 - power(args.beta1, t);
    args.bias_correction2 = 1 - power(args.beta2, t);
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      context.table<T>().adam(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                              context.at<T>(p.first) + begin, context.at<T>(p.second) + begin);
    });
  }

 private:
  AdamArgs args_{};
};

}  // namespace

std::unique_ptr<Instruction> parse_SGD(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<Sgd>(reader.dtype(), reader);
}

std::unique_ptr<Instruction> parse_ADAM(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<Adam>(reader.dtype(), reader);
}

}  // namespace neurite
