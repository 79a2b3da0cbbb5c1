// solve_dense and cholesky_upper against the textbook's loops, bit by bit, and what they do with singular matrices.
#include <utility>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

constexpr int64_t orders[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31};

int64_t up(int64_t n) { return (n + kSolveBlock - 1) / kSolveBlock * kSolveBlock; }

/** Rows of A and B side by side, as solve_dense takes them. */
std::vector<double> system_of(uint64_t seed, int64_t n, int64_t m) {
  std::vector<double> rows(static_cast<size_t>(n * (up(n) + up(m))));
  Values values(seed);
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<double> row = values.many<double>(n + m);
    for (int64_t j = 0; j < n + m; ++j) {
      rows[static_cast<size_t>(i * (up(n) + up(m)) + (j < n ? j : up(n) + j - n))] = row[static_cast<size_t>(j)];
    }
  }
  return rows;
}

/** One row after another; of the unknowns that follow, those of the last block are taken first. */
void solve_in_order(double* a, int64_t n, int64_t m) {
  const int64_t from = up(n), ld = from + up(m);
  const auto at = [=](int64_t i, int64_t j) -> double& { return a[i * ld + j]; };
  for (int64_t k = 0; k < n; ++k) {
    int64_t best = k;
    for (int64_t i = k; i < n; ++i) {
      if (std::fabs(at(i, k)) > std::fabs(at(best, k))) best = i;
    }
    for (int64_t j = 0; j < ld; ++j) std::swap(at(k, j), at(best, j));
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = at(i, k) / at(k, k);
      for (int64_t j = k + 1; j < ld; ++j) at(i, j) -= factor * at(k, j);
    }
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t j = from; j < from + m; ++j) {
      for (int64_t p = from - kSolveBlock; p > i - kSolveBlock; p -= kSolveBlock) {
        for (int64_t q = std::max(i + 1, p); q < std::min(n, p + kSolveBlock); ++q) at(i, j) -= at(i, q) * at(q, j);
      }
      at(i, j) /= at(i, i);
    }
  }
}

void solves(const char* name, const Kernels<float>& kernels) {
  for (int64_t n : orders) {
    for (int64_t m : {1, 2, 8, 9}) {
      std::vector<double> got = system_of(static_cast<uint64_t>(n * 16 + m), n, m), want = got;
      const int64_t from = up(n), ld = from + up(m);
      CHECK(kernels.solve_dense(got.data(), n, ld) == -1, "%s solves %lld", name, (long long)n);
      solve_in_order(want.data(), n, m);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = from; j < from + m; ++j) {
          const double x = got[static_cast<size_t>(i * ld + j)], y = want[static_cast<size_t>(i * ld + j)];
          CHECK(x == y, "%s solution of %lld, row %lld: %.17g, want %.17g", name, (long long)n, (long long)i, x, y);
        }
      }
    }
    std::vector<double> singular = system_of(static_cast<uint64_t>(n), n, 1);
    const int64_t ld = up(n) + kSolveBlock;
    for (int64_t i = 0; i < n; ++i) singular[static_cast<size_t>(i * ld + n / 2)] = n % 2 == 0 ? 0 : NAN;
    CHECK(kernels.solve_dense(singular.data(), n, ld) == n / 2, "%s: the column without a pivot of %lld", name,
          (long long)n);
  }
}

void decomposes(const char* name, const Kernels<float>& kernels) {
  for (int64_t n : orders) {
    const int64_t ld = up(n);
    const std::vector<double> x = Values(static_cast<uint64_t>(n)).many<double>(n * n);
    std::vector<double> a(static_cast<size_t>(n * ld));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i; j < n; ++j) {
        double& sum = a[static_cast<size_t>(i * ld + j)];
        sum = i == j ? 1 : 0;
        for (int64_t k = 0; k < n; ++k) sum += x[static_cast<size_t>(i * n + k)] * x[static_cast<size_t>(j * n + k)];
      }
    }
    std::vector<double> got = a, want = a, bad = a;
    const auto at = [&](int64_t i, int64_t j) -> double& { return want[static_cast<size_t>(i * ld + j)]; };
    for (int64_t k = 0; k < n; ++k) {
      const double root = at(k, k) = std::sqrt(at(k, k));
      for (int64_t j = k + 1; j < n; ++j) at(k, j) /= root;
      for (int64_t i = k + 1; i < n; ++i) {
        for (int64_t j = i; j < n; ++j) at(i, j) -= at(k, i) * at(k, j);
      }
    }
    CHECK(kernels.cholesky_upper(got.data(), n, ld) == -1, "%s decomposes %lld", name, (long long)n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i; j < n; ++j) {
        const double y = got[static_cast<size_t>(i * ld + j)];
        CHECK(y == at(i, j), "%s factor of %lld, [%lld, %lld]: %.17g, want %.17g", name, (long long)n, (long long)i,
              (long long)j, y, at(i, j));
      }
    }
    bad[static_cast<size_t>(n / 2 * (ld + 1))] = n % 2 == 0 ? -1e9 : NAN;
    CHECK(kernels.cholesky_upper(bad.data(), n, ld) == n / 2, "%s: the row that is not positive of %lld", name,
          (long long)n);
  }
}

}  // namespace

SUITE(linalg) {
  check::each_table([](const KernelTable& t) {
    solves(t.name, t.f32);
    decomposes(t.name, t.f32);
  });
}
