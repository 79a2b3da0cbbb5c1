// The step of ADAFACTOR. Sums are cut by shapes alone and added in one order, so the bits do not depend on the threads.
#include <algorithm>
#include <cmath>
#include <limits>

#include "optim_step.h"

namespace neurite {
namespace {

/** ADAFACTOR. The u of an element is g times a factor of its row and one of its column; those of columns are stored. */
template <class T>
class FactoredStep final : public OptimStep<T> {
 public:
  FactoredStep(InstructionReader& reader, int32_t code) : OptimStep<T>(reader, code, true) {
    int64_t numbers = 0;  // of T in scratch
    for (size_t i = 0; i < this->parameters_.size(); ++i) {
      const auto& p = this->parameters_[i];
      Layout layout{tasks_.pieces.size(), 0, numbers};
      if (p.n > 0) {
        const int64_t rows = p.lead * p.rows, height = is_vector(p) ? this->kChunk : kBlockRows;
        for (int64_t matrix = 0; matrix < p.lead; ++matrix) {
          for (int64_t row = 0; row < p.rows; row += height) {
            const int64_t n = std::min(height, p.rows - row);
            tasks_.add({i, matrix * p.rows + row, n}, n * p.cols, this->kChunk);
          }
        }
        numbers += is_vector(p) ? rows : reader.product({p.lead, p.cols});
        layout.partial = numbers;
        const auto blocks = static_cast<int64_t>(tasks_.pieces.size() - layout.piece);
        if (!is_vector(p)) numbers += reader.product({blocks, p.cols});
      }
      layouts_.push_back(layout);
    }
    tasks_.finish();
    sums_ = static_cast<int64_t>(2 * tasks_.pieces.size() + this->parameters_.size());
    reader.need_shared(reader.product({sums_, 8}) + reader.product({numbers, static_cast<int64_t>(sizeof(T))}));
  }

 private:
  using Parameter = typename OptimStep<T>::Parameter;
  static constexpr int64_t kBlockRows = 32;

  struct Layout {
    size_t piece;             // the first one
    int64_t partial, factor;  // sums of columns of each piece, factors of each matrix: in numbers of T
  };

  static bool is_vector(const Parameter& p) { return p.lead == 1 && p.cols == 1; }

  void update(RunContext& context, const OptimArgs& given, uint32_t t) const noexcept override {
    const Kernels<T>& kernels = context.table<T>();
    const auto& [decay, eps1_given, eps2, d, unused1, unused2] = this->words_.options;
    const double eps1 = eps1_given < 0 ? static_cast<double>(std::numeric_limits<T>::epsilon()) : eps1_given;
    const double count = t;
    double power = 0;  // t^decay: not by libm, which differs between platforms
    float64_kernels().micro(static_cast<int>(Micro::POW), &power, &count, &decay, &decay, 1);
    const T fresh = static_cast<T>(power);
    double* const sums = reinterpret_cast<double*>(context.shared);
    double* const rates = sums + 2 * tasks_.pieces.size();
    T* const numbers = reinterpret_cast<T*>(sums + sums_);

    tasks_.run(context, [&](size_t i, const OptimPiece& piece, int) {
      const Parameter& p = this->parameters_[piece.parameter];
      const Layout& layout = layouts_[piece.parameter];
      T* const row_var = context.at<T>(p.slots[0]);
      const T* const w = context.at<const T>(p.w) + piece.begin * p.cols;
      const T* const g = context.at<const T>(p.g) + piece.begin * p.cols;
      sums[2 * i] = sums[2 * i + 1] = 0;
      if (is_vector(p)) {
        T* const squares = numbers + layout.factor + piece.begin;
        std::fill_n(squares, piece.n, T{0});
        sums[2 * i + 1] = static_cast<double>(kernels.optim_squares(given, piece.n, w, g, squares, sums + 2 * i));
        for (int64_t j = 0; j < piece.n; ++j) {
          T& old = row_var[piece.begin + j];
          old += fresh * (squares[j] - old);
        }
        return;
      }
      T* const squares = numbers + layout.partial + static_cast<int64_t>(i - layout.piece) * p.cols;
      std::fill_n(squares, p.cols, T{0});
      for (int64_t r = 0; r < piece.n; ++r) {
        const T sum = kernels.optim_squares(given, p.cols, w + r * p.cols, g + r * p.cols, squares, sums + 2 * i);
        T& old = row_var[piece.begin + r];
        old += fresh * (sum / static_cast<T>(p.cols) - old);
      }
    });

    context.team.parallel_for(static_cast<int64_t>(layouts_.size()), [&](int64_t i, int) noexcept {
      factor(context, static_cast<size_t>(i), fresh, eps1, sums, numbers);
    });

    const auto each_row = [&](size_t i, const OptimPiece& piece, double rate, auto kernel) {
      const Parameter& p = this->parameters_[piece.parameter];
      const Layout& layout = layouts_[piece.parameter];
      OptimArgs args = given;
      args.s[1] = 1 / eps1;
      args.s[2] = rate;
      T* const w = context.at<T>(p.w) + piece.begin * p.cols;
      const T* const g = context.at<const T>(p.g) + piece.begin * p.cols;
      const T* const row_var = context.at<const T>(p.slots[0]) + piece.begin;
      T* slots[kRuleSlots] = {numbers + layout.factor};
      if (is_vector(p)) {
        slots[0] += piece.begin;
        args.s[0] = 1 / std::sqrt(static_cast<double>(*context.at<const T>(p.slots[1])));
        kernel(args, piece.n, w, g, slots, i);
        return;
      }
      const int64_t matrix = piece.begin / p.rows;
      slots[0] += matrix * p.cols;
      for (int64_t r = 0; r < piece.n; ++r) {
        args.s[0] = 1 / std::sqrt(static_cast<double>(row_var[r]));
        kernel(args, p.cols, w + r * p.cols, g + r * p.cols, slots, i);
      }
    };
    tasks_.run(context, [&](size_t i, const OptimPiece& piece, int) {
      double own[2] = {0, 0};
      each_row(i, piece, 0, [&](const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots, size_t) {
        kernels.optim_norms(args, n, w, g, slots, own);
      });
      sums[2 * i + 1] = own[1];
    });
    size_t i = 0;
    for (size_t q = 0; q < layouts_.size(); ++q) {
      double of_w = 0, of_u = 0;
      for (; i < tasks_.pieces.size() && tasks_.pieces[i].parameter == q; ++i) {
        of_w += sums[2 * i];
        of_u += sums[2 * i + 1];
      }
      const auto n = static_cast<double>(this->parameters_[q].n);
      const double length = greater(eps2, std::sqrt(of_w / n)) * std::min(given.lr, 1 / std::sqrt(count));
      rates[q] = length / greater(1, std::sqrt(of_u / n) / d);
    }
    tasks_.run(context, [&](size_t at, const OptimPiece& piece, int) {
      each_row(at, piece, rates[piece.parameter],
               [&](const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots, size_t) {
                 kernels.optim(args, n, w, g, slots);
               });
    });
  }

  /** C of a parameter and the factors of its columns (of a vector: of its elements), with the mean of R in them. */
  void factor(RunContext& context, size_t index, T fresh, double eps1, const double* sums, T* numbers) const noexcept {
    const Parameter& p = this->parameters_[index];
    if (p.n == 0) return;
    const Layout& layout = layouts_[index];
    const T* const row_var = context.at<const T>(p.slots[0]);
    T* const col_var = context.at<T>(p.slots[1]);
    T* const factors = numbers + layout.factor;
    const auto invert = [](double mean, double eps, const T* var, T* out, int64_t n) {
      const auto root = static_cast<T>(std::sqrt(greater(mean, eps)));
      for (int64_t j = 0; j < n; ++j) out[j] = root / std::sqrt(var[j]);
    };
    const int64_t blocks = is_vector(p) ? 0 : ceil_div(p.rows, kBlockRows);
    for (int64_t matrix = 0; matrix < p.lead; ++matrix) {
      double total = 0;
      for (int64_t r = 0; r < p.rows; ++r) total += static_cast<double>(row_var[matrix * p.rows + r]);
      const double mean = total / static_cast<double>(p.rows);
      if (is_vector(p)) {
        double squares = 0;
        for (size_t i = layout.piece; i < tasks_.pieces.size() && tasks_.pieces[i].parameter == index; ++i) {
          squares += sums[2 * i + 1];
        }
        *col_var += fresh * (static_cast<T>(squares / static_cast<double>(p.n)) - *col_var);
        invert(mean, eps1, row_var, factors, p.rows);
        return;
      }
      T* const partial = numbers + layout.partial + matrix * blocks * p.cols;
      for (int64_t width = 1; width < blocks; width *= 2) {
        for (int64_t left = 0; left + width < blocks; left += 2 * width) {
          T* const to = partial + left * p.cols;
          for (int64_t j = 0; j < p.cols; ++j) to[j] += to[width * p.cols + j];
        }
      }
      T* const own = col_var + matrix * p.cols;
      for (int64_t j = 0; j < p.cols; ++j) own[j] += fresh * (partial[j] / static_cast<T>(p.rows) - own[j]);
      invert(mean, eps1, own, factors + matrix * p.cols, p.cols);
    }
  }

  std::vector<Layout> layouts_;
  OptimTasks tasks_;
  int64_t sums_ = 0;  // doubles in scratch
};

}  // namespace

std::unique_ptr<Instruction> make_factored_step(InstructionReader& reader, int32_t code) {
  return make_float<FactoredStep>(reader.dtype(), reader, code);
}

}  // namespace neurite
