// C[m,n] = act(op(A) op(B) + bias) * act_grad'(aux): register tiles of Tile::rows x (Tile::vectors * lanes).
// Every element of C is, for each block of at most kBlockK products, one chain of multiply-adds from 0 in ascending k;
// block sums are added in order. The k blocks depend on k alone, so neither the tile an element falls in nor the block
// asked for changes its bits. Error <= gamma_{min(k, 512) + k / 512} |A||B|.
// Blocks: as many panels of B ([k][width]) as Tile::panels of kBlockK rows (1 MiB with AVX-512) are packed to stay in
// the second-level cache, by the first row of tiles as it reads them; each tile of A meets all of them from the
// first-level cache. A is read in place unless its rows would fall into one cache set or it is transposed, B is when
// it is compact or used once. Up to Tile::skinny_rows rows B is streamed in the order of memory, kStreamK rows at a
// time, and the chains wait in the first-level cache. Sources: Goto and van de Geijn 2008; Van Zee and van de Geijn
// 2015 (BLIS).
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int64_t kBlockK = 512;

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

// What the register tile does not apply itself: tanh, sigmoid and the derivatives from a saved output y, while the tile
// is in the first-level cache; rounded as the micro-operations of the same name.
template <class T>
NEURITE_INLINE void finish(Activation act, Activation act_grad, T* c, const T* y, int64_t cols) {
  using V = Vec<T>;
  const V one = V::set(1), zero = V::set(0);
  if (act == Activation::TANH) map(c, c, cols, [](V x) { return tanh(x); });
  if (act == Activation::SIGMOID) map(c, c, cols, [](V x) { return sigmoid(x); });
  if (act_grad == Activation::RELU) map(c, c, y, cols, [=](V g, V a) { return select(lt(zero, a), g, zero); });
  if (act_grad == Activation::TANH) map(c, c, y, cols, [=](V g, V a) { return g * ((one - a) * (one + a)); });
  if (act_grad == Activation::SIGMOID) map(c, c, y, cols, [=](V g, V a) { return g * (a * (one - a)); });
}

template <class T>
NEURITE_INLINE void finish_row(const GemmArgs<T>& args, int64_t i, int64_t j, int64_t cols) {
  const T* y = args.act_grad == Activation::IDENTITY ? nullptr : args.aux + i * args.ldaux + j;
  finish(args.act, args.act_grad, args.c + i * args.ldc + j, y, cols);
}

// How the products are cut.
template <class T>
struct Plan {
  int64_t rows;             // of a tile at most
  int64_t width;            // columns of a panel of B
  int64_t blocks, block_k;  // of k
  int64_t room;             // elements of the panels of B that share the second-level cache
  int64_t block_n;          // their columns
  int64_t group;            // rows of A packed at a time
  bool pack_a;
};

inline constexpr int64_t kGroupTiles = 8;
inline constexpr int64_t kFewTiles = 16;   // of A that are packed once for all of B; then few panels of B do as well
inline constexpr int64_t kFarRows = 2048;  // elements apart, above which memory wants its rows read in order
inline constexpr int64_t kStreamColumns = 1024;  // of the sums that wait in the first-level cache
inline constexpr int64_t kStreamK = 16;          // rows of B read side by side, for the prefetcher follows that many

// A is packed when its rows lie a multiple of 4 KiB apart, for they would share one set of the first-level cache; for
// few columns low tiles, whose rows fit into a set, take less time than packing. The scalar unit packs always:
// compilers vectorise its tile only when the rows of A are adjacent.
template <class T>
NEURITE_INLINE Plan<T> plan(const GemmArgs<T>& args) {
  constexpr int64_t kSetRows = 6, kFewPanels = 8;
  Plan<T> p;
  const bool collide = args.lda * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
  const bool low = collide && !args.trans_a && args.n <= kFewPanels * Tile<T>::vectors * Vec<T>::lanes;
  p.rows = args.m <= Tile<T>::skinny_rows || (low && Tile<T>::rows > kSetRows) ? Tile<T>::skinny_rows : Tile<T>::rows;
  p.pack_a = Vec<T>::lanes == 1 || (collide && args.m > 4 && !(low && p.rows <= kSetRows));
  p.width = tile_vectors<T>(p.rows) * Vec<T>::lanes;
  p.blocks = args.k > kBlockK ? divide_up(args.k, kBlockK) : 1;
  p.block_k = round_up(divide_up(args.k, p.blocks), 8);
  const bool few = args.m <= kFewTiles * p.rows;
  p.room = (few ? Tile<T>::panels / 4 : Tile<T>::panels) * Tile<T>::vectors * Vec<T>::lanes * kBlockK;
  p.block_n = smaller(p.room / (args.k > 0 ? p.block_k : 1) / p.width * p.width, round_up(args.n, Vec<T>::lanes));
  p.group = (few ? kFewTiles : kGroupTiles) * p.rows;
  return p;
}

// Few rows and long rows of B: B is read once, so it is read as it lies.
template <class T>
NEURITE_INLINE bool streams(const GemmArgs<T>& args) {
  return args.m <= Tile<T>::skinny_rows && !args.trans_b && args.n > tile_vectors<T>(args.m) * Vec<T>::lanes;
}

// Whether the columns of C are better made as rows: when B would be transposed to a panel of its own and is the larger
// operand, or when C has too few columns for a vector and the rows of A are adjacent.
template <class T>
NEURITE_INLINE bool swaps(const GemmArgs<T>& args) {
  constexpr int64_t lanes = Vec<T>::lanes;
  if (lanes == 1 || args.trans_a == args.trans_b || args.accumulate) return false;
  return args.trans_b ? args.k >= 256 && 2 * args.m <= args.n : args.k >= 32 && args.n < lanes && args.m >= 2 * lanes;
}

template <class T>
NEURITE_INLINE GemmArgs<T> swapped(const GemmArgs<T>& args) {
  GemmArgs<T> s{};
  s.m = args.n;
  s.n = args.m;
  s.k = args.k;
  s.a = args.b;
  s.lda = args.ldb;
  s.trans_a = !args.trans_b;
  s.b = args.a;
  s.ldb = args.lda;
  s.trans_b = !args.trans_a;
  s.act = s.act_grad = Activation::IDENTITY;
  return s;
}

template <class T>
int64_t gemm_scratch(const GemmArgs<T>& args, int64_t rows, int64_t cols) noexcept {
  const int64_t size = static_cast<int64_t>(sizeof(T));
  int64_t turned = 0;
  if (swaps(args)) {  // a shorter k may not be
    turned = round_up(cols * round_up(rows, Vec<T>::lanes), 64) * size + gemm_scratch(swapped(args), cols, rows);
  }
  const Plan<T> p = plan(args);
  if (streams(args)) return smaller(rows, Tile<T>::skinny_rows) * (kStreamColumns + Vec<T>::lanes) * size;
  const int64_t block_k = smaller(round_up(args.k, 8), kBlockK);  // of any shorter k as well
  const int64_t b = smaller(p.room, block_k * round_up(cols, Vec<T>::lanes));
  const int64_t tiles = divide_up(smaller(rows, p.group), p.rows);
  const int64_t a = p.pack_a ? tiles * (packed_rows<T>(Tile<T>::rows) * block_k + Vec<T>::lanes) : 0;
  const int64_t bytes = (round_up(b, 64) + a) * size;
  return bytes > turned ? bytes : turned;
}

template <class T>
struct Epilogue {  // what is left for after the last block of k
  bool relu, gates, finishes;
  explicit NEURITE_INLINE Epilogue(const GemmArgs<T>& args) {
    relu = args.act == Activation::RELU;
    const bool plain = relu || args.act == Activation::IDENTITY;
    gates = plain && args.act_grad == Activation::RELU;
    finishes = !plain || (args.act_grad != Activation::IDENTITY && !gates);
  }
  NEURITE_INLINE void set(TileArgs<T>& t, const GemmArgs<T>& args, int64_t i, int64_t j, bool last) const {
    t.c = args.c + i * args.ldc + j;
    t.ldc = args.ldc;
    t.bias = last && args.bias != nullptr ? args.bias + j : nullptr;
    t.relu = last && relu;
    t.gate = last && gates ? args.aux + i * args.ldaux + j : nullptr;
    t.ldgate = last && gates ? args.ldaux : 0;
  }
};

// One tile of rows over kStreamK rows of B at a time; the chains wait in `sums` between.
template <class T>
NEURITE_INLINE void gemm_stream(const GemmArgs<T>& args, Range rows, Range cols, T* sums) {
  using V = Vec<T>;
  const Plan<T> p = plan(args);
  const Epilogue<T> epilogue(args);
  const int64_t mr = rows.end - rows.begin, i = rows.begin;
  TileArgs<T> t{};
  t.panels = 1;
  t.lda = args.lda;
  for (int64_t j0 = cols.begin; j0 < cols.end; j0 += kStreamColumns) {
    const int64_t j1 = smaller(j0 + kStreamColumns, cols.end), ldsums = round_up(j1 - j0, V::lanes);
    for (int64_t block = 0; block < p.blocks; ++block) {
      const int64_t k0 = smaller(block * p.block_k, args.k), k1 = smaller(k0 + p.block_k, args.k);
      const bool last = block + 1 == p.blocks;
      int64_t k = k0;
      do {
        const int64_t kn = smaller(kStreamK, k1 - k);
        const bool ends = k + kn == k1;
        for (int64_t j = j0; j < j1; j += p.width) {
          const int64_t jn = smaller(j1 - j, p.width), whole = jn / V::lanes * V::lanes;
          for (int64_t half = 0; half < 2; ++half) {  // whole vectors in place, then the last one from a copy
            const int64_t at = half == 0 ? j : j + whole, n = half == 0 ? whole : jn - whole;
            if (n == 0) continue;
            T copy[kStreamK * V::lanes];
            t.k = kn;
            t.b = args.b + k * args.ldb + at;
            t.ldb = args.ldb;
            if (half == 1) {
              pack_rows(t.b, args.ldb, n, kn, copy, V::lanes);
              t.b = copy;
              t.ldb = V::lanes;
            }
            t.from = k == k0 ? nullptr : sums + (at - j0);
            t.ldfrom = ldsums;
            epilogue.set(t, args, i, at, ends && last);
            t.cols = n;
            t.add = ends && (block > 0 || args.accumulate);
            if (!ends) {
              t.c = sums + (at - j0);
              t.ldc = ldsums;
              t.cols = round_up(n, V::lanes);
            }
            const int64_t vectors = divide_up(n, V::lanes);
            if (args.trans_a) {
              t.a = args.a + k * args.lda + i;
              multiply<T, false, Tile<T>::skinny_rows>(mr, vectors, t);
            } else {
              t.a = args.a + i * args.lda + k;
              multiply<T, true, Tile<T>::skinny_rows>(mr, vectors, t);
            }
            if (ends && last && epilogue.finishes) {
              for (int64_t r = 0; r < mr; ++r) finish_row(args, i + r, at, n);
            }
          }
        }
        k += kn;
      } while (k < k1);
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

// Whether the rows of A and B that belong to a block of k are two pieces of memory.
template <class T>
NEURITE_INLINE bool in_memory_order(const GemmArgs<T>& args) {
  return args.trans_a && !args.trans_b && args.lda == args.m && args.ldb == args.n;
}

// A tile brings its share of the next block of k, one line a product: first A, then B. Where k is long and C small,
// every element is used by a few tiles only, and its way from memory is most of the work.
template <class T>
NEURITE_INLINE void next_block(const GemmArgs<T>& args, int64_t k, int64_t kn, int64_t call, TileArgs<T>& t) {
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t share = kn * line, at = call * share, from_b = round_up(kn * args.lda, share);
  if (at >= from_b + kn * args.ldb) return;
  t.ahead = at < from_b ? args.a + k * args.lda + at : args.b + k * args.ldb + (at - from_b);
  t.ldahead = line;
}

template <class T>
void gemm(const GemmArgs<T>& args, Range rows, Range cols, void* scratch) noexcept;

// The columns of C as rows, then turned over with the epilogue.
template <class T>
NEURITE_INLINE void gemm_swapped(const GemmArgs<T>& args, Range rows, Range cols, T* scratch) {
  using V = Vec<T>;
  const Epilogue<T> epilogue(args);
  const int64_t height = rows.end - rows.begin, width = cols.end - cols.begin, ld = round_up(height, V::lanes);
  GemmArgs<T> turned = swapped(args);
  turned.a += cols.begin * (turned.trans_a ? 1 : turned.lda);
  turned.b += rows.begin * (turned.trans_b ? turned.ldb : 1);
  turned.c = scratch;
  turned.ldc = ld;
  gemm(turned, {0, width}, {0, height}, scratch + round_up(width * ld, 64));
  const V zero = V::set(0);
  for (int64_t j = cols.begin; j < cols.end; j += V::lanes) {
    const int64_t jn = smaller(cols.end - j, V::lanes);
    const T* columns[V::lanes];
    for (int64_t l = 0; l < V::lanes; ++l) columns[l] = scratch + (j - cols.begin + smaller(l, jn - 1)) * ld;
    const V bias = args.bias != nullptr ? V::load_n(args.bias + j, jn) : zero;
    for (int64_t i = rows.begin; i < rows.end; i += 4) {
      V x[4];
      transpose4(columns, i - rows.begin, x);
      for (int64_t t = 0; t < smaller(4, rows.end - i); ++t) {
        V y = x[t];
        if (args.bias != nullptr) y = y + bias;
        if (epilogue.relu) y = relu(y, zero);
        if (epilogue.gates) y = select(lt(zero, V::load_n(args.aux + (i + t) * args.ldaux + j, jn)), y, zero);
        y.store_n(args.c + (i + t) * args.ldc + j, jn);
      }
    }
  }
  for (int64_t i = rows.begin; epilogue.finishes && i < rows.end; ++i) {
    finish_row(args, i, cols.begin, cols.end - cols.begin);
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

template <class T>
void gemm(const GemmArgs<T>& args, Range rows, Range cols, void* scratch) noexcept {
  using V = Vec<T>;
  if (rows.begin >= rows.end || cols.begin >= cols.end) return;
  if (swaps(args)) return gemm_swapped(args, rows, cols, static_cast<T*>(scratch));
  if (streams(args)) return gemm_stream(args, rows, cols, static_cast<T*>(scratch));
  const Plan<T> p = plan(args);
  const Epilogue<T> epilogue(args);
  T* const panels = static_cast<T*>(scratch);
  T* const packed = panels + round_up(p.block_k * smaller(p.block_n, round_up(cols.end - cols.begin, V::lanes)), 64);
  const int64_t room = packed_rows<T>(Tile<T>::rows) * p.block_k + V::lanes, full = p.width / V::lanes;
  const bool long_sum = !p.pack_a && in_memory_order(args);
  const int64_t all_tiles = divide_up(rows.end - rows.begin, p.rows);
  const int64_t group = smaller(rows.end - rows.begin, p.group), lowest = group / divide_up(group, p.rows);
  const bool once = group == rows.end - rows.begin;  // all of A is packed at a time
  const int64_t col_blocks = divide_up(cols.end - cols.begin, p.block_n);
  int64_t call = 0;
  for (int64_t part = 0; part < col_blocks * p.blocks; ++part) {
    const int64_t block = once ? part / col_blocks : part % p.blocks;
    const int64_t col_block = once ? part % col_blocks : part / p.blocks;
    const int64_t k0 = smaller(block * p.block_k, args.k), kn = smaller(k0 + p.block_k, args.k) - k0;
    const bool last = block + 1 == p.blocks;
    const int64_t j0 = cols.begin + col_block * p.block_n, j1 = smaller(j0 + p.block_n, cols.end);
    const int64_t whole = j0 + (j1 - j0) / p.width * p.width;
    const bool in_place = !args.trans_b && (j1 - j0) % V::lanes == 0 && (args.ldb <= 256 || all_tiles < 3);
    // The first row of tiles copies the panels of B that it reads; the others are copied before.
    const bool copies = !in_place && !args.trans_b && args.ldb <= kFarRows && lowest > Tile<T>::skinny_rows;
    const int64_t copied = copies ? whole : j0;
    if (!in_place && copied < j1) pack_b(args, p.width, copied, j1, k0, kn, panels + (copied - j0) * kn);
    if (col_block == 0) call = 0;
    for (int64_t i0 = rows.begin; i0 < rows.end; i0 += group) {
      const int64_t in = smaller(rows.end - i0, group), tiles = divide_up(in, p.rows);  // heights differ by one at most
      if (p.pack_a && !(once && col_block > 0)) pack_a(args, i0, in, tiles, k0, kn, packed, room);
      for (int64_t s = 0; s < tiles; ++s) {
        const int64_t i = i0 + in * s / tiles, mr = i0 + in * (s + 1) / tiles - i;
        const int64_t step = long_sum && !last ? p.width : whole - j0;
        for (int64_t j = j0; j < j1;) {
          const int64_t jn = j < whole ? step : j1 - j, vectors = j < whole ? full : divide_up(jn, V::lanes);
          TileArgs<T> t{};
          t.k = kn;
          t.panels = divide_up(jn, p.width);
          t.cols = jn;
          t.add = block > 0 || args.accumulate;
          if (in_place || (i == rows.begin && j < copied)) {
            t.b = args.b + k0 * args.ldb + j;
            t.ldb = args.ldb;
            t.next_b = p.width;
            if (!in_place) t.panel = panels + (j - j0) * kn;
          } else {
            t.b = panels + (j - j0) * kn;
            t.ldb = vectors * V::lanes;
            t.next_b = p.width * kn;
          }
          epilogue.set(t, args, i, j, last);
          if (args.trans_a || p.pack_a) {
            t.a = p.pack_a ? packed + s * room : args.a + k0 * args.lda + i;
            t.lda = p.pack_a ? packed_rows<T>(mr) : args.lda;
            t.ahead = t.a + 16 * t.lda;
            t.ldahead = t.lda;
            if (long_sum && !last) next_block(args, k0 + kn, kn, call++, t);
            multiply<T, false>(mr, vectors, t);
          } else {
            t.a = args.a + i * args.lda + k0;
            t.lda = args.lda;
            multiply<T, true>(mr, vectors, t);
          }
          for (int64_t r = 0; last && epilogue.finishes && r < mr; ++r) finish_row(args, i + r, j, jn);
          j += jn;
        }
      }
    }
  }
}

}  // namespace neurite::NEURITE_ISA
