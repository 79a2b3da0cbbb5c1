// What the steps of all rules of OPTIM share: options, operands, when to step, and how parameters are cut into tasks.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {

inline constexpr int kRuleOptions = 6;  // the most a rule has

/** Reads the words after `rule`. @throws ProgramError where they are wrong. */
struct OptimWords {
  OptimWords(InstructionReader& reader, int32_t code);

  OptimArgs args{};
  int32_t flags = 0;
  double options[kRuleOptions] = {};
  Operand lr, step, scale, gate;
};

/** The greater one, NaN if either is NaN. */
inline double greater(double a, double b) { return a > b || std::isnan(a) ? a : b; }

/** The scalars of step t from the options, the learning rate and the flags (see optim.inl.h). */
void prepare(OptimArgs& args, const OptimWords& words, double lr, uint32_t t) noexcept;

/** Elements [begin, begin + n) of a parameter. */
struct OptimPiece {
  size_t parameter;
  int64_t begin, n;
};

/** A list of pieces and the first one of each task, with the end of the last. */
struct OptimTasks {
  std::vector<OptimPiece> pieces;
  std::vector<size_t> starts{0};

  /** Pieces come in order; small ones share a task of about `room` elements. */
  void add(const OptimPiece& piece, int64_t elements, int64_t limit);
  void finish() { starts.push_back(pieces.size()); }

  /** f(i, piece, worker) for every piece. */
  template <class F>
  void run(RunContext& context, F f) const noexcept {
    context.team.parallel_for(static_cast<int64_t>(starts.size()) - 1, [&](int64_t task, int worker) noexcept {
      const auto at = static_cast<size_t>(task);
      for (size_t i = starts[at]; i < starts[at + 1]; ++i) f(i, pieces[i], worker);
    });
  }

 private:
  int64_t room_ = 0;  // elements the current task still takes
};

template <class T>
class OptimStep : public Instruction {
 public:
  OptimStep(InstructionReader& reader, int32_t code, bool matrices) : words_(reader, code) {
    const int64_t count = reader.size("count");
    for (int64_t i = 0; i < count; ++i) {
      Parameter p{};
      if (matrices) {
        p.lead = reader.size("lead");
        p.rows = reader.size("rows");
        p.cols = reader.size("cols");
        p.n = reader.product({p.lead, p.rows, p.cols});
      } else {
        p.n = reader.size("n");
      }
      p.w = reader.input("w", reader.dtype(), p.n, Access::UPDATE);
      p.g = reader.input("g", reader.dtype(), p.n);
      const bool factored = words_.args.rule == Rule::ADAFACTOR;
      const int64_t sizes[] = {factored ? reader.product({p.lead, p.rows}) : p.n,
                               factored ? reader.product({p.lead, p.cols}) : p.n, p.n};
      for (int s = 0; s < kRuleSlots; ++s) {
        if ((words_.args.present >> s & 1) != 0) {
          p.slots[s] = reader.input("slot", reader.dtype(), sizes[s], Access::UPDATE);
        }
      }
      parameters_.push_back(p);
      total_ += p.n;
    }
  }

  void run(RunContext& context) const noexcept final {
    if (words_.gate.present() && *context.at<const double>(words_.gate) == 0) return;
    uint32_t* const step = context.at<uint32_t>(words_.step);  // unsigned: a counter at its end wraps
    OptimArgs args = words_.args;
    if (words_.scale.present()) args.scale = *context.at<const double>(words_.scale);
    prepare(args, words_, *context.at<const double>(words_.lr), *step + 1);
    update(context, args, *step + 1);
    ++*step;
  }

 protected:
  struct Parameter {
    int64_t lead, rows, cols, n;
    Operand w, g, slots[kRuleSlots];
  };

  virtual void update(RunContext& context, const OptimArgs& args, uint32_t t) const noexcept = 0;

  /** Pieces of kChunk elements of all parameters, in order; each begins at a multiple of kChunk. */
  OptimTasks cut() const {
    const int64_t limit = total_ <= kSerialElements ? std::max<int64_t>(total_, 1) : kChunk;
    OptimTasks tasks;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      for (int64_t begin = 0; begin < parameters_[i].n; begin += limit) {
        const int64_t n = std::min(parameters_[i].n - begin, limit);
        tasks.add({i, begin, n}, n, limit);
      }
    }
    tasks.finish();
    return tasks;
  }

  /**
   * f(piece) for all elements. A task takes the same share of every parameter, so that the thread that made some rows
   * of a gradient (GEMM) also steps their parameters; a small parameter goes to one task.
   */
  template <class F>
  void run_shares(RunContext& context, F f) const noexcept {
    const int threads = context.team.size();
    const int64_t most = kSharesPerThread * threads;
    const bool serial = threads == 1 || total_ <= kSerialElements;
    const int64_t tasks = serial ? 1 : round_up(std::clamp<int64_t>(total_ / kShare, 1, most), threads);
    context.team.parallel_for(tasks, [&](int64_t task, int) noexcept {
      for (size_t i = 0; i < parameters_.size(); ++i) {
        const int64_t n = parameters_[i].n;
        if (n < tasks * kLeastShare) {
          if (static_cast<int64_t>(i) % tasks == task) f(OptimPiece{i, 0, n});
          continue;
        }
        const int64_t lines = ceil_div(n, kLine);
        const int64_t begin = lines * task / tasks * kLine, end = std::min(n, lines * (task + 1) / tasks * kLine);
        f(OptimPiece{i, begin, end - begin});
      }
    });
  }

  /** Calls kernel(n, w, g, slots) on a piece. */
  template <class F>
  void at(const RunContext& context, const OptimPiece& piece, F kernel) const noexcept {
    const Parameter& p = parameters_[piece.parameter];
    T* slots[kRuleSlots];
    for (int s = 0; s < kRuleSlots; ++s) {
      slots[s] = p.slots[s].present() ? context.at<T>(p.slots[s]) + piece.begin : nullptr;
    }
    kernel(piece.n, context.at<T>(p.w) + piece.begin, context.at<const T>(p.g) + piece.begin, slots);
  }

  static constexpr int64_t kChunk = 16 << 10;           // elements of one task of a large parameter
  static constexpr int64_t kSerialElements = 32 << 10;  // in all, below which one thread does everything
  static constexpr int64_t kShare = 8 << 10;            // elements of a task that takes a share of all parameters
  static constexpr int64_t kSharesPerThread = 4;        // at most
  static constexpr int64_t kLeastShare = 256;           // elements of a parameter that are worth a share
  static constexpr int64_t kLine = 16;                  // a share begins at a cache line

  OptimWords words_;
  std::vector<Parameter> parameters_;
  int64_t total_ = 0;  // elements
};

// The rules that look at whole parameters: LARS and LAMB at norms, ADAFACTOR at rows and columns, MUON at products.
std::unique_ptr<Instruction> make_trust_step(InstructionReader& reader, int32_t code);
std::unique_ptr<Instruction> make_factored_step(InstructionReader& reader, int32_t code);
std::unique_ptr<Instruction> make_orthogonal_step(InstructionReader& reader, int32_t code);

}  // namespace neurite
