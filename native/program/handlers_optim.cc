// SGD, ADAM, RMSPROP and ADAGRAD over all parameters in one instruction, in place; SUM_SQUARES over all gradients.
#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kChunk = 16 << 10;           // elements of one task of a large parameter
constexpr int64_t kSerialElements = 32 << 10;  // in all, below which one thread does everything

struct Parameter {
  int64_t n;
  Operand w, g, slots[3];  // SGD: v; Adam: m, v; RMSprop: v, avg, buf; Adagrad: v
};

/** The parameters cut into tasks, and the host scalars both optimizers share. */
class OptimizerBase : public Instruction {
 protected:
  struct Slot {
    const char* name;
    bool optional;
  };

  /** Reads lr, step, the parameters and what may follow them. */
  void read_operands(InstructionReader& reader, std::initializer_list<Slot> slots) {
    lr_ = reader.input("lr", DType::FLOAT64, 1);
    step_ = reader.input("step", DType::INT32, 1, Access::UPDATE);
    const int64_t count = reader.size("count");
    const DType dtype = reader.dtype();
    for (int64_t i = 0; i < count; ++i) {
      Parameter p{};
      p.n = reader.size("n");
      p.w = reader.input("w", dtype, p.n, Access::UPDATE);
      p.g = reader.input("g", dtype, p.n);
      Operand* next = p.slots;
      for (const auto& [name, optional] : slots) {
        *next++ = optional ? reader.optional(name, dtype, p.n, Access::UPDATE)
                           : reader.input(name, dtype, p.n, Access::UPDATE);
      }
      parameters_.push_back(p);
    }
    if (reader.more()) {
      scale_ = reader.optional("gradScale", DType::FLOAT64, 1, Access::READ);
      gradient_.clip_value = reader.f64("clipValue");
      gradient_.l1 = reader.f64("l1");
      if (!(gradient_.clip_value >= 0)) {
        reader.fail("clipValue is " + std::to_string(gradient_.clip_value) + ", expected 0 or more");
      }
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
  GradientArgs gradient(const RunContext& context) const noexcept {
    GradientArgs args = gradient_;
    if (scale_.present()) args.scale = *context.at<const double>(scale_);
    return args;
  }
  /** Where the piece of a slot begins that starts at element `begin`, null when there is no such slot. */
  template <class T>
  static T* slot(const RunContext& context, const Parameter& p, int index, int64_t begin) noexcept {
    T* const base = context.at<T>(p.slots[index]);
    return base == nullptr ? nullptr : base + begin;
  }

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

  Operand lr_, step_, scale_;
  GradientArgs gradient_;
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
    read_operands(reader, {{"v", true}});
    for (const Parameter& p : parameters_) {
      if (args_.momentum != 0 && !p.slots[0].present()) reader.fail("momentum needs v");
    }
  }

  void run(RunContext& context) const noexcept override {
    SgdArgs args = args_;
    args.lr = lr(context);
    args.first_step = step(context) == 0;
    args.gradient = gradient(context);
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      context.table<T>().sgd(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                             slot<T>(context, p, 0, begin));
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
    read_operands(reader, {{"m", false}, {"v", false}});
  }

  void run(RunContext& context) const noexcept override {
    AdamArgs args = args_;
    const uint32_t t = static_cast<uint32_t>(step(context)) + 1;
    args.lr = lr(context);
    args.bias_correction1 = 1 - power(args.beta1, t);
    args.bias_correction2 = 1 - power(args.beta2, t);
    args.gradient = gradient(context);
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      context.table<T>().adam(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                              slot<T>(context, p, 0, begin), slot<T>(context, p, 1, begin));
    });
  }

 private:
  AdamArgs args_{};
};

template <class T>
class Rmsprop final : public OptimizerBase {
 public:
  explicit Rmsprop(InstructionReader& reader) {
    args_.maximize = reader.flag("maximize");
    args_.alpha = reader.f64("alpha");
    args_.eps = reader.f64("eps");
    args_.momentum = reader.f64("momentum");
    args_.weight_decay = reader.f64("weightDecay");
    read_operands(reader, {{"v", false}, {"avg", true}, {"buf", true}});
    for (const Parameter& p : parameters_) {
      if (args_.momentum != 0 && !p.slots[2].present()) reader.fail("momentum needs buf");
    }
  }

  void run(RunContext& context) const noexcept override {
    RmspropArgs args = args_;
    args.lr = lr(context);
    args.gradient = gradient(context);
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      context.table<T>().rmsprop(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                                 slot<T>(context, p, 0, begin), slot<T>(context, p, 1, begin),
                                 slot<T>(context, p, 2, begin));
    });
  }

 private:
  RmspropArgs args_{};
};

template <class T>
class Adagrad final : public OptimizerBase {
 public:
  explicit Adagrad(InstructionReader& reader) {
    args_.maximize = reader.flag("maximize");
    decay_ = reader.f64("lrDecay");
    args_.eps = reader.f64("eps");
    args_.weight_decay = reader.f64("weightDecay");
    read_operands(reader, {{"v", false}});
  }

  void run(RunContext& context) const noexcept override {
    AdagradArgs args = args_;
    args.lr = lr(context) / (1 + static_cast<double>(static_cast<uint32_t>(step(context))) * decay_);
    args.gradient = gradient(context);
    for_pieces(context, [&](const Parameter& p, int64_t begin, int64_t n) {
      context.table<T>().adagrad(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin,
                                 slot<T>(context, p, 0, begin));
    });
  }

 private:
  AdagradArgs args_{};
  double decay_ = 0;
};

/** Blocks of kReduceBlock elements, each summed in T, then added in double by a fixed tree over all blocks. */
template <class T>
class SumSquares final : public Instruction {
 public:
  explicit SumSquares(InstructionReader& reader) {
    const int64_t count = reader.size("count");
    for (int64_t i = 0; i < count; ++i) {
      Part part{};
      part.n = reader.size("n");
      part.x = reader.input("x", reader.dtype(), part.n);
      part.first = blocks_;
      blocks_ += ceil_div(part.n, kReduceBlock);
      parts_.push_back(part);
    }
    out_ = reader.output("out", DType::FLOAT64, 1);
    reader.need_shared(reader.product({blocks_, static_cast<int64_t>(sizeof(double))}));
  }

  void run(RunContext& context) const noexcept override {
    double* const sums = reinterpret_cast<double*>(context.shared);
    context.team.parallel_for(ceil_div(blocks_, kBlocks), [&](int64_t task, int) noexcept {
      const int64_t end = std::min(blocks_, (task + 1) * kBlocks);
      auto part = std::upper_bound(parts_.begin(), parts_.end(), task * kBlocks,
                                   [](int64_t block, const Part& p) { return block < p.first; }) -
                  1;
      for (int64_t block = task * kBlocks; block < end; ++block) {
        while (std::next(part) != parts_.end() && std::next(part)->first <= block) ++part;
        const int64_t begin = (block - part->first) * kReduceBlock;
        const T* x = context.at<const T>(part->x) + begin;
        sums[block] = static_cast<double>(context.table<T>().sum_squares(x, std::min(kReduceBlock, part->n - begin)));
      }
    });
    for (int64_t width = 1; width < blocks_; width *= 2) {
      for (int64_t left = 0; left + width < blocks_; left += 2 * width) sums[left] += sums[left + width];
    }
    *context.at<double>(out_) = blocks_ == 0 ? 0 : sums[0];
  }

 private:
  static constexpr int64_t kBlocks = 8;  // of one task
  struct Part {
    int64_t n, first;  // elements, and the number of its first block
    Operand x;
  };
  std::vector<Part> parts_;
  int64_t blocks_ = 0;
  Operand out_;
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

std::unique_ptr<Instruction> parse_RMSPROP(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<Rmsprop>(reader.dtype(), reader);
}

std::unique_ptr<Instruction> parse_ADAGRAD(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<Adagrad>(reader.dtype(), reader);
}

std::unique_ptr<Instruction> parse_SUM_SQUARES(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<SumSquares>(reader.dtype(), reader);
}

}  // namespace neurite
