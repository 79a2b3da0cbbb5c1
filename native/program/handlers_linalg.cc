// CHOLESKY, SOLVE and SOLVE_TRIANGULAR for small systems: one matrix is one task, worked on in double and rounded once.
// Sources: Golub and Van Loan, Matrix Computations, 4th ed., 3.1, 3.4 and 4.2.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "reader.h"

namespace neurite {
namespace {

struct SystemShape {
  int64_t batch, n, m;
  bool trans, upper, unit;
  Operand a, b, out;
};

/** The first matrix that cannot be factorised, whichever thread meets it: the report does not depend on them. */
class FirstFailure {
 public:
  void note(int64_t matrix, int64_t row) noexcept {
    int64_t seen = matrix_.load(std::memory_order_relaxed);
    const int64_t mine = matrix << 32 | row;
    while (mine < seen && !matrix_.compare_exchange_weak(seen, mine, std::memory_order_relaxed)) {
    }
  }
  void report(RunContext& context) const noexcept {
    const int64_t seen = matrix_.load(std::memory_order_relaxed);
    if (seen == kNothing) return;
    context.fail(RunCode::SINGULAR, seen >> 32, static_cast<double>(seen & 0xffffffff));
  }

 private:
  static constexpr int64_t kNothing = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> matrix_{kNothing};
};

/** row -= factor * other: where the decompositions spend their time. */
using Subtract = void (*)(double* row, double factor, const double* other, int64_t n) noexcept;

/**
 * L' in the rows of u from the lower triangle of a: row k is finished, then taken from those below it. Row of the first
 * pivot that is not above 0 (NaN included), or -1.
 */
template <class T>
int64_t cholesky(const T* a, double* u, int64_t n, Subtract subtract) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) u[i * n + j] = static_cast<double>(a[j * n + i]);
  }
  for (int64_t k = 0; k < n; ++k) {
    double* const row = u + k * n;
    if (!(row[k] > 0)) return k;
    const double root = std::sqrt(row[k]);
    row[k] = root;
    for (int64_t j = k + 1; j < n; ++j) row[j] /= root;
    for (int64_t i = k + 1; i < n; ++i) subtract(u + i * n + i, row[i], row + i, n - i);
  }
  return -1;
}

/** Solves for x in place, rows top to bottom (lower) or bottom to top; a[i, j] is at i * row + j * column. */
template <class T>
int64_t substitute(const T* a, int64_t row, int64_t column, bool lower, bool unit, double* x, int64_t n, int64_t m,
                   Subtract subtract) noexcept {
  for (int64_t s = 0; s < n; ++s) {
    const int64_t i = lower ? s : n - 1 - s;
    for (int64_t j = lower ? 0 : i + 1; j < (lower ? i : n); ++j) {
      subtract(x + i * m, static_cast<double>(a[i * row + j * column]), x + j * m, m);
    }
    if (unit) continue;
    const double pivot = static_cast<double>(a[i * row + i * column]);
    if (!(std::abs(pivot) > 0)) return i;
    for (int64_t c = 0; c < m; ++c) x[i * m + c] /= pivot;
  }
  return -1;
}

/** LU with row exchanges, applied to x as well; row of the first pivot that is 0 or NaN, or -1. */
int64_t eliminate(double* a, double* x, int64_t n, int64_t m, Subtract subtract) noexcept {
  for (int64_t k = 0; k < n; ++k) {
    int64_t best = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[best * n + k])) best = i;
    }
    const double pivot = a[best * n + k];
    if (!(std::abs(pivot) > 0)) return k;
    if (best != k) {
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + best * n);
      std::swap_ranges(x + k * m, x + (k + 1) * m, x + best * m);
    }
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / pivot;
      if (factor == 0) continue;
      subtract(a + i * n + k + 1, factor, a + k * n + k + 1, n - k - 1);
      subtract(x + i * m, factor, x + k * m, m);
    }
  }
  return -1;
}

template <class T>
class Cholesky final : public Instruction {
 public:
  explicit Cholesky(const SystemShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t n = shape_.n;
    const T* a = context.at<const T>(shape_.a);
    T* out = context.at<T>(shape_.out);
    FirstFailure failure;
    context.team.parallel_for(shape_.batch, [&](int64_t matrix, int worker) noexcept {
      double* const u = reinterpret_cast<double*>(context.scratch(worker));
      const int64_t bad = cholesky(a + matrix * n * n, u, n, context.kernels.f32.subtract_scaled);
      if (bad >= 0) return failure.note(matrix, bad);
      T* const l = out + matrix * n * n;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) l[i * n + j] = static_cast<T>(u[j * n + i]);
        std::fill(l + i * n + i + 1, l + (i + 1) * n, T{0});
      }
    });
    failure.report(context);
  }

 private:
  SystemShape shape_;
};

template <class T, bool triangular>
class Solve final : public Instruction {
 public:
  explicit Solve(const SystemShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const auto& [batch, n, m, trans, upper, unit, a_at, b_at, out_at] = shape_;
    const T* a = context.at<const T>(a_at);
    const T* b = context.at<const T>(b_at);
    T* out = context.at<T>(out_at);
    FirstFailure failure;
    context.team.parallel_for(batch, [&](int64_t matrix, int worker) noexcept {
      double* x = reinterpret_cast<double*>(context.scratch(worker));
      const T* from = a + matrix * shape_.n * shape_.n;
      const int64_t systems = shape_.n * shape_.m;
      std::copy_n(b + matrix * systems, systems, x);
      const int64_t bad = solve(from, x, context.kernels.f32.subtract_scaled);
      if (bad >= 0) return failure.note(matrix, bad);
      std::transform(x, x + systems, out + matrix * systems, [](double v) { return static_cast<T>(v); });
    });
    failure.report(context);
  }

 private:
  int64_t solve(const T* a, double* x, Subtract subtract) const noexcept {
    const int64_t n = shape_.n, m = shape_.m;
    const int64_t row = shape_.trans ? 1 : n, column = shape_.trans ? n : 1;
    if constexpr (triangular) {
      return substitute(a, row, column, shape_.upper == shape_.trans, shape_.unit, x, n, m, subtract);
    } else {
      double* lu = x + n * m;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) lu[i * n + j] = static_cast<double>(a[i * row + j * column]);
      }
      const int64_t bad = eliminate(lu, x, n, m, subtract);
      return bad >= 0 ? bad : substitute(lu, n, 1, false, false, x, n, m, subtract);
    }
  }

  SystemShape shape_;
};

template <class T>
using SolveGeneral = Solve<T, false>;
template <class T>
using SolveTriangular = Solve<T, true>;

void parse_system(InstructionReader& reader, SystemShape& s, bool general) {
  const DType dtype = reader.dtype();
  s.batch = reader.size("batch");
  s.n = reader.size("n");
  s.m = reader.size("m");
  const int64_t elements = reader.product({s.batch, s.n, s.m});
  s.a = reader.input("a", dtype, reader.product({s.batch, s.n, s.n}));
  s.b = reader.input("b", dtype, elements);
  s.out = reader.output("out", dtype, elements);
  const int64_t x = reader.product({s.n, s.m, 8});
  const int64_t lu = general ? reader.product({s.n, s.n, 8}) : 0;
  if (x > std::numeric_limits<int64_t>::max() - lu) reader.fail("its matrices are too large");
  if (s.batch > 0) reader.need_worker(x + lu);
}

}  // namespace

std::unique_ptr<Instruction> parse_CHOLESKY(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SystemShape s{};
  s.batch = reader.size("batch");
  s.n = reader.size("n");
  const int64_t elements = reader.product({s.batch, s.n, s.n});
  s.a = reader.input("in", reader.dtype(), elements);
  s.out = reader.output("out", reader.dtype(), elements);
  if (elements > 0) reader.need_worker(reader.product({s.n, s.n, 8}));
  return make_float<Cholesky>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_SOLVE(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SystemShape s{};
  s.trans = reader.flag("trans");
  parse_system(reader, s, true);
  return make_float<SolveGeneral>(reader.dtype(), s);
}

std::unique_ptr<Instruction> parse_SOLVE_TRIANGULAR(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SystemShape s{};
  s.upper = reader.flag("upper");
  s.trans = reader.flag("trans");
  s.unit = reader.flag("unitDiagonal");
  parse_system(reader, s, false);
  return make_float<SolveTriangular>(reader.dtype(), s);
}

}  // namespace neurite
