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
  const bool nearby = args.trans_b || args.ldb <= kFarRows;  // else longer pieces of the rows of B take less time
  const int64_t panels = few && nearby ? Tile<T>::panels / 4 : Tile<T>::panels;
  p.room = panels * Tile<T>::vectors * Vec<T>::lanes * kBlockK;
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

// What is left for after the last product: relu and gates are the tile's own work, the rest is left to finish().
struct Epilogue {
  bool relu, gates, finishes;
  NEURITE_INLINE Epilogue(Activation act, Activation act_grad) {
    relu = act == Activation::RELU;
    const bool plain = relu || act == Activation::IDENTITY;
    gates = plain && act_grad == Activation::RELU;
    finishes = !plain || (act_grad != Activation::IDENTITY && !gates);
  }
  template <class T>
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
  const Epilogue epilogue(args.act, args.act_grad);
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
  const Epilogue epilogue(args.act, args.act_grad);
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

template <class T>
void gemm(const GemmArgs<T>& args, Range rows, Range cols, void* scratch) noexcept {
  using V = Vec<T>;
  if (rows.begin >= rows.end || cols.begin >= cols.end) return;
  if (swaps(args)) return gemm_swapped(args, rows, cols, static_cast<T*>(scratch));
  if (streams(args)) return gemm_stream(args, rows, cols, static_cast<T*>(scratch));
  const Plan<T> p = plan(args);
  const Epilogue epilogue(args.act, args.act_grad);
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
