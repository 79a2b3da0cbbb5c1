// Reductions: the fixed order itself (bits), extremes with NaN, argmax; softmax and its loss against double.
#include <algorithm>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

constexpr int64_t lengths[] = {0, 1, 2, 3, 5, 8, 10, 15, 16, 17, 63, 64, 65, 127, 128, 1000, 4095, 4096};

int32_t wrapped(uint32_t x) { return static_cast<int32_t>(x); }

template <class T>
T combine(Reduction reduction, T a, T b) {
  if constexpr (sizeof(T) == 4 && static_cast<T>(0.5) == 0) {  // integers wrap
    const uint32_t x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
    if (reduction == Reduction::SUM) return wrapped(x + y);
    if (reduction == Reduction::PROD) return wrapped(x * y);
  }
  switch (reduction) {
    case Reduction::SUM: return static_cast<T>(a + b);
    case Reduction::PROD: return static_cast<T>(a * b);
    case Reduction::MAX: return a != a || b != b ? (a != a ? a : b) : std::max(a, b);
    default: return a != a || b != b ? (a != a ? a : b) : std::min(a, b);
  }
}
template <class T>
T identity(Reduction reduction) {
  const bool integer = static_cast<T>(0.5) == 0;
  switch (reduction) {
    case Reduction::SUM: return 0;
    case Reduction::PROD: return 1;
    case Reduction::MAX: return integer ? static_cast<T>(INT32_MIN) : static_cast<T>(-INFINITY);
    default: return integer ? static_cast<T>(INT32_MAX) : static_cast<T>(INFINITY);
  }
}

// The order that table.h promises, spelt out.
template <class T>
T in_order(Reduction reduction, const std::vector<T>& x) {
  T lane[64];
  std::fill(lane, lane + 64, identity<T>(reduction));
  for (size_t i = 0; i < x.size(); ++i) lane[i % 64] = combine(reduction, lane[i % 64], x[i]);
  for (int half = 32; half > 0; half /= 2) {
    for (int j = 0; j < half; ++j) lane[j] = combine(reduction, lane[j], lane[j + half]);
  }
  return lane[0];
}

template <class T>
bool equal(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0 || (a != a && b != b) || a == b;
}

template <class T>
std::vector<T> values_of(uint64_t seed, int64_t n) {
  std::vector<T> x = Values(seed).many<T>(n);
  if (static_cast<T>(0.5) == 0) {
    Values more(seed);
    for (T& v : x) v = static_cast<T>(static_cast<int64_t>(more.next() % 7) - 3);
  }
  return x;
}

template <class T>
void reductions(const char* name, const Kernels<T>& kernels) {
  for (Reduction reduction : {Reduction::SUM, Reduction::PROD, Reduction::MAX, Reduction::MIN}) {
    const int code = static_cast<int>(reduction);
    for (int64_t n : lengths) {
      const std::vector<T> x = values_of<T>(static_cast<uint64_t>(n) + 1, n);
      const T got = kernels.reduce_block(code, x.data(), n), want = in_order(reduction, x);
      CHECK(equal(got, want), "%s reduction %d of %lld = %.9g, want %.9g", name, code, (long long)n, double(got),
            double(want));
    }
    for (int64_t cols : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 130}) {
      for (int64_t rows : {0, 1, 2, 7, 128}) {
        const int64_t stride = cols + 3;
        const std::vector<T> x = values_of<T>(static_cast<uint64_t>(cols), rows * stride);
        std::vector<T> out(static_cast<size_t>(cols) + 1, T(5));
        kernels.reduce_rows(code, x.data(), rows, stride, cols, out.data());
        for (int64_t j = 0; j < cols; ++j) {
          T want = identity<T>(reduction);
          for (int64_t i = 0; i < rows; ++i) want = combine(reduction, want, x[static_cast<size_t>(i * stride + j)]);
          CHECK(equal(out[static_cast<size_t>(j)], want), "%s reduction %d, column %lld of %lldx%lld", name, code,
                (long long)j, (long long)rows, (long long)cols);
        }
        CHECK(out[static_cast<size_t>(cols)] == T(5), "%s reduce_rows wrote past the end", name);
      }
    }
  }
  for (int64_t n : lengths) {
    if (n == 0) continue;
    std::vector<T> x = values_of<T>(static_cast<uint64_t>(n) + 7, n);
    if (n > 2) x[static_cast<size_t>(n - 1)] = x[static_cast<size_t>(n / 2)];  // ties
    const int64_t most = std::max_element(x.begin(), x.end()) - x.begin(),
                  least = std::min_element(x.begin(), x.end()) - x.begin();
    CHECK(kernels.arg_reduce(static_cast<int>(Reduction::ARGMAX), x.data(), n) == most, "%s argmax of %lld", name,
          (long long)n);
    CHECK(kernels.arg_reduce(static_cast<int>(Reduction::ARGMIN), x.data(), n) == least, "%s argmin of %lld", name,
          (long long)n);
  }
}

// Every length and counts around the vectors, in memory that ends with the last element.
template <class T>
void few_neighbours(const char* name, const Kernels<T>& kernels) {
  for (Reduction reduction : {Reduction::SUM, Reduction::PROD, Reduction::MAX, Reduction::MIN}) {
    for (int64_t r = 1; r <= kReduceShort; ++r) {
      for (int64_t n : {1, 7, 8, 16, 17, 18, 35}) {
        std::vector<T> x = values_of<T>(static_cast<uint64_t>(n * r), n * r);
        if (static_cast<T>(0.5) != 0) x[static_cast<size_t>(n * r / 2)] = static_cast<T>(NAN);
        std::vector<T> out(static_cast<size_t>(n) + 1, T(5));
        kernels.reduce_short(static_cast<int>(reduction), x.data(), n, r, out.data());
        for (int64_t i = 0; i < n; ++i) {
          T want = identity<T>(reduction);
          for (int64_t j = 0; j < r; ++j) want = combine(reduction, want, x[static_cast<size_t>(i * r + j)]);
          CHECK(equal(out[static_cast<size_t>(i)], want), "%s reduction %d, %lld of %lld neighbours", name,
                int(reduction), (long long)i, (long long)r);
        }
        CHECK(out[static_cast<size_t>(n)] == T(5), "%s reduce_short wrote past the end", name);
      }
    }
  }
}

template <class T>
void first_extremes(const char* name, const Kernels<T>& kernels) {
  for (int64_t r = 1; r <= kReduceShort; ++r) {
    for (int64_t n : {1, 7, 8, 16, 17, 18, 35}) {
      std::vector<T> x = values_of<T>(static_cast<uint64_t>(n * r), n * r);
      for (int64_t i = 0; i < n; ++i) {
        T* const row = &x[static_cast<size_t>(i * r)];
        if (i % 3 == 1) row[r - 1] = row[r / 2];  // ties
        if (i % 3 == 2 && static_cast<T>(0.5) != 0) row[r / 3] = row[r - 1] = static_cast<T>(NAN);
      }
      for (Reduction reduction : {Reduction::ARGMAX, Reduction::ARGMIN}) {
        const int code = static_cast<int>(reduction);
        std::vector<int32_t> out(static_cast<size_t>(n) + 1, -5);
        kernels.arg_short(code, x.data(), n, r, out.data());
        for (int64_t i = 0; i < n; ++i) {
          const int64_t want = kernels.arg_reduce(code, &x[static_cast<size_t>(i * r)], r);
          CHECK(out[static_cast<size_t>(i)] == want, "%s extreme %d, row %lld of %lld: %d, want %lld", name, code,
                (long long)i, (long long)r, out[static_cast<size_t>(i)], (long long)want);
        }
        CHECK(out[static_cast<size_t>(n)] == -5, "%s arg_short wrote past the end", name);
      }
    }
  }
}

template <class T>
void with_nan(const char* name, const Kernels<T>& kernels) {
  for (int64_t n : lengths) {
    for (int64_t at = 0; at < n; at += 1 + n / 9) {
      std::vector<T> x = values_of<T>(3, n);
      x[static_cast<size_t>(at)] = static_cast<T>(NAN);
      x[static_cast<size_t>(n - 1)] = at == n - 1 ? static_cast<T>(NAN) : static_cast<T>(INFINITY);
      for (Reduction r : {Reduction::SUM, Reduction::PROD, Reduction::MAX, Reduction::MIN}) {
        CHECK(std::isnan(kernels.reduce_block(static_cast<int>(r), x.data(), n)), "%s reduction %d keeps NaN", name,
              int(r));
      }
      for (Reduction r : {Reduction::ARGMAX, Reduction::ARGMIN}) {
        CHECK(kernels.arg_reduce(static_cast<int>(r), x.data(), n) == at, "%s: the first NaN is the extreme", name);
      }
    }
  }
}

template <class T>
void softmax(const char* name, const Kernels<T>& kernels) {
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  for (int64_t cols : {1, 2, 3, 4, 9, 10, 15, 16, 17, 33, 63, 64, 65, 1000, 5003}) {
    for (double spread : {1.0, 30.0, 1000.0}) {
      const int64_t rows = 3;
      std::vector<T> x = Values(static_cast<uint64_t>(cols)).many<T>(rows * cols);
      for (T& v : x) v = static_cast<T>(static_cast<double>(v) * spread + 5);
      std::vector<T> p(x.size()), l(x.size()), loss(3), grad(x.size());
      const int32_t labels[3] = {0, static_cast<int32_t>(cols / 2), static_cast<int32_t>(cols - 1)};
      kernels.softmax(x.data(), rows, cols, p.data(), false);
      kernels.softmax(x.data(), rows, cols, l.data(), true);
      kernels.softmax_ce(x.data(), labels, rows, cols, loss.data(), grad.data());
      for (int64_t r = 0; r < rows; ++r) {
        const T* row = &x[static_cast<size_t>(r * cols)];
        const double peak = static_cast<double>(*std::max_element(row, row + cols));
        double total = 0;
        for (int64_t j = 0; j < cols; ++j) total += std::exp(static_cast<double>(row[j]) - peak);
        // x - max is rounded (eps |x - max|), e^x has 2 ulp, the sum cols / lanes + log roundings at most, then two
        // more
        const double sums = 8 + 2 * std::min(64.0, static_cast<double>(cols)) + static_cast<double>(cols) / 256;
        for (int64_t j = 0; j < cols; ++j) {
          const size_t at = static_cast<size_t>(r * cols + j);
          const double z = static_cast<double>(row[j]) - peak, want = std::exp(z) / total;
          const double tolerance = eps * (sums + std::fabs(z)) * want + 1.2e-38;
          CHECK(std::fabs(double(p[at]) - want) <= tolerance, "%s softmax of %lld: %.9g, want %.9g", name,
                (long long)cols, double(p[at]), want);
          const double log_tolerance = eps * (sums + 3 * std::fabs(z) + 2 * std::log(total));
          CHECK(std::fabs(double(l[at]) - (z - std::log(total))) <= log_tolerance, "%s log softmax of %lld", name,
                (long long)cols);
          const double hot = want - (j == labels[r] ? 1 : 0);
          CHECK(std::fabs(double(grad[at]) - hot) <= tolerance + eps, "%s gradient of softmax cross-entropy", name);
        }
        const double z = static_cast<double>(row[labels[r]]) - peak, want = std::log(total) - z;
        CHECK(std::fabs(double(loss[size_t(r)]) - want) <= eps * (sums + 3 * std::fabs(z) + 2 * std::log(total)),
              "%s softmax cross-entropy of %lld: %.9g, want %.9g", name, (long long)cols, double(loss[size_t(r)]),
              want);
      }
      std::vector<T> in_place = x;
      kernels.softmax(in_place.data(), rows, cols, in_place.data(), false);
      CHECK(check::same_bits(in_place, p), "%s softmax in place", name);
      in_place = x;
      kernels.softmax(in_place.data(), rows, cols, in_place.data(), true);
      CHECK(check::same_bits(in_place, l), "%s log softmax in place", name);
      in_place = x;
      std::vector<T> only(3);
      kernels.softmax_ce(in_place.data(), labels, rows, cols, nullptr, in_place.data());
      kernels.softmax_ce(x.data(), labels, rows, cols, only.data(), nullptr);
      CHECK(check::same_bits(in_place, grad) && check::same_bits(only, loss), "%s loss and gradient apart", name);
    }
    std::vector<T> bad(static_cast<size_t>(cols), T(1)), out(bad.size());
    bad[static_cast<size_t>(cols / 2)] = static_cast<T>(NAN);
    kernels.softmax(bad.data(), 1, cols, out.data(), false);
    CHECK(std::isnan(out[0]) && std::isnan(out.back()), "%s softmax of a row with NaN is NaN", name);
    if (cols > 1) {
      bad.assign(bad.size(), static_cast<T>(-INFINITY));
      bad[0] = T(3);
      kernels.softmax(bad.data(), 1, cols, out.data(), false);
      CHECK(out[0] == 1 && out.back() == 0, "%s softmax with masked (-infinity) scores", name);
    }
  }
}

}  // namespace

SUITE(reduce) {
  check::each_table([](const KernelTable& t) {
    reductions(t.name, t.f32);
    few_neighbours(t.name, t.f32);
    first_extremes(t.name, t.f32);
    with_nan(t.name, t.f32);
  });
  reductions("float64", float64_kernels());
  few_neighbours("float64", float64_kernels());
  first_extremes("float64", float64_kernels());
  with_nan("float64", float64_kernels());
  reductions("int32", int32_kernels());
  few_neighbours("int32", int32_kernels());
  first_extremes("int32", int32_kernels());
}

SUITE(softmax) {
  check::each_table([](const KernelTable& t) { softmax(t.name, t.f32); });
  softmax("float64", float64_kernels());
}
