// Copies of the operands of a product in the order in which its tiles read them.
#pragma once

namespace neurite::NEURITE_ISA {

// row(p)[j] = in[j * stride + p]; columns past `cols` repeat the last one. Rows that would fall into one cache set are
// first copied by the cache line to a square beside each other.
template <class T, class Row>
NEURITE_INLINE void transpose_rows(const T* in, int64_t stride, int64_t cols, int64_t k, int64_t width, Row row) {
  using V = Vec<T>;
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t j = 0; j < width; j += V::lanes) {
    const T* rows[V::lanes];
    for (int l = 0; l < V::lanes; ++l) rows[l] = in + smaller(j + l, cols - 1) * stride;
    int64_t p = 0;
    if constexpr (V::lanes > 1) {
      alignas(64) T square[V::lanes * line];
      const T* beside[V::lanes];
      for (int l = 0; l < V::lanes; ++l) beside[l] = square + l * line;
      const bool collide = stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
      for (; collide && p + line <= k; p += line) {
        NEURITE_UNROLL
        for (int l = 0; l < V::lanes; ++l) {
          NEURITE_UNROLL
          for (int64_t i = 0; i < line; i += V::lanes) V::load(rows[l] + p + i).store(square + l * line + i);
        }
        NEURITE_UNROLL
        for (int64_t i = 0; i < line; i += 4) {
          V x[4];
          transpose4(beside, i, x);
          NEURITE_UNROLL
          for (int t = 0; t < 4; ++t) x[t].store(row(p + i + t) + j);
        }
      }
    }
    for (; p + 4 <= k; p += 4) {
      V x[4];
      transpose4(rows, p, x);
      NEURITE_UNROLL
      for (int t = 0; t < 4; ++t) x[t].store(row(p + t) + j);
    }
    // One lane past a short last row would spoil the next, already written one if this went lane by lane.
    for (; p < k; ++p) {
      for (int64_t l = 0; l < smaller(V::lanes, width - j); ++l) row(p)[j + l] = rows[l][p];
    }
  }
}

template <class T>
NEURITE_INLINE void pack_transposed(const T* in, int64_t stride, int64_t cols, int64_t k, T* out, int64_t width) {
  transpose_rows(in, stride, cols, k, width, [=](int64_t p) { return out + p * width; });
}

// out[p * width + j] = in[p * stride + j]; columns past `cols` are 0.
template <class T>
NEURITE_INLINE void pack_rows(const T* in, int64_t stride, int64_t cols, int64_t k, T* out, int64_t width) {
  using V = Vec<T>;
  for (int64_t p = 0; p < k; ++p, in += stride, out += width) {
    int64_t j = 0;
    for (; j + V::lanes <= cols; j += V::lanes) V::load(in + j).store(out + j);
    if (j < cols) V::load_n(in + j, cols - j).store(out + j);
  }
}

template <class T>
NEURITE_INLINE int64_t packed_rows(int64_t rows) {  // of a tile of A: whole vectors where one does not hold them all
  return Tile<T>::rows <= Vec<T>::lanes ? rows : round_up(rows, Vec<T>::lanes);
}

// Tile of a transposed A: out[p * packed_rows + i] = in[p * stride + i], i < rows of the `left` elements to the end of
// the row. One vector a row where that reads nothing beyond it.
template <class T>
NEURITE_INLINE void pack_columns(const T* in, int64_t stride, int64_t rows, int64_t left, int64_t k, T* out) {
  using V = Vec<T>;
  const int64_t wide = packed_rows<T>(rows);
  const bool one = rows <= V::lanes && left >= V::lanes;
  for (int64_t p = 0; p < k; ++p, in += stride, out += wide) {
    NEURITE_PREFETCH(in + 4 * stride);
    if (one) {
      V::load(in).store(out);
    } else {
      pack_rows(in, 0, rows, 1, out, wide);
    }
  }
}

// Panels of B for columns [j0, j1) and kn rows from k0, beside each other.
template <class T>
NEURITE_INLINE void pack_b(const GemmArgs<T>& args, int64_t width, int64_t j0, int64_t j1, int64_t k0, int64_t kn,
                           T* out) {
  using V = Vec<T>;
  constexpr int64_t kRows = 8;  // so many rows are read side by side
  if (args.trans_b) {
    for (int64_t j = j0; j < j1; j += width) {
      const int64_t jn = smaller(j1 - j, width);
      pack_transposed(args.b + j * args.ldb + k0, args.ldb, jn, kn, out + (j - j0) * kn, round_up(jn, V::lanes));
    }
    return;
  }
  for (int64_t k = 0; k < kn; k += kRows) {
    for (int64_t j = j0; j < j1; j += width) {
      const int64_t jn = smaller(j1 - j, width), wide = round_up(jn, V::lanes);
      pack_rows(args.b + (k0 + k) * args.ldb + j, args.ldb, jn, smaller(kRows, kn - k), out + (j - j0) * kn + k * wide,
                wide);
    }
  }
}

// Tiles of A for kn products from k0, `room` apart. A transposed is read by rows of all the tiles, so that no line is
// read twice; few at a time, for they may share a cache set.
template <class T>
NEURITE_INLINE void pack_a(const GemmArgs<T>& args, int64_t begin, int64_t rows, int64_t tiles, int64_t k0, int64_t kn,
                           T* out, int64_t room) {
  constexpr int64_t kRows = 4;
  const int64_t step = args.trans_a ? kRows : kn;
  for (int64_t k = 0; k < kn; k += step) {
    for (int64_t s = 0; s < tiles; ++s) {
      const int64_t i = begin + rows * s / tiles, mr = begin + rows * (s + 1) / tiles - i;
      const int64_t wide = packed_rows<T>(mr);
      T* const tile = out + s * room + k * wide;
      if (args.trans_a) {
        pack_columns(args.a + (k0 + k) * args.lda + i, args.lda, mr, args.m - i, smaller(kRows, kn - k), tile);
      } else {
        pack_transposed(args.a + i * args.lda + k0, args.lda, mr, kn, tile, wide);
      }
    }
  }
}

}  // namespace neurite::NEURITE_ISA
