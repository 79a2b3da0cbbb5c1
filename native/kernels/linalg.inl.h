// Small systems of linear equations, in double whatever T is. Work is done on blocks of eight columns, so that what is
// taken from a row is loaded and stored once for eight rows; each element meets the same terms in the same order as in
// the textbook's loops, on every instruction set. Source: Golub and Van Loan, Matrix Computations, 4th ed., 3.4
// and 4.2.
#pragma once

namespace neurite::NEURITE_ISA {

// row -= factor * other: decompositions and substitutions by rows.
template <class T>
void subtract_scaled(double* row, double factor, const double* other, int64_t n) noexcept {
  for (int64_t j = 0; j < n; ++j) row[j] -= factor * other[j];
}

// row -= sum of factors[q] * (row q of others), q < count <= 8 in ascending order; n is a multiple of 8.
NEURITE_INLINE void subtract_rows(double* row, const double* factors, const double* others, int64_t ld, int64_t count,
                                  int64_t n) {
  if (count == kSolveBlock) {
    const double f0 = factors[0], f1 = factors[1], f2 = factors[2], f3 = factors[3];
    const double f4 = factors[4], f5 = factors[5], f6 = factors[6], f7 = factors[7];
    for (int64_t j = 0; j < n; j += kSolveBlock) {
      double sum[kSolveBlock];
      for (int l = 0; l < kSolveBlock; ++l) {
        const double* const x = others + j + l;
        double t = row[j + l];
        t -= f0 * x[0];
        t -= f1 * x[ld];
        t -= f2 * x[2 * ld];
        t -= f3 * x[3 * ld];
        t -= f4 * x[4 * ld];
        t -= f5 * x[5 * ld];
        t -= f6 * x[6 * ld];
        sum[l] = t - f7 * x[7 * ld];
      }
      for (int l = 0; l < kSolveBlock; ++l) row[j + l] = sum[l];
    }
    return;
  }
  for (int64_t q = 0; q < count; ++q) subtract_scaled<double>(row, factors[q], others + q * ld, n);
}

// The greatest magnitude in a column so far, the first of equals.
struct Pivot {
  int64_t row = 0;
  double size = -1;

  NEURITE_INLINE void consider(int64_t i, double x) {
    const double magnitude = __builtin_fabs(x);
    if (size < 0 || magnitude > size) {
      size = magnitude;
      row = i;
    }
  }
};

// Solves A X = B: `a` holds rows of ld elements, A from column 0 and B from column round_up(n, 8) on, zeros between; X
// takes B's place. LU with row exchanges. Row of the first pivot that is 0 or NaN, or -1.
template <class T>
int64_t solve_dense(double* a, int64_t n, int64_t ld) noexcept {
  constexpr int64_t w = kSolveBlock;
  for (int64_t p = 0; p < n; p += w) {
    const int64_t end = p + w < n ? p + w : n;
    Pivot next;
    for (int64_t i = p; i < n; ++i) next.consider(i, a[i * ld + p]);
    for (int64_t k = p; k < end; ++k) {
      const Pivot pivot = next;
      if (!(pivot.size > 0)) return k;
      double* const x = a + k * ld;
      double* const y = a + pivot.row * ld;
      for (int64_t j = 0; x != y && j < ld; ++j) {
        const double t = x[j];
        x[j] = y[j];
        y[j] = t;
      }
      double top[w];  // what follows the pivot in its block
      for (int l = 0; l < w; ++l) top[l] = p + l > k ? x[p + l] : 0;
      next = {};
      for (int64_t i = k + 1; i < n; ++i) {
        double* const row = a + i * ld + p;
        const double factor = row[k - p] / x[k];
        for (int l = 0; l < w; ++l) row[l] -= factor * top[l];
        row[k - p] = factor;
        if (k + 1 < end) next.consider(i, row[k + 1 - p]);
      }
    }
    for (int64_t i = p + 1; i < n; ++i) {
      const int64_t count = i < end ? i - p : end - p;
      subtract_rows(a + i * ld + p + w, a + i * ld + p, a + p * ld + p + w, ld, count, ld - p - w);
    }
  }
  const int64_t from = (n + w - 1) / w * w, m = ld - from;
  for (int64_t p = from - w; p >= 0; p -= w) {
    const int64_t end = p + w < n ? p + w : n;
    for (int64_t i = end - 1; i >= p; --i) {
      double* const x = a + i * ld + from;
      subtract_rows(x, a + i * ld + i + 1, a + (i + 1) * ld + from, ld, end - i - 1, m);
      const double pivot = a[i * ld + i];
      for (int64_t j = 0; j < m; ++j) x[j] /= pivot;
    }
    for (int64_t i = 0; i < p; ++i) subtract_rows(a + i * ld + from, a + i * ld + p, a + p * ld + from, ld, end - p, m);
  }
  return -1;
}

// The upper triangle of A, rows of ld elements, becomes L' with L L' = A; ld is a multiple of 8, and what lies outside
// of the triangle is overwritten. Row of the first pivot that is not above 0 (NaN included), or -1.
template <class T>
int64_t cholesky_upper(double* a, int64_t n, int64_t ld) noexcept {
  constexpr int64_t w = kSolveBlock;
  double factors[w];
  for (int64_t p = 0; p < n; p += w) {
    const int64_t end = p + w < n ? p + w : n;
    for (int64_t i = p; i < n; ++i) {
      const int64_t first = i / w * w, count = i < end ? i - p : w;
      for (int64_t q = 0; q < count; ++q) factors[q] = a[(p + q) * ld + i];
      double* const row = a + i * ld;
      subtract_rows(row + first, factors, a + p * ld + first, ld, count, ld - first);
      if (i >= end) continue;
      if (!(row[i] > 0)) return i;
      const double root = __builtin_sqrt(row[i]);
      row[i] = root;
      for (int64_t j = i + 1; j < n; ++j) row[j] /= root;
    }
  }
  return -1;
}

}  // namespace neurite::NEURITE_ISA
