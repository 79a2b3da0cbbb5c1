// The steps of LARS and LAMB. Norms are cut by shapes alone and added in one order, so the bits do not depend on the
// threads.
#include <cmath>

#include "optim_step.h"

namespace neurite {
namespace {

/** LARS, LAMB: both norms of every parameter, then its step, whose length they give. */
template <class T>
class TrustStep final : public OptimStep<T> {
 public:
  TrustStep(InstructionReader& reader, int32_t code) : OptimStep<T>(reader, code, false), tasks_(OptimStep<T>::cut()) {
    const auto doubles = static_cast<int64_t>(2 * tasks_.pieces.size() + this->parameters_.size());
    reader.need_shared(reader.product({doubles, static_cast<int64_t>(sizeof(double))}));
  }

 private:
  void update(RunContext& context, const OptimArgs& given, uint32_t) const noexcept override {
    const bool lars = given.rule == Rule::LARS;
    OptimArgs args = given;
    args.decoupled = args.variant = false;
    args.weight_decay = 0;  // LARS: joins after the norm; LAMB: is in args.s
    double* const sums = reinterpret_cast<double*>(context.shared);
    double* const rates = sums + 2 * tasks_.pieces.size();
    tasks_.run(context, [&](size_t i, const OptimPiece& piece, int) {
      sums[2 * i] = sums[2 * i + 1] = 0;
      this->at(context, piece, [&](int64_t n, T* w, const T* g, T* const* slots) {
        context.table<T>().optim_norms(args, n, w, g, slots, sums + 2 * i);
      });
    });
    size_t i = 0;
    for (size_t p = 0; p < this->parameters_.size(); ++p) {
      double of_w = 0, of_x = 0;
      for (; i < tasks_.pieces.size() && tasks_.pieces[i].parameter == p; ++i) {
        of_w += sums[2 * i];
        of_x += sums[2 * i + 1];
      }
      rates[p] = args.lr * ratio(std::sqrt(of_w), std::sqrt(of_x));
    }
    if (lars) args.weight_decay = given.weight_decay;
    tasks_.run(context, [&](size_t, const OptimPiece& piece, int) {
      OptimArgs own = args;
      (lars ? own.s[2] : own.lr) = rates[piece.parameter];
      this->at(context, piece,
               [&](int64_t n, T* w, const T* g, T* const* slots) { context.table<T>().optim(own, n, w, g, slots); });
    });
  }

  double ratio(double of_w, double of_x) const noexcept {
    const OptimWords& words = this->words_;
    if ((words.flags & 4) != 0 || !(of_w > 0 && of_x > 0)) return 1;
    if (words.args.rule == Rule::LAMB) return of_w / of_x;
    return words.options[1] * of_w / (of_x + words.args.weight_decay * of_w + words.options[2]);
  }

  OptimTasks tasks_;
};

}  // namespace

std::unique_ptr<Instruction> make_trust_step(InstructionReader& reader, int32_t code) {
  return make_float<TrustStep>(reader.dtype(), reader, code);
}

}  // namespace neurite
