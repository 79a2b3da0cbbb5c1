// The step of MUON. Norms are cut by shapes alone and added in one order, so the bits do not depend on the threads.
#include <algorithm>
#include <cmath>
#include <string>

#include "optim_step.h"

namespace neurite {
namespace {

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

std::unique_ptr<Instruction> make_orthogonal_step(InstructionReader& reader, int32_t code) {
  return make_float<OrthogonalStep>(reader.dtype(), reader, code);
}

}  // namespace neurite
