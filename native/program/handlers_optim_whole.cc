// The rules of OPTIM that look at whole parameters: the norms of LARS and LAMB, the rows and columns of ADAFACTOR, the
// products of MUON. Sums are cut by shapes alone and added in one order, so the bits do not depend on the threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "optim_step.h"

namespace neurite {
namespace {

/** The greater one, NaN if either is NaN. */
double greater(double a, double b) { return a > b || std::isnan(a) ? a : b; }

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

/** MUON: of the symmetric products the blocks on and above the diagonal are made, the others are their mirror image. */
template <class T>
class OrthogonalStep final : public OptimStep<T> {
 public:
  OrthogonalStep(InstructionReader& reader, int32_t code) : OptimStep<T>(reader, code, true) {
    const double steps = this->words_.options[5];
    if (!(steps >= 1 && steps < 100 && steps == std::floor(steps))) {
      reader.fail("steps is " + std::to_string(steps) + ", expected a whole number in [1, 99]");
    }
    for (const Parameter& p : this->parameters_) {
      if (p.lead != 1) reader.fail("lead is " + std::to_string(p.lead) + ", expected 1");
      if (p.n == 0) continue;
      const Matrix m(p);
      const int64_t numbers = reader.product({2, m.size}) + reader.product({2, m.square});
      reader.need_shared(reader.product({numbers, static_cast<int64_t>(sizeof(T))}) +
                         reader.product({m.chunks, static_cast<int64_t>(2 * sizeof(double))}));
      for (int i = 0; const KernelTable* table = table_at(i); ++i) {
        const auto need = [&](const GemmArgs<T>& args) {
          reader.need_worker(kernels_of<T>(*table).gemm_scratch(args, args.m, args.n));
        };
        need(m.gram(nullptr, nullptr));
        need(m.square_of(nullptr, nullptr));
        need(m.apply(nullptr, nullptr, nullptr));
      }
    }
  }

 private:
  using Parameter = typename OptimStep<T>::Parameter;
  static constexpr int64_t kRows = 64, kCols = 512;  // of a block of a product

  /** The products of an X of rows x cols; the symmetric ones are side x side. */
  struct Matrix {
    int64_t rows, cols, side, size, square, chunks;
    bool tall;

    explicit Matrix(const Parameter& p)
        : rows(p.rows),
          cols(p.cols),
          side(std::min(p.rows, p.cols)),
          size(round_up(p.n, 16)),
          square(round_up(side * side, 16)),
          chunks(ceil_div(p.n, OptimStep<T>::kChunk)),
          tall(p.rows > p.cols) {}

    static GemmArgs<T> product(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb,
                               T* c) {
      GemmArgs<T> args{};
      args.m = m;
      args.n = n;
      args.k = k;
      args.a = a;
      args.lda = lda;
      args.b = b;
      args.ldb = ldb;
      args.c = c;
      args.ldc = n;
      args.act = args.act_grad = Activation::IDENTITY;
      return args;
    }
    GemmArgs<T> gram(const T* x, T* c) const {
      GemmArgs<T> args = product(side, side, tall ? rows : cols, x, cols, x, cols, c);
      (tall ? args.trans_a : args.trans_b) = true;
      return args;
    }
    GemmArgs<T> square_of(const T* a, T* c) const { return product(side, side, side, a, side, a, side, c); }
    GemmArgs<T> apply(const T* p, const T* x, T* c) const {
      return tall ? product(rows, cols, cols, x, cols, p, cols, c) : product(rows, cols, rows, p, rows, x, cols, c);
    }
  };

  void update(RunContext& context, const OptimArgs& args, uint32_t) const noexcept override {
    for (const Parameter& p : this->parameters_) {
      if (p.n > 0) step(context, args, p);
    }
  }

  void step(RunContext& context, OptimArgs args, const Parameter& p) const noexcept {
    const Kernels<T>& kernels = context.table<T>();
    const Matrix m(p);
    const auto& options = this->words_.options;  // momentum eps a b c steps
    const double eps = options[1];
    const T a = static_cast<T>(options[2]), b = static_cast<T>(options[3]), c = static_cast<T>(options[4]);
    const int steps = static_cast<int>(options[5]);
    double* const sums = reinterpret_cast<double*>(context.shared);
    T* x = reinterpret_cast<T*>(sums + 2 * m.chunks);
    T* next = x + m.size;
    T* const gram = next + m.size;
    T* const polynomial = gram + m.square;
    const auto each_chunk = [&](auto f) {
      context.team.parallel_for(m.chunks, [&](int64_t chunk, int) noexcept {
        const int64_t begin = chunk * this->kChunk;
        f(chunk, begin, std::min(this->kChunk, p.n - begin));
      });
    };
    each_chunk([&](int64_t chunk, int64_t begin, int64_t n) {
      sums[2 * chunk] = sums[2 * chunk + 1] = 0;
      T* const slots[kRuleSlots] = {context.at<T>(p.slots[0]) + begin, x + begin};
      kernels.optim_norms(args, n, context.at<T>(p.w) + begin, context.at<const T>(p.g) + begin, slots,
                          sums + 2 * chunk);
    });
    double squares = 0;
    for (int64_t chunk = 0; chunk < m.chunks; ++chunk) squares += sums[2 * chunk + 1];
    const auto norm = static_cast<T>(greater(std::sqrt(squares), eps));
    each_chunk([&](int64_t, int64_t begin, int64_t n) {
      for (int64_t i = begin; i < begin + n; ++i) x[i] /= norm;
    });
    for (int i = 0; i < steps; ++i) {
      symmetric(context, m.gram(x, gram), [](int64_t, int64_t) {});
      symmetric(context, m.square_of(gram, polynomial), [&](int64_t row, int64_t from) {
        const T* const first = gram + row * m.side;
        T* const second = polynomial + row * m.side;
        for (int64_t j = from; j < m.side; ++j) second[j] = b * first[j] + c * second[j];
        second[row] += a;
      });
      const GemmArgs<T> product = m.apply(polynomial, x, next);
      const int64_t down = ceil_div(m.rows, kRows), across = ceil_div(m.cols, kCols);
      context.team.parallel_for(down * across, [&](int64_t task, int worker) noexcept {
        const int64_t row = task / across * kRows, col = task % across * kCols;
        kernels.gemm(product, {row, std::min(m.rows, row + kRows)}, {col, std::min(m.cols, col + kCols)},
                     context.scratch(worker));
      });
      std::swap(x, next);
    }
    const auto rows = static_cast<double>(m.rows), cols = static_cast<double>(m.cols);
    const bool match = (this->words_.flags & 8) != 0;
    args.s[2] = args.lr * (match ? 0.2 * std::sqrt(std::max(rows, cols)) : std::sqrt(std::max(1.0, rows / cols)));
    each_chunk([&](int64_t, int64_t begin, int64_t n) {
      T* const slots[kRuleSlots] = {nullptr, x + begin};
      kernels.optim(args, n, context.at<T>(p.w) + begin, nullptr, slots);
    });
  }

  /** A product that is symmetric, after finish(row, first column) on its rows from the diagonal's block on. */
  template <class F>
  void symmetric(RunContext& context, const GemmArgs<T>& args, F finish) const noexcept {
    const int64_t n = args.n;
    context.team.parallel_for(ceil_div(n, kRows), [&](int64_t task, int worker) noexcept {
      const int64_t begin = task * kRows, end = std::min(n, begin + kRows);
      context.table<T>().gemm(args, {begin, end}, {begin, n}, context.scratch(worker));
      for (int64_t i = begin; i < end; ++i) finish(i, begin);
      for (int64_t j = end; j < n; ++j) {
        for (int64_t i = begin; i < end; ++i) args.c[j * n + i] = args.c[i * n + j];
      }
    });
  }
};

}  // namespace

std::unique_ptr<Instruction> make_whole_step(InstructionReader& reader, int32_t code) {
  switch (static_cast<Rule>(code)) {
    case Rule::ADAFACTOR: return make_float<FactoredStep>(reader.dtype(), reader, code);
    case Rule::MUON: return make_float<OrthogonalStep>(reader.dtype(), reader, code);
    default: return make_float<TrustStep>(reader.dtype(), reader, code);
  }
}

}  // namespace neurite
