// CHOLESKY, SOLVE and SOLVE_TRIANGULAR for small systems: one matrix is one task, worked on in double and rounded once.
// Sources: Golub and Van Loan, Matrix Computations, 4th ed., 3.1, 3.4 and 4.2.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "../base/checked.h"
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

/** row -= factor * other. */
using Subtract = void (*)(double* row, double factor, const double* other, int64_t n) noexcept;

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

template <class T>
class Cholesky final : public Instruction {
 public:
  explicit Cholesky(const SystemShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t n = shape_.n, ld = round_up(n, kSolveBlock);
    const T* a = context.at<const T>(shape_.a);
    T* out = context.at<T>(shape_.out);
    FirstFailure failure;
    context.team.parallel_for(shape_.batch, [&](int64_t matrix, int worker) noexcept {
      double* const u = reinterpret_cast<double*>(context.scratch(worker));
      const T* const from = a + matrix * n * n;
      std::fill_n(u, n * ld, 0.0);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) u[j * ld + i] = static_cast<double>(from[i * n + j]);
      }
      const int64_t bad = context.kernels.f32.cholesky_upper(u, n, ld);
      if (bad >= 0) return failure.note(matrix, bad);
      T* const l = out + matrix * n * n;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) l[i * n + j] = static_cast<T>(u[j * ld + i]);
        std::fill(l + i * n + i + 1, l + (i + 1) * n, T{0});
      }
    });
    failure.report(context);
  }

 private:
  SystemShape shape_;
};

template <class T>
class SolveGeneral final : public Instruction {
 public:
  explicit SolveGeneral(const SystemShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t n = shape_.n, m = shape_.m, from = round_up(n, kSolveBlock), ld = from + round_up(m, kSolveBlock);
    const int64_t row = shape_.trans ? 1 : n, column = shape_.trans ? n : 1;
    FirstFailure failure;
    context.team.parallel_for(shape_.batch, [&](int64_t matrix, int worker) noexcept {
      double* const rows = reinterpret_cast<double*>(context.scratch(worker));
      const T* const a = context.at<const T>(shape_.a) + matrix * n * n;
      const T* const b = context.at<const T>(shape_.b) + matrix * n * m;
      T* const out = context.at<T>(shape_.out) + matrix * n * m;
      for (int64_t i = 0; i < n; ++i) {
        double* const to = rows + i * ld;
        for (int64_t j = 0; j < n; ++j) to[j] = static_cast<double>(a[i * row + j * column]);
        std::fill(to + n, to + from, 0.0);
        for (int64_t j = 0; j < m; ++j) to[from + j] = static_cast<double>(b[i * m + j]);
        std::fill(to + from + m, to + ld, 0.0);
      }
      const int64_t bad = context.kernels.f32.solve_dense(rows, n, ld);
      if (bad >= 0) return failure.note(matrix, bad);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < m; ++j) out[i * m + j] = static_cast<T>(rows[i * ld + from + j]);
      }
    });
    failure.report(context);
  }

 private:
  SystemShape shape_;
};

template <class T>
class SolveTriangular final : public Instruction {
 public:
  explicit SolveTriangular(const SystemShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const auto& [batch, n, m, trans, upper, unit, a_at, b_at, out_at] = shape_;
    const T* a = context.at<const T>(a_at);
    const T* b = context.at<const T>(b_at);
    T* out = context.at<T>(out_at);
    FirstFailure failure;
    context.team.parallel_for(batch, [&](int64_t matrix, int worker) noexcept {
      double* x = reinterpret_cast<double*>(context.scratch(worker));
      const int64_t size = shape_.n, systems = size * shape_.m;
      const int64_t row = shape_.trans ? 1 : size, column = shape_.trans ? size : 1;
      std::copy_n(b + matrix * systems, systems, x);
      const int64_t bad = substitute(a + matrix * size * size, row, column, shape_.upper == shape_.trans, shape_.unit,
                                     x, size, shape_.m, context.kernels.f32.subtract_scaled);
      if (bad >= 0) return failure.note(matrix, bad);
      std::transform(x, x + systems, out + matrix * systems, [](double v) { return static_cast<T>(v); });
    });
    failure.report(context);
  }

 private:
  SystemShape shape_;
};

void parse_system(InstructionReader& reader, SystemShape& s, bool general) {
  const DType dtype = reader.dtype();
  s.batch = reader.size("batch");
  s.n = reader.size("n");
  s.m = reader.size("m");
  const int64_t elements = reader.product({s.batch, s.n, s.m});
  s.a = reader.input("a", dtype, reader.product({s.batch, s.n, s.n}));
  s.b = reader.input("b", dtype, elements);
  s.out = reader.output("out", dtype, elements);
  if (s.batch == 0 || s.n == 0) return;
  const int64_t ld = general ? round_up(s.n, kSolveBlock) + round_up(s.m, kSolveBlock) : s.m;
  reader.need_worker(reader.product({s.n, ld, 8}));
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
  if (elements > 0) reader.need_worker(reader.product({s.n, round_up(s.n, kSolveBlock), 8}));
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
