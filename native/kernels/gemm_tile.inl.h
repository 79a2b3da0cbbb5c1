// The register tile of the products: Tile::rows x (Tile::vectors * lanes) sums over k, and what follows them.
#pragma once

namespace neurite::NEURITE_ISA {

constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }
constexpr int64_t divide_up(int64_t x, int64_t by) { return (x + by - 1) / by; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// A row of `panels` tiles, each `width` columns behind the one before.
template <class T>
struct TileArgs {
  int64_t k;
  int64_t panels;
  const T* a;
  int64_t lda;  // to the next row if RowsApart, else to the next k
  const T* b;
  int64_t ldb;     // to the next k
  int64_t next_b;  // to the next panel
  T* panel;        // where Packs is true: for a copy of each panel of B, k rows without a gap
  const T* ahead;  // where RowsApart is false: what each k brings to the second-level cache
  int64_t ldahead;
  const T* from;  // or null: whole vectors that the chains go on from, instead of zeros
  int64_t ldfrom;
  T* c;
  int64_t ldc;
  int64_t cols;
  bool add;       // to what c holds
  const T* bias;  // or null
  bool relu;      // after the bias
  const T* gate;  // or null: then zero where not positive (the derivative of relu)
  int64_t ldgate;
};

template <class T, int MR, int NV, bool RowsApart, bool Packs>
NEURITE_NOINLINE void multiply_tiles(const TileArgs<T>& t) noexcept {
  using V = Vec<T>;
  constexpr int64_t width = NV * V::lanes;
  const int64_t k = t.k, lda = t.lda, ldb = t.ldb;
  const T* const end = t.c + t.cols - 1;  // of the first row
  const T* panel_b = t.b;
  T* panel = t.panel;
  T* tile_c = t.c;
  for (int64_t n = 0; n < t.panels; ++n, panel_b += t.next_b, tile_c += width) {
    V acc[MR][NV];
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r) {
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = V::set(0);
    }
    if (t.from != nullptr) {
      const T* from = t.from + n * width;
      NEURITE_UNROLL
      for (int r = 0; r < MR; ++r, from += t.ldfrom) {
        NEURITE_UNROLL
        for (int v = 0; v < NV; ++v) acc[r][v] = V::load(from + v * V::lanes);
      }
    }
    if (k > 16) {  // else C is not there before its stores: it arrives while the products are summed
      const T* c = tile_c;
      const int64_t last = smaller(width, end + 1 - tile_c) - 1;
      NEURITE_UNROLL
      for (int r = 0; r < MR; ++r, c += t.ldc) {
        NEURITE_PREFETCH_WRITE(c);
        NEURITE_PREFETCH_WRITE(c + last);
      }
    }
    const T* ahead = t.ahead;
    const int64_t ldahead = t.ldahead;
    const T* a = t.a;
    const T* b = panel_b;
    NEURITE_UNROLL_BY(2)
    for (int64_t p = k; p > 0; --p) {
      V row[NV];
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) {
        if constexpr (Packs) {
          NEURITE_PREFETCH(b + 8 * ldb + v * V::lanes);  // more lines a page apart do not fit into a cache set
          NEURITE_PREFETCH_FAR(b + 32 * ldb + v * V::lanes);
        } else {
          NEURITE_PREFETCH(b + 16 * ldb +
                           v * V::lanes);  // 16 * 14 cycles ahead; after the last row comes the next panel
        }
        row[v] = V::load(b + v * V::lanes);
        if constexpr (Packs) row[v].store(panel + v * V::lanes);
      }
      if constexpr (Packs) panel += width;
      if constexpr (!RowsApart) {
        NEURITE_PREFETCH_FAR(ahead);
        ahead += ldahead;
      }
      NEURITE_UNROLL
      for (int r = 0; r < MR; ++r) {
        const V x = V::set(RowsApart ? a[r * lda] : a[r]);
        NEURITE_UNROLL
        for (int v = 0; v < NV; ++v) acc[r][v] = mul_add(x, row[v], acc[r][v]);
      }
      a += RowsApart ? 1 : lda;
      b += ldb;
    }
    const int64_t last = smaller(width, end + 1 - tile_c) - (NV - 1) * V::lanes;  // columns of the last vector
    T* c = tile_c;
    if (!t.add && t.bias == nullptr && !t.relu && t.gate == nullptr && last == V::lanes) {
      NEURITE_UNROLL
      for (int r = 0; r < MR; ++r, c += t.ldc) {
        NEURITE_UNROLL
        for (int v = 0; v < NV; ++v) acc[r][v].store(c + v * V::lanes);
      }
      continue;
    }
    const auto read = [last](const T* p, int v) {
      return v < NV - 1 || last == V::lanes ? V::load(p + v * V::lanes) : V::load_n(p + v * V::lanes, last);
    };
    const V zero = V::set(0);
    V bias[NV];
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) bias[v] = t.bias != nullptr ? read(t.bias + n * width, v) : zero;
    const T* gate = t.gate != nullptr ? t.gate + n * width : nullptr;
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r, c += t.ldc, gate += t.ldgate) {
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) {
        V x = acc[r][v];
        if (t.add) x = read(c, v) + x;
        if (t.bias != nullptr) x = x + bias[v];
        if (t.relu) x = relu(x, zero);
        if (t.gate != nullptr) x = select(lt(zero, read(gate, v)), x, zero);
        if (v < NV - 1 || last == V::lanes) {
          x.store(c + v * V::lanes);
        } else {
          x.store_n(c + v * V::lanes, last);
        }
      }
    }
  }
}

// Vectors of a tile of so many rows: few rows take wider tiles, for the chains in flight must cover the latency.
template <class T>
constexpr int tile_vectors(int64_t rows) {
  return rows <= Tile<T>::skinny_rows ? Tile<T>::skinny_vectors : Tile<T>::vectors;
}

// The instance for run-time numbers of rows and vectors. Only high tiles of all vectors pack on the way.
template <class T, bool RowsApart, int MR, int NV = tile_vectors<T>(MR)>
NEURITE_INLINE void multiply_rows(int64_t vectors, const TileArgs<T>& t) {
  if constexpr (NV > 1) {
    if (vectors < NV) return multiply_rows<T, RowsApart, MR, NV - 1>(vectors, t);
  }
  if constexpr (NV == Tile<T>::vectors && MR > Tile<T>::skinny_rows) {
    if (t.panel != nullptr) return multiply_tiles<T, MR, NV, RowsApart, true>(t);
  }
  return multiply_tiles<T, MR, NV, RowsApart, false>(t);
}

template <class T, bool RowsApart, int MR = Tile<T>::rows>
NEURITE_INLINE void multiply(int64_t rows, int64_t vectors, const TileArgs<T>& t) {
  if constexpr (MR > 1) {
    if (rows < MR) return multiply<T, RowsApart, MR - 1>(rows, vectors, t);
  }
  return multiply_rows<T, RowsApart, MR>(vectors, t);
}

}  // namespace neurite::NEURITE_ISA
