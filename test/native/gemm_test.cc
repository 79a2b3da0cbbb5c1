// GEMM against a double reference, bits under every split, edges, epilogues, NaN.
#include <algorithm>
#include <cstdlib>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

template <class T>
struct Problem {
  int64_t m, n, k;
  bool trans_a, trans_b;
  int64_t pad;  // added to each leading dimension
  std::vector<T> a, b, c, bias, aux;
  GemmArgs<T> args;

  Problem(int64_t m_, int64_t n_, int64_t k_, bool ta, bool tb, int64_t pad_, uint64_t seed)
      : m(m_), n(n_), k(k_), trans_a(ta), trans_b(tb), pad(pad_) {
    Values values(seed);
    const int64_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
    // Exactly as long as the last element read or written, so that an over-read is seen by a sanitizer.
    a = values.many<T>(extent(ta ? k : m, ta ? m : k, lda));
    b = values.many<T>(extent(tb ? n : k, tb ? k : n, ldb));
    c = values.many<T>(extent(m, n, ldc));
    bias = values.many<T>(n);
    aux = values.many<T>(extent(m, n, ldc));
    args = {m,
            n,
            k,
            a.data(),
            lda,
            ta,
            b.data(),
            ldb,
            tb,
            c.data(),
            ldc,
            nullptr,
            Activation::IDENTITY,
            aux.data(),
            ldc,
            Activation::IDENTITY};
  }
  static int64_t extent(int64_t rows, int64_t cols, int64_t ld) {
    return rows == 0 || cols == 0 ? 0 : (rows - 1) * ld + cols;
  }
  T at_a(int64_t i, int64_t p) const { return a[static_cast<size_t>(trans_a ? p * args.lda + i : i * args.lda + p)]; }
  T at_b(int64_t p, int64_t j) const { return b[static_cast<size_t>(trans_b ? j * args.ldb + p : p * args.ldb + j)]; }
};

struct Scratch {
  void* memory;
  int64_t bytes;
  explicit Scratch(int64_t n) : bytes((n + 127) / 64 * 64) {
    memory = std::aligned_alloc(64, static_cast<size_t>(bytes));
    std::memset(memory, 0xFF, static_cast<size_t>(bytes));  // NaN: what is not packed must not be used
  }
  ~Scratch() { std::free(memory); }
};

template <class T>
void run(const Kernels<T>& kernels, const GemmArgs<T>& args, Range rows, Range cols) {
  const int64_t bytes = kernels.gemm_scratch(args, rows.end - rows.begin, cols.end - cols.begin);
  Scratch scratch(bytes);
  kernels.gemm(args, rows, cols, scratch.memory);
  for (int64_t i = bytes; i < scratch.bytes; ++i) {
    CHECK(static_cast<unsigned char*>(scratch.memory)[i] == 0xFF, "gemm wrote past its scratch");
  }
}

template <class T>
T activation(Activation act, T x) {
  const double d = static_cast<double>(x);
  switch (act) {
    case Activation::RELU: return x > 0 ? x : T(0);
    case Activation::TANH: return static_cast<T>(std::tanh(d));
    case Activation::SIGMOID: return static_cast<T>(1 / (1 + std::exp(-d)));
    default: return x;
  }
}
double derivative(Activation act, double y) {
  switch (act) {
    case Activation::RELU: return y > 0 ? 1 : 0;
    case Activation::TANH: return (1 - y) * (1 + y);
    case Activation::SIGMOID: return y * (1 - y);
    default: return 1;
  }
}

template <class T>
void against_reference(const char* name, const Kernels<T>& kernels, Problem<T>& p) {
  const std::vector<T> before = p.c;
  run(kernels, p.args, {0, p.m}, {0, p.n});
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0, scale = 0;
      for (int64_t q = 0; q < p.k; ++q) {
        const double product = static_cast<double>(p.at_a(i, q)) * static_cast<double>(p.at_b(q, j));
        sum += product;
        scale += std::fabs(product);
      }
      if (p.args.bias != nullptr) {
        sum += static_cast<double>(p.bias[static_cast<size_t>(j)]);
        scale += std::fabs(static_cast<double>(p.bias[static_cast<size_t>(j)]));
      }
      const size_t at = static_cast<size_t>(i * p.args.ldc + j);
      const double slope = derivative(p.args.act_grad, static_cast<double>(p.aux[at]));
      const double want = static_cast<double>(activation(p.args.act, sum)) * slope;
      // k products, k sums (the scalar unit rounds both) and the bias, then up to 8 roundings of the epilogue; slopes
      // <= 1
      const double tolerance =
          eps * ((2.0 * static_cast<double>(p.k) + 2) * scale + 8 * std::fabs(want)) * (1 + std::fabs(slope));
      const double got = static_cast<double>(p.c[at]);
      CHECK(std::fabs(got - want) <= tolerance, "%s %lldx%lldx%lld %c%c act %d: C[%lld,%lld] = %.9g, want %.9g +- %.2g",
            name, (long long)p.m, (long long)p.n, (long long)p.k, p.trans_a ? 'T' : 'N', p.trans_b ? 'T' : 'N',
            (int)p.args.act, (long long)i, (long long)j, got, want, tolerance);
    }
    if (p.pad > 0 && p.n > 0 && i + 1 < p.m) {
      const size_t gap = static_cast<size_t>(i * p.args.ldc + p.n);
      CHECK(std::memcmp(&p.c[gap], &before[gap], static_cast<size_t>(p.pad) * sizeof(T)) == 0,
            "%s wrote between rows of C", name);
    }
  }
}

template <class T>
void shapes(const char* name, const Kernels<T>& kernels) {
  const int64_t sizes[][3] = {{1, 1, 1},    {1, 1, 0},     {3, 5, 0},     {0, 4, 3},     {4, 0, 3},
                              {2, 3, 5},    {6, 16, 7},    {7, 17, 13},   {14, 32, 31},  {13, 31, 33},
                              {15, 33, 64}, {17, 15, 129}, {1, 70, 40},   {40, 1, 70},   {29, 10, 3},
                              {5, 64, 511}, {6, 48, 513},  {3, 37, 1025}, {128, 10, 17}, {61, 96, 24}};
  uint64_t seed = 1;
  for (const auto& s : sizes) {
    for (int trans = 0; trans < 4; ++trans) {
      Problem<T> p(s[0], s[1], s[2], (trans & 1) != 0, (trans & 2) != 0, trans == 0 ? 0 : trans * 3, seed++);
      against_reference(name, kernels, p);
      for (int act = 0; act < 4; ++act) {
        p.args.bias = p.bias.data();
        p.args.act = static_cast<Activation>(act);
        p.args.act_grad = static_cast<Activation>((act + trans) % 4);
        against_reference(name, kernels, p);
      }
    }
  }
}

// Rows 4 KiB apart, wide enough for several row groups and panels: the packing paths. Then A packed once for several
// blocks of columns and of k.
template <class T>
void packed(const char* name, const Kernels<T>& kernels) {
  const int64_t page = 4096 / static_cast<int64_t>(sizeof(T));
  const int64_t sizes[][3] = {{67, 45, 30}, {33, 150, 520}};
  for (const auto& s : sizes) {
    for (int trans = 0; trans < 4; ++trans) {
      Problem<T> p(s[0], s[1], s[2], (trans & 1) != 0, (trans & 2) != 0, 0, 77);
      const int64_t ld = page;
      Values values(5);
      p.a = values.many<T>(ld * std::max(s[0], s[2]));
      p.b = values.many<T>(ld * std::max(s[1], s[2]));
      p.args.a = p.a.data();
      p.args.b = p.b.data();
      p.args.lda = p.args.ldb = ld;
      against_reference(name, kernels, p);
    }
  }
}

// Several blocks of columns, groups of rows and blocks of k; few rows that stream B; few columns.
template <class T>
void large(const char* name, const Kernels<T>& kernels) {
  const int64_t sizes[][3] = {{300, 40, 530}, {30, 1100, 20},  {5, 1100, 70},
                              {2, 2100, 530}, {1, 1033, 1025}, {260, 1, 530}};
  uint64_t seed = 500;
  for (const auto& s : sizes) {
    for (int trans = 0; trans < 4; ++trans) {
      Problem<T> p(s[0], s[1], s[2], (trans & 1) != 0, (trans & 2) != 0, trans, seed++);
      p.args.bias = p.bias.data();
      p.args.act_grad = Activation::TANH;
      against_reference(name, kernels, p);
    }
  }
}

// Without products, accumulate leaves the epilogue of what C holds.
template <class T>
void accumulates(const char* name, const Kernels<T>& kernels) {
  for (const int64_t m : {2, 23}) {
    Problem<T> p(m, 70, 0, false, false, 3, 4);
    p.args.bias = p.bias.data();
    p.args.act = Activation::RELU;
    p.args.accumulate = true;
    const std::vector<T> before = p.c;
    run(kernels, p.args, {0, p.m}, {0, p.n});
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        const size_t at = static_cast<size_t>(i * p.args.ldc + j);
        const T want = std::max(T(0), before[at] + p.bias[static_cast<size_t>(j)]);
        CHECK(p.c[at] == want, "%s: C[%lld,%lld] = %g, want %g", name, (long long)i, (long long)j,
              static_cast<double>(p.c[at]), static_cast<double>(want));
      }
    }
  }
}

// A handler that cuts k asks once, for all of k.
template <class T>
void scratch_grows(const char* name, const Kernels<T>& kernels) {
  for (int trans = 0; trans < 4; ++trans) {
    int64_t before = 0;
    for (int64_t k = 0; k < 2100; k += 13) {
      Problem<T> p(20, 70, k, (trans & 1) != 0, (trans & 2) != 0, 0, 1);
      p.args.lda = p.args.ldb = 4096;
      const int64_t bytes = kernels.gemm_scratch(p.args, p.m, p.n);
      CHECK(bytes >= before, "%s: k = %lld needs %lld bytes, a shorter one %lld", name, (long long)k, (long long)bytes,
            (long long)before);
      before = bytes;
    }
  }
}

template <class T>
void splits(const char* name, const Kernels<T>& kernels, int64_t m, int64_t n) {
  for (int trans = 0; trans < 4; ++trans) {
    Problem<T> p(m, n, 600, (trans & 1) != 0, (trans & 2) != 0, 2, 9);
    p.args.bias = p.bias.data();
    p.args.act = Activation::TANH;
    run(kernels, p.args, {0, p.m}, {0, p.n});
    const std::vector<T> whole = p.c;
    const int64_t steps[][2] = {{1, 1}, {1, n}, {m, 1}, {14, 32}, {6, 16}, {5, 7}, {28, 64}, {4, 4}, {33, 47}};
    for (const auto& step : steps) {
      std::fill(p.c.begin(), p.c.end(), T(7));
      for (int64_t i = 0; i < p.m; i += step[0]) {
        for (int64_t j = 0; j < p.n; j += step[1]) {
          run(kernels, p.args, {i, std::min(p.m, i + step[0])}, {j, std::min(p.n, j + step[1])});
        }
      }
      bool same = true;
      for (int64_t i = 0; i < p.m; ++i) {
        const size_t at = static_cast<size_t>(i * p.args.ldc);
        same = same && std::memcmp(&p.c[at], &whole[at], static_cast<size_t>(p.n) * sizeof(T)) == 0;
      }
      CHECK(same, "%s %c%c: blocks of %lldx%lld change the bits", name, p.trans_a ? 'T' : 'N', p.trans_b ? 'T' : 'N',
            (long long)step[0], (long long)step[1]);
    }
  }
}

// A NaN or infinity reaches exactly its row or column of C, whatever the tile holds beside it.
template <class T>
void not_finite(const char* name, const Kernels<T>& kernels) {
  for (int trans = 0; trans < 4; ++trans) {
    Problem<T> p(17, 35, 9, (trans & 1) != 0, (trans & 2) != 0, 0, 3);
    for (T& x : p.a) x = std::fabs(x) + 1;
    p.a[static_cast<size_t>(trans & 1 ? 4 * 17 + 5 : 5 * 9 + 4)] = static_cast<T>(NAN);
    p.b[static_cast<size_t>(trans & 2 ? 33 * 9 + 2 : 2 * 35 + 33)] = static_cast<T>(INFINITY);
    for (int relu = 0; relu < 2; ++relu) {
      p.args.act = relu ? Activation::RELU : Activation::IDENTITY;
      run(kernels, p.args, {0, p.m}, {0, p.n});
      for (int64_t i = 0; i < p.m; ++i) {
        for (int64_t j = 0; j < p.n; ++j) {
          const T x = p.c[static_cast<size_t>(i * 35 + j)];
          const bool ok = i == 5 ? std::isnan(x) : j == 33 ? std::isinf(x) && x > 0 : std::isfinite(x);
          CHECK(ok, "%s: C[%lld,%lld] = %g beside NaN in row 5 and infinity in column 33", name, (long long)i,
                (long long)j, static_cast<double>(x));
        }
      }
    }
  }
}

template <class T>
void all(const char* name, const Kernels<T>& kernels) {
  shapes(name, kernels);
  packed(name, kernels);
  large(name, kernels);
  accumulates(name, kernels);
  scratch_grows(name, kernels);
  splits(name, kernels, 59, 83);
  splits(name, kernels, 5, 150);  // streams
  not_finite(name, kernels);
}

}  // namespace

SUITE(gemm) {
  check::each_table([](const KernelTable& t) { all(t.name, t.f32); });
  all("float64", float64_kernels());
}
