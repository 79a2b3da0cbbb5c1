// Batch normalisation, over columns, forward and backward. Mean first, then the sum of squared differences from it (two
// passes over data in cache: no cancellation); handlers merge those of blocks of rows. Sums have a fixed order for each
// instruction set. Sources: Ioffe and Szegedy 2015; Chan et al. 1983 (merging of moments).
#pragma once

namespace neurite::NEURITE_ISA {

// Sums down columns: out[s][j] = sum over r < rows of term s. setup(read) gives what a column's terms share, term(read,
// shared, r, acc) adds row r to acc; read(p) is the vector of p at the columns. Few columns are summed in several
// chains of rows, r % chains, joined as a tree.
template <int sums, int width, int chains, class T, class R, class S, class F>
NEURITE_INLINE void sum_columns(int64_t rows, R reader, T* const* out, S setup, F term) {
  using V = Vec<T>;
  decltype(setup(reader(0))) shared[width];
  V acc[chains][width][sums];
  NEURITE_UNROLL
  for (int v = 0; v < width; ++v) {
    shared[v] = setup(reader(v));
    NEURITE_UNROLL
    for (int k = 0; k < chains; ++k) {
      NEURITE_UNROLL
      for (int s = 0; s < sums; ++s) acc[k][v][s] = V::set(0);
    }
  }
  int64_t r = 0;
  for (; r + chains <= rows; r += chains) {
    NEURITE_UNROLL
    for (int k = 0; k < chains; ++k) {
      NEURITE_UNROLL
      for (int v = 0; v < width; ++v) term(reader(v), shared[v], r + k, acc[k][v]);
    }
  }
  for (; r < rows; ++r) {
    NEURITE_UNROLL
    for (int v = 0; v < width; ++v) term(reader(v), shared[v], r, acc[0][v]);
  }
  NEURITE_UNROLL
  for (int half = chains / 2; half > 0; half /= 2) {
    NEURITE_UNROLL
    for (int k = 0; k < half; ++k) {
      NEURITE_UNROLL
      for (int v = 0; v < width; ++v) {
        NEURITE_UNROLL
        for (int s = 0; s < sums; ++s) acc[k][v][s] = acc[k][v][s] + acc[k + half][v][s];
      }
    }
  }
  NEURITE_UNROLL
  for (int v = 0; v < width; ++v) {
    NEURITE_UNROLL
    for (int s = 0; s < sums; ++s) reader(v).put(out[s], acc[0][v][s]);
  }
}

// A vector of columns from `at` on, all of its lanes or `rest` of them.
template <class T, bool whole>
struct Columns {
  using V = Vec<T>;
  int64_t at, rest;
  NEURITE_INLINE V operator()(const T* p) const {
    if constexpr (whole) return V::load(p + at);
    return V::load_n(p + at, rest);
  }
  NEURITE_INLINE void put(T* p, V v) const {
    if constexpr (whole) {
      v.store(p + at);
    } else {
      v.store_n(p + at, rest);
    }
  }
};

template <int n>
struct Count {
  static constexpr int value = n;
};

// body(width, reader) for blocks of 4, 2 and 1 vectors of columns, reader(v) being vector v of the block.
template <class T, class F>
NEURITE_INLINE void column_blocks(int64_t cols, F body) {
  constexpr int64_t lanes = Vec<T>::lanes;
  int64_t j = 0;
  const auto whole = [&j](int v) { return Columns<T, true>{j + v * lanes, lanes}; };
  for (; j + 4 * lanes <= cols; j += 4 * lanes) body(Count<4>{}, whole);
  for (; j + 2 * lanes <= cols; j += 2 * lanes) body(Count<2>{}, whole);
  for (; j + lanes <= cols; j += lanes) body(Count<1>{}, whole);
  if (j < cols) body(Count<1>{}, [&](int) { return Columns<T, false>{j, cols - j}; });
}

template <class T>
void column_moments(const T* x, int64_t rows, int64_t stride, int64_t cols, T* mean, T* squares) noexcept {
  using V = Vec<T>;
  const V inverse = V::set(T(1) / static_cast<T>(rows));
  column_blocks<T>(cols, [=](auto width, auto reader) {
    constexpr int w = decltype(width)::value;
    T* const means[] = {mean};
    T* const squared[] = {squares};
    sum_columns<1, w, 8 / w, T>(
        rows, reader, means, [](auto) { return 0; },
        [=](auto read, int, int64_t r, V* acc) { acc[0] = acc[0] + read(x + r * stride); });
    NEURITE_UNROLL
    for (int v = 0; v < w; ++v) reader(v).put(mean, reader(v)(mean) * inverse);
    sum_columns<1, w, 8 / w, T>(
        rows, reader, squared, [=](auto read) { return read(mean); },
        [=](auto read, V m, int64_t r, V* acc) {
          const V d = read(x + r * stride) - m;
          acc[0] = mul_add(d, d, acc[0]);
        });
  });
}

// What all rows of a column of batch norm share.
template <class T>
struct NormColumn {
  Vec<T> mean, scale, bias, c1, c2;
};

// The output before ReLU; the gradient computes it again and sees the same bits.
template <bool biased, class T>
NEURITE_INLINE Vec<T> normed(Vec<T> x, const NormColumn<T>& c) {
  if constexpr (biased) return mul_add(x - c.mean, c.scale, c.bias);
  return (x - c.mean) * c.scale;
}

// g where the output is above 0.
template <bool relu, bool biased, class T>
NEURITE_INLINE Vec<T> flowing(Vec<T> g, Vec<T> x, const NormColumn<T>& c) {
  if constexpr (relu) return select(lt(Vec<T>::set(0), normed<biased>(x, c)), g, Vec<T>::set(0));
  return g;
}

// Calls body(vector of columns, what they share, row): column by column when a row is a few vectors (what they share
// then stays in registers), else row by row.
template <class T, class S, class F>
NEURITE_INLINE void each_element(int64_t rows, int64_t cols, S setup, F body) {
  if (cols <= 4 * Vec<T>::lanes) {
    column_blocks<T>(cols, [=](auto width, auto reader) {
      constexpr int w = decltype(width)::value;
      NormColumn<T> shared[w];
      NEURITE_UNROLL
      for (int v = 0; v < w; ++v) shared[v] = setup(reader(v));
      for (int64_t r = 0; r < rows; ++r) {
        NEURITE_UNROLL
        for (int v = 0; v < w; ++v) body(reader(v), shared[v], r);
      }
    });
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    column_blocks<T>(cols, [=](auto width, auto reader) {
      NEURITE_UNROLL
      for (int v = 0; v < decltype(width)::value; ++v) body(reader(v), setup(reader(v)), r);
    });
  }
}

template <class T, bool relu, bool biased>
NEURITE_INLINE void batch_norm_rows(const BatchNormArgs<T>& args, int64_t rows) {
  using V = Vec<T>;
  const T *x = args.x, *mean = args.mean, *scale = args.scale, *bias = args.bias;
  T* y = args.y;
  const int64_t stride = args.cols;
  each_element<T>(
      rows, stride,
      [=](auto read) {
        const V s = read(scale);
        return NormColumn<T>{read(mean), s, biased ? read(bias) : s, s, s};
      },
      [=](auto read, const NormColumn<T>& c, int64_t r) {
        V v = normed<biased>(read(x + r * stride), c);
        if constexpr (relu) v = neurite::NEURITE_ISA::relu(v, V::set(0));
        read.put(y + r * stride, v);
      });
}

template <class T>
void batch_norm(const BatchNormArgs<T>& args, int64_t rows) noexcept {
  const bool biased = args.bias != nullptr;
  if (args.relu) {
    biased ? batch_norm_rows<T, true, true>(args, rows) : batch_norm_rows<T, true, false>(args, rows);
  } else {
    biased ? batch_norm_rows<T, false, true>(args, rows) : batch_norm_rows<T, false, false>(args, rows);
  }
}

template <class T, bool relu, bool biased>
NEURITE_INLINE void batch_norm_column_sums(const BatchNormArgs<T>& args, const T* g, int64_t rows, int64_t cols, T* gx,
                                           T* sum) {
  using V = Vec<T>;
  const T *x = args.x, *mean = args.mean, *scale = args.scale, *bias = args.bias;
  const int64_t stride = args.cols;
  column_blocks<T>(cols, [=](auto width, auto reader) {
    constexpr int w = decltype(width)::value;
    T* const out[] = {gx, sum};
    sum_columns<2, w, 4 / w, T>(
        rows, reader, out,
        [=](auto read) {
          const V m = read(mean);
          return NormColumn<T>{m, relu ? read(scale) : m, relu && biased ? read(bias) : m, m, m};
        },
        [=](auto read, const NormColumn<T>& c, int64_t r, V* acc) {
          const V v = read(x + r * stride);
          const V d = flowing<relu, biased>(read(g + r * stride), v, c);
          acc[0] = mul_add(d, v - c.mean, acc[0]);
          acc[1] = acc[1] + d;
        });
  });
}

template <class T>
void batch_norm_sums(const BatchNormArgs<T>& args, const T* g, int64_t rows, int64_t cols, T* gx, T* sum) noexcept {
  if (!args.relu) {
    batch_norm_column_sums<T, false, false>(args, g, rows, cols, gx, sum);
  } else if (args.bias == nullptr) {
    batch_norm_column_sums<T, true, false>(args, g, rows, cols, gx, sum);
  } else {
    batch_norm_column_sums<T, true, true>(args, g, rows, cols, gx, sum);
  }
}

template <class T, bool relu, bool biased>
NEURITE_INLINE void batch_norm_grad_rows(const BatchNormArgs<T>& args, const T* g, const T* c1, const T* c2,
                                         int64_t rows) {
  using V = Vec<T>;
  const T *x = args.x, *mean = args.mean, *scale = args.scale, *bias = args.bias;
  T* y = args.y;
  const int64_t stride = args.cols;
  each_element<T>(
      rows, stride,
      [=](auto read) {
        const V s = read(scale);
        return NormColumn<T>{read(mean), s, relu && biased ? read(bias) : s, read(c1), read(c2)};
      },
      [=](auto read, const NormColumn<T>& c, int64_t r) {
        const V v = read(x + r * stride);
        const V d = flowing<relu, biased>(read(g + r * stride), v, c);
        read.put(y + r * stride, (c.scale * d - c.c1) - c.c2 * (v - c.mean));
      });
}

template <class T>
void batch_norm_grad(const BatchNormArgs<T>& args, const T* g, const T* c1, const T* c2, int64_t rows) noexcept {
  if (!args.relu) {
    batch_norm_grad_rows<T, false, false>(args, g, c1, c2, rows);
  } else if (args.bias == nullptr) {
    batch_norm_grad_rows<T, true, false>(args, g, c1, c2, rows);
  } else {
    batch_norm_grad_rows<T, true, true>(args, g, c1, c2, rows);
  }
}

}  // namespace neurite::NEURITE_ISA
