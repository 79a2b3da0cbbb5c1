// OPTIM: one rule over all parameters in one instruction, in place; SUM_SQUARES over all gradients.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include "optim_step.h"

namespace neurite {
namespace {

struct RuleInfo {
  int32_t required, optional;  // slots, as bits
  int options;
};

constexpr RuleInfo kRules[] = {
#define NEURITE_RULE(name, code, required, optional, options) {required, optional, options},
#include "opcodes.inc"
};

/** base^exponent by squaring: the same bits on every platform, unlike libm's pow. */
double power(double base, uint32_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) result *= base;
  }
  return result;
}

/** NAdam's momentum at step t. */
double nadam_momentum(double beta, double shrink, uint32_t t) { return beta * (1 - 0.5 * power(shrink, t)); }

/** The product of NAdam's momenta up to step t; it falls at least as fast as beta^t and is soon nothing beside 1. */
double nadam_product(double beta, double shrink, uint32_t t) {
  double product = 1, fading = 1;
  for (uint32_t i = 1; i <= t && product > 0x1p-60; ++i) {
    fading *= shrink;
    product *= beta * (1 - 0.5 * fading);
  }
  return product;
}

}  // namespace

OptimWords::OptimWords(InstructionReader& reader, int32_t code) {
  const RuleInfo& info = kRules[code];
  args.rule = static_cast<Rule>(code);
  flags = reader.choice("flags", 0, 31);
  args.maximize = (flags & 1) != 0;
  args.decoupled = (flags & 2) != 0;
  args.present = reader.choice("slots", 0, (1 << kRuleSlots) - 1);
  if ((args.present & info.required) != info.required || (args.present & ~(info.required | info.optional)) != 0) {
    reader.fail("slots " + std::to_string(args.present) + " are not those of rule " + std::to_string(code));
  }
  for (int i = 0; i < info.options; ++i) options[i] = reader.f64("option");
  args.weight_decay = reader.f64("weightDecay");
  args.clip_value = reader.f64("clipValue");
  args.l1 = reader.f64("l1");
  if (!(args.clip_value >= 0)) {
    reader.fail("clipValue is " + std::to_string(args.clip_value) + ", expected 0 or more");
  }
  lr = reader.input("lr", DType::FLOAT64, 1);
  step = reader.input("step", DType::INT32, 1, Access::UPDATE);
  scale = reader.optional("scale", DType::FLOAT64, 1, Access::READ);
  gate = reader.optional("gate", DType::FLOAT64, 1, Access::READ);
}

void OptimTasks::add(const OptimPiece& piece, int64_t elements, int64_t limit) {
  if (pieces.empty()) room_ = limit;
  // Whole pieces: a small parameter joins the current task, a large one starts its own.
  if (elements > room_ && !pieces.empty()) {
    starts.push_back(pieces.size());
    room_ = limit;
  }
  pieces.push_back(piece);
  room_ -= elements;
}

void prepare(OptimArgs& args, const OptimWords& words, double lr, uint32_t t) noexcept {
  const double* const o = words.options;
  const int32_t flags = words.flags;
  const auto set = [&](std::initializer_list<double> values) { std::copy(values.begin(), values.end(), args.s); };
  const bool first_bit = (flags & 4) != 0, second_bit = (flags & 8) != 0;
  args.lr = lr;
  args.variant = first_bit;
  switch (args.rule) {
    case Rule::SGD: {
      const double momentum = o[0], fresh = t == 1 ? 1 : 1 - o[1];
      switch (flags >> 3) {
        case 0: return set({lr, t == 1 ? 0 : momentum, fresh, momentum});
        case 1: return set({args.present == 0 ? lr : 1, momentum, lr, momentum});
        case 2: return set({args.present == 0 ? lr : -1, momentum, -lr, momentum});
        default: return set({lr, momentum, 1 - momentum, momentum});
      }
    }
    case Rule::ADAM: {
      const double bc1 = second_bit ? 1 : 1 - power(o[0], t), bc2 = second_bit ? 1 : 1 - power(o[1], t);
      return set({1 - o[0], o[1], 1 - o[1], o[2], lr / bc1, first_bit ? 1 / bc2 : 1 / std::sqrt(bc2)});
    }
    case Rule::RMSPROP: return set({lr, o[0], 1 - o[0], o[1], o[2]});
    case Rule::ADAGRAD: return set({lr / (1 + static_cast<double>(t - 1) * o[0]), o[1]});
    case Rule::ADADELTA: return set({lr, o[0], 1 - o[0], o[1]});
    case Rule::ADAMAX: return set({1 - o[0], o[1], o[2], lr / (1 - power(o[0], t))});
    case Rule::NADAM: {
      const double mu = nadam_momentum(o[0], o[3], t), next = nadam_momentum(o[0], o[3], t + 1);
      const double product = nadam_product(o[0], o[3], t);
      return set({1 - o[0], o[1], 1 - o[1], o[2], 1 / std::sqrt(1 - power(o[1], t)), lr * (1 - mu) / (1 - product),
                  lr * next / (1 - product * next)});
    }
    case Rule::RADAM: {
      const double bc1 = 1 - power(o[0], t), kept = power(o[1], t), bc2 = 1 - kept;
      const double most = 2 / (1 - o[1]) - 1, r = most - 2 * static_cast<double>(t) * kept / bc2;
      if (!(r > 5)) return set({1 - o[0], o[1], 1 - o[1], 0, 1, lr / bc1});
      const double rectified = std::sqrt((r - 4) * (r - 2) * most / ((most - 4) * (most - 2) * r));
      return set({1 - o[0], o[1], 1 - o[1], 1, o[2], lr / bc1 * rectified * std::sqrt(bc2)});
    }
    case Rule::LION: return set({lr, 1 - o[0], 1 - o[1]});
    case Rule::RPROP: return set({o[0], o[1], o[2], o[3]});
    case Rule::DELTA_BAR_DELTA: return set({1 - o[0], o[1], 1 - o[2]});
    case Rule::EMA: {
      const double rate = first_bit ? (1 - o[0]) / (1 - power(o[0], t)) : t == 1 ? 1 : 1 - o[0];
      return set({rate, 1 - rate});
    }
    case Rule::LARS: return set({1, o[0], lr, o[0]});
    case Rule::LAMB: {
      const double decay = args.weight_decay;
      args.weight_decay = 0;  // it is part of the direction
      return set({1 - o[0], o[1], 1 - o[1], o[2], 1 / (1 - power(o[0], t)), 1 / std::sqrt(1 - power(o[1], t)), decay});
    }
    case Rule::MUON: return set({o[0], 1 - o[0]});
    case Rule::ADAFACTOR: return;
  }
}

namespace {

/** A rule that looks at every element by itself: one pass. */
template <class T>
class ElementwiseStep final : public OptimStep<T> {
 public:
  ElementwiseStep(InstructionReader& reader, int32_t code) : OptimStep<T>(reader, code, false) {}

 private:
  void update(RunContext& context, const OptimArgs& args, uint32_t) const noexcept override {
    this->run_shares(context, [&](const OptimPiece& piece) {
      this->at(context, piece,
               [&](int64_t n, T* w, const T* g, T* const* slots) { context.table<T>().optim(args, n, w, g, slots); });
    });
  }
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

std::unique_ptr<Instruction> parse_OPTIM(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const int32_t code = reader.choice("rule", 0, static_cast<int32_t>(std::size(kRules)) - 1);
  switch (static_cast<Rule>(code)) {
    case Rule::LARS:
    case Rule::LAMB: return make_trust_step(reader, code);
    case Rule::ADAFACTOR: return make_factored_step(reader, code);
    case Rule::MUON: return make_orthogonal_step(reader, code);
    default: break;
  }
  return make_float<ElementwiseStep>(reader.dtype(), reader, code);
}

std::unique_ptr<Instruction> parse_SUM_SQUARES(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  return make_float<SumSquares>(reader.dtype(), reader);
}

}  // namespace neurite
