// Layer normalisation, over rows, forward and backward. Mean first, then the sum of squared differences from it (two
// passes over data in cache: no cancellation). Sums have a fixed order for each instruction set. Source: Ba et al.
// 2016.
#pragma once

namespace neurite::NEURITE_ISA {

// `count` sums over i < n in one pass. term(read, write, acc) adds to acc; read(p, fill) is the vector of p at i, with
// `fill` in lanes past the end, write(p, v) stores there. Vectors of partial sums, folded every kReduceBlock elements.
template <int count, class T, class F>
NEURITE_INLINE void sum_terms(int64_t n, T* sums, F term) {
  using V = Vec<T>;
  constexpr int width = count == 1 ? 8 : 4;
  for (int s = 0; s < count; ++s) sums[s] = T(0);
  for (int64_t begin = 0; begin < n; begin += kReduceBlock) {
    const int64_t end = n - begin < kReduceBlock ? n : begin + kReduceBlock;
    V acc[width][count];
    NEURITE_UNROLL
    for (int j = 0; j < width; ++j) {
      NEURITE_UNROLL
      for (int s = 0; s < count; ++s) acc[j][s] = V::set(0);
    }
    int64_t i = begin;
    for (; i + width * V::lanes <= end; i += width * V::lanes) {
      NEURITE_UNROLL
      for (int j = 0; j < width; ++j) {
        const int64_t at = i + j * V::lanes;
        term([at](const T* p, V) { return V::load(p + at); }, [at](T* p, V v) { v.store(p + at); }, acc[j]);
      }
    }
    for (; i + V::lanes <= end; i += V::lanes) {
      term([i](const T* p, V) { return V::load(p + i); }, [i](T* p, V v) { v.store(p + i); }, acc[0]);
    }
    if (i < end) {
      const int64_t rest = end - i;
      term([i, rest](const T* p, V fill) { return V::load_n(p + i, rest, fill); },
           [i, rest](T* p, V v) { v.store_n(p + i, rest); }, acc[1]);
    }
    NEURITE_UNROLL
    for (int half = width / 2; half > 0; half /= 2) {
      NEURITE_UNROLL
      for (int j = 0; j < half; ++j) {
        NEURITE_UNROLL
        for (int s = 0; s < count; ++s) acc[j][s] = acc[j][s] + acc[j + half][s];
      }
    }
    for (int s = 0; s < count; ++s) sums[s] += fold_vector<Sum, V::lanes / 2>(acc[0][s]).first();
  }
}

// body(read, write) for every vector of [0, n); read(p) and write(p, v) as above.
template <class T, class F>
NEURITE_INLINE void each_vector(int64_t n, F body) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) {
    body([i](const T* p) { return V::load(p + i); }, [i](T* p, V v) { v.store(p + i); });
  }
  if (i < n) {
    const int64_t rest = n - i;
    body([i, rest](const T* p) { return V::load_n(p + i, rest); }, [i, rest](T* p, V v) { v.store_n(p + i, rest); });
  }
}

/** Asks for a row that is needed soon, where it is short enough to stay in the first-level cache beside this one. */
template <class T>
NEURITE_INLINE void fetch_row(const T* row, int64_t n, bool write) {
  constexpr int64_t line = 64 / sizeof(T);
  if (n * static_cast<int64_t>(sizeof(T)) > (6 << 10)) return;
  if (write) {
    for (int64_t i = 0; i < n; i += line) NEURITE_PREFETCH_WRITE(row + i);
  } else {
    for (int64_t i = 0; i < n; i += line) NEURITE_PREFETCH(row + i);
  }
}

template <class T>
NEURITE_INLINE T root(T x) {
  return sqrt(Vec<T>::set(x)).first();
}

template <class T, bool weighted, bool biased>
NEURITE_INLINE void layer_norm_row(const LayerNormArgs<T>& args, const T* x, T* y, T mean, T rstd) {
  using V = Vec<T>;
  const V m = V::set(mean), r = V::set(rstd);
  const T *weight = args.weight, *bias = args.bias;
  each_vector<T>(args.cols, [=](auto read, auto write) {
    V v = (read(x) - m) * r;
    if constexpr (weighted && biased) {
      v = mul_add(v, read(weight), read(bias));
    } else if constexpr (weighted) {
      v = v * read(weight);
    } else if constexpr (biased) {
      v = v + read(bias);
    }
    write(y, v);
  });
}

template <class T>
void layer_norm(const LayerNormArgs<T>& args, int64_t rows) noexcept {
  using V = Vec<T>;
  const int64_t cols = args.cols;
  const T inverse = T(1) / static_cast<T>(cols), eps = static_cast<T>(args.eps);
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = args.x + r * cols;
    T sum = 0, squares;
    if (!args.rms) sum_terms<1>(cols, &sum, [=](auto read, auto, V* acc) { acc[0] = acc[0] + read(x, V::set(0)); });
    const T mean = sum * inverse;
    const V m = V::set(mean);
    if (r + 1 < rows) fetch_row(x + cols, cols, false);
    sum_terms<1>(cols, &squares, [=](auto read, auto, V* acc) {
      const V d = read(x, m) - m;
      acc[0] = mul_add(d, d, acc[0]);
    });
    const T rstd = T(1) / root(squares * inverse + eps);
    if (args.mean != nullptr) args.mean[r] = mean;
    if (args.rstd != nullptr) args.rstd[r] = rstd;
    if (args.y == nullptr) continue;
    T* y = args.y + r * cols;
    if (r + 1 < rows) fetch_row<T>(y + cols, cols, true);
    if (args.weight != nullptr && args.bias != nullptr) {
      layer_norm_row<T, true, true>(args, x, y, mean, rstd);
    } else if (args.weight != nullptr) {
      layer_norm_row<T, true, false>(args, x, y, mean, rstd);
    } else if (args.bias != nullptr) {
      layer_norm_row<T, false, true>(args, x, y, mean, rstd);
    } else {
      layer_norm_row<T, false, false>(args, x, y, mean, rstd);
    }
  }
}

// One row: with h = g * weight and z = (x - mean) * rstd, dx = rstd (h - mean(h) - z mean(h z)); without a mean, z = x
// * rstd and dx = rstd (h - z mean(h z)).
template <class T, bool weighted, bool sums>
NEURITE_INLINE void layer_norm_grad_row(const LayerNormGradArgs<T>& args, int64_t r, bool first, bool last) {
  using V = Vec<T>;
  const int64_t cols = args.cols;
  const T *x = args.x + r * cols, *g = args.g + r * cols, *weight = args.weight;
  T *dweight = args.dweight, *dbias = args.dbias;
  const bool centred = args.mean != nullptr;
  const V m = V::set(centred ? args.mean[r] : T(0)), rstd = V::set(args.rstd[r]), zero = V::set(0);
  T total[2];
  sum_terms<2>(cols, total, [=](auto read, auto write, V* acc) {
    const V d = read(g, zero), z = (read(x, m) - m) * rstd;
    if constexpr (sums) {
      if (dweight != nullptr) write(dweight, first ? d * z : mul_add(d, z, read(dweight, zero)));
      if (dbias != nullptr) write(dbias, first ? d : d + read(dbias, zero));
    }
    const V h = weighted ? d * read(weight, zero) : d;
    acc[0] = acc[0] + h;
    acc[1] = mul_add(h, z, acc[1]);
  });
  if (args.dx == nullptr) return;
  T* dx = args.dx + r * cols;
  if (!last) {
    fetch_row(x + cols, cols, false);
    fetch_row(g + cols, cols, false);
    fetch_row<T>(dx + cols, cols, true);
  }
  const T inverse = T(1) / static_cast<T>(cols);
  const V c1 = V::set(centred ? total[0] * inverse : T(0)), c2 = V::set(total[1] * inverse);
  each_vector<T>(cols, [=](auto read, auto write) {
    const V z = (read(x) - m) * rstd;
    V h = read(g);
    if constexpr (weighted) h = h * read(weight);
    write(dx, rstd * ((h - c1) - z * c2));
  });
}

template <class T>
void layer_norm_grad(const LayerNormGradArgs<T>& args, int64_t rows) noexcept {
  const bool sums = args.dweight != nullptr || args.dbias != nullptr, weighted = args.weight != nullptr;
  for (int64_t r = 0; r < rows; ++r) {
    const bool last = r + 1 == rows;
    if (weighted && sums) {
      layer_norm_grad_row<T, true, true>(args, r, r == 0, last);
    } else if (weighted) {
      layer_norm_grad_row<T, true, false>(args, r, false, last);
    } else if (sums) {
      layer_norm_grad_row<T, false, true>(args, r, r == 0, last);
    } else {
      layer_norm_grad_row<T, false, false>(args, r, false, last);
    }
  }
}

}  // namespace neurite::NEURITE_ISA
