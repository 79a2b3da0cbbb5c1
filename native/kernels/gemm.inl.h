// C[m,n] = act(op(A) op(B) + bias) * act_grad'(aux): register tiles of Tile::rows x (Tile::vectors * lanes).
// Every element of C is, for each block of at most kBlockK products, one chain of multiply-adds from 0 in ascending k;
// block sums are added in order. The k blocks depend on k alone, so neither the tile an element falls in nor the block
// asked for changes its bits. A is read in place (rows of a tile are broadcast) unless its rows would fall into one
// cache set; B is read in place when its rows are contiguous and whole, else packed into panels [k][width]. Error <=
// gamma_{min(k, 512) + k / 512} |A||B|. Sources: Goto and van de Geijn 2008; Van Zee and van de Geijn 2015 (BLIS).
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int64_t kBlockK = 512;

constexpr int64_t round_up(int64_t x, int64_t to) {
  return (x + to - 1) / to * to;
}
constexpr int64_t divide_up(int64_t x, int64_t by) {
  return (x + by - 1) / by;
}
constexpr int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

template <class T>
struct TileArgs {
  int64_t k;
  const T* a;
  int64_t lda;  // to the next row if RowsApart, else to the next k
  const T* b;
  int64_t ldb;  // to the next k
  T* c;
  int64_t ldc;
  int64_t cols;
  bool add;       // to what c holds
  const T* bias;  // or null
  bool relu;      // after the bias
  const T* gate;  // or null: then zero where not positive (the derivative of relu)
  int64_t ldgate;
};

template <class T, int MR, int NV, bool RowsApart>
NEURITE_NOINLINE void multiply_tile(const TileArgs<T>& t) noexcept {
  using V = Vec<T>;
  V acc[MR][NV];
  NEURITE_UNROLL
  for (int r = 0; r < MR; ++r) {
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v] = V::set(0);
  }
  const T* a = t.a;
  const T* b = t.b;
  const int64_t lda = t.lda, ldb = t.ldb;
  for (int64_t p = t.k; p > 0; --p) {
    V row[NV];
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) row[v] = V::load(b + v * V::lanes);
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r) {
      const V x = V::set(RowsApart ? a[r * lda] : a[r]);
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = mul_add(x, row[v], acc[r][v]);
    }
    a += RowsApart ? 1 : lda;
    b += ldb;
  }
  const int64_t last = t.cols - (NV - 1) * V::lanes;  // columns of the last vector
  const auto read = [last](const T* p, int v) {
    return v < NV - 1 || last == V::lanes ? V::load(p + v * V::lanes) : V::load_n(p + v * V::lanes, last);
  };
  const V zero = V::set(0);
  V bias[NV];
  NEURITE_UNROLL
  for (int v = 0; v < NV; ++v) bias[v] = t.bias != nullptr ? read(t.bias, v) : zero;
  T* c = t.c;
  const T* gate = t.gate;
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

// The instance for run-time numbers of rows and vectors.
template <class T, bool RowsApart, int MR>
NEURITE_INLINE void multiply_rows(int64_t vectors, const TileArgs<T>& t) {
  constexpr int NV = Tile<T>::vectors;
  if constexpr (NV >= 4) {
    if (vectors == 4) return multiply_tile<T, MR, 4, RowsApart>(t);
  }
  if constexpr (NV >= 3) {
    if (vectors == 3) return multiply_tile<T, MR, 3, RowsApart>(t);
  }
  if constexpr (NV >= 2) {
    if (vectors == 2) return multiply_tile<T, MR, 2, RowsApart>(t);
  }
  return multiply_tile<T, MR, 1, RowsApart>(t);
}

template <class T, bool RowsApart, int MR = Tile<T>::rows>
NEURITE_INLINE void multiply(int64_t rows, int64_t vectors, const TileArgs<T>& t) {
  if constexpr (MR > 1) {
    if (rows < MR) return multiply<T, RowsApart, MR - 1>(rows, vectors, t);
  }
  return multiply_rows<T, RowsApart, MR>(vectors, t);
}

// out[p * width + j] = in[j * stride + p]; columns past `cols` repeat the last one.
template <class T>
NEURITE_INLINE void pack_transposed(const T* in, int64_t stride, int64_t cols, int64_t k, T* out, int64_t width) {
  using V = Vec<T>;
  for (int64_t j = 0; j < width; j += V::lanes) {
    const T* rows[V::lanes];
    for (int l = 0; l < V::lanes; ++l) rows[l] = in + smaller(j + l, cols - 1) * stride;
    T* o = out + j;
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) {
      V x[4];
      transpose4(rows, p, x);
      NEURITE_UNROLL
      for (int t = 0; t < 4; ++t) x[t].store(o + (p + t) * width);
    }
    for (; p < k; ++p) {
      for (int l = 0; l < V::lanes; ++l) o[p * width + l] = rows[l][p];
    }
  }
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

// What the register tile does not apply itself: tanh, sigmoid and the derivatives from a saved output y, while the tile
// is in the first-level cache; rounded as the micro-operations of the same name.
template <class T>
NEURITE_INLINE void finish_row(const GemmArgs<T>& args, int64_t i, int64_t j, int64_t cols) {
  using V = Vec<T>;
  T* c = args.c + i * args.ldc + j;
  const V one = V::set(1), zero = V::set(0);
  if (args.act == Activation::TANH) map(c, c, cols, [](V x) { return tanh(x); });
  if (args.act == Activation::SIGMOID) map(c, c, cols, [](V x) { return sigmoid(x); });
  if (args.act_grad == Activation::IDENTITY) return;
  const T* y = args.aux + i * args.ldaux + j;
  if (args.act_grad == Activation::RELU) map(c, c, y, cols, [=](V g, V a) { return select(lt(zero, a), g, zero); });
  if (args.act_grad == Activation::TANH) map(c, c, y, cols, [=](V g, V a) { return g * ((one - a) * (one + a)); });
  if (args.act_grad == Activation::SIGMOID) map(c, c, y, cols, [=](V g, V a) { return g * (a * (one - a)); });
}

template <class T>
struct Plan {
  int64_t width, blocks, block_k, group;
  bool pack_a;
};

// A is packed when its rows lie a multiple of 4 KiB apart, for they would share one set of the first-level cache, and
// when it is transposed with a long stride and used for several panels, for every k would touch another page. The
// scalar unit packs always: compilers vectorise its tile only when the rows of A are adjacent.
template <class T>
NEURITE_INLINE Plan<T> plan(const GemmArgs<T>& args) {
  Plan<T> p;
  p.width = Tile<T>::vectors * Vec<T>::lanes;
  p.blocks = args.k > kBlockK ? divide_up(args.k, kBlockK) : 1;
  p.block_k = round_up(divide_up(args.k, p.blocks), 8);
  p.group = 16 * Tile<T>::rows;
  const int64_t bytes = args.lda * static_cast<int64_t>(sizeof(T));
  p.pack_a =
      args.trans_a ? bytes >= 1024 && args.n >= 4 * p.width : Vec<T>::lanes == 1 || (bytes % 4096 == 0 && args.m > 4);
  return p;
}

template <class T>
int64_t gemm_scratch(const GemmArgs<T>& args, int64_t rows, int64_t cols) noexcept {
  const Plan<T> p = plan(args);
  const int64_t panel = p.block_k * smaller(p.width, round_up(cols, Vec<T>::lanes));
  const int64_t stride = round_up(Tile<T>::rows, Vec<T>::lanes);
  const int64_t packed = p.pack_a ? (divide_up(smaller(rows, p.group), Tile<T>::rows) + 1) * stride * p.block_k : 0;
  return (round_up(panel, 64) + packed) * static_cast<int64_t>(sizeof(T));
}

template <class T>
void gemm(const GemmArgs<T>& args, Range rows, Range cols, void* scratch) noexcept {
  using V = Vec<T>;
  constexpr int64_t MR = Tile<T>::rows;
  const Plan<T> p = plan(args);
  if (rows.begin >= rows.end || cols.begin >= cols.end) return;
  T* panel = static_cast<T*>(scratch);
  T* packed = panel + round_up(p.block_k * smaller(p.width, round_up(cols.end - cols.begin, V::lanes)), 64);
  const int64_t a_width = round_up(MR, V::lanes);
  const bool relu = args.act == Activation::RELU, plain = relu || args.act == Activation::IDENTITY;
  const bool gates = plain && args.act_grad == Activation::RELU;
  const bool finishes = !plain || (args.act_grad != Activation::IDENTITY && !gates);
  for (int64_t block = 0; block < p.blocks; ++block) {
    const int64_t k0 = smaller(block * p.block_k, args.k), kn = smaller(k0 + p.block_k, args.k) - k0;
    const bool last = block + 1 == p.blocks;
    for (int64_t i0 = rows.begin; i0 < rows.end; i0 += p.group) {
      const int64_t in = smaller(rows.end - i0, p.group);
      const int64_t tiles = divide_up(in, MR);  // of heights that differ by at most one
      if (p.pack_a) {
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t i = i0 + in * t / tiles, mr = i0 + in * (t + 1) / tiles - i;
          T* out = packed + t * a_width * p.block_k;
          if (args.trans_a) {
            pack_rows(args.a + k0 * args.lda + i, args.lda, mr, kn, out, a_width);
          } else {
            pack_transposed(args.a + i * args.lda + k0, args.lda, mr, kn, out, a_width);
          }
        }
      }
      for (int64_t j = cols.begin; j < cols.end; j += p.width) {
        const int64_t jn = smaller(cols.end - j, p.width), vectors = divide_up(jn, V::lanes);
        TileArgs<T> t;
        t.k = kn;
        t.ldc = args.ldc;
        t.cols = jn;
        t.add = block > 0;
        t.bias = last && args.bias != nullptr ? args.bias + j : nullptr;
        t.relu = last && relu;
        const bool in_place = !args.trans_b && jn % V::lanes == 0 && (args.ldb <= 256 || tiles < 4);
        if (args.trans_b) {
          pack_transposed(args.b + j * args.ldb + k0, args.ldb, jn, kn, panel, vectors * V::lanes);
        } else if (!in_place) {
          pack_rows(args.b + k0 * args.ldb + j, args.ldb, jn, kn, panel, vectors * V::lanes);
        }
        t.b = in_place ? args.b + k0 * args.ldb + j : panel;
        t.ldb = in_place ? args.ldb : vectors * V::lanes;
        for (int64_t s = 0; s < tiles; ++s) {
          const int64_t i = i0 + in * s / tiles, mr = i0 + in * (s + 1) / tiles - i;
          t.c = args.c + i * args.ldc + j;
          t.gate = last && gates ? args.aux + i * args.ldaux + j : nullptr;
          t.ldgate = last && gates ? args.ldaux : 0;
          if (args.trans_a || p.pack_a) {
            t.a = p.pack_a ? packed + s * a_width * p.block_k : args.a + k0 * args.lda + i;
            t.lda = p.pack_a ? a_width : args.lda;
            multiply<T, false>(mr, vectors, t);
          } else {
            t.a = args.a + i * args.lda + k0;
            t.lda = args.lda;
            multiply<T, true>(mr, vectors, t);
          }
          if (last && finishes) {
            for (int64_t r = 0; r < mr; ++r) finish_row(args, i + r, j, jn);
          }
        }
      }
    }
  }
}

}  // namespace neurite::NEURITE_ISA
