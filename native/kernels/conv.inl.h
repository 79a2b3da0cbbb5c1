// Convolution as a batch-reduce GEMM: a register tile is Tile::rows neighbouring positions of a destination row by
// Tile::vectors vectors of channels, and its sums stay in registers over all taps and source channels. A table gives
// for each product where its source element lies from the tile's first one, so that many channels, few channels and any
// dilation are the same loop; taps of rows outside the source are left out.
// Source: Georganas et al. 2020, Harnessing deep learning via a single building block (IPDPS).
#pragma once

namespace neurite::NEURITE_ISA {

template <class T>
struct TileOut {  // where a tile goes, and what becomes of it on the way
  T* c;
  int64_t ldc;
  int64_t cols;
  const T* bias;  // or null
  bool relu;      // after the bias
  const T* gate;  // or null: then zero where not positive (the derivative of relu)
  NEURITE_INLINE void advance(int64_t n) {
    c += n;
    if (bias != nullptr) bias += n;
    if (gate != nullptr) gate += n;
  }
};

// As multiply_tiles ends: as one function compilers lay either out worse (12 % of a small product that adds to C).
template <class T, int MR, int NV>
NEURITE_INLINE void store_tile(const Vec<T> (&acc)[MR][NV], const TileOut<T>& t) {
  using V = Vec<T>;
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
  const int64_t ldgate = gate != nullptr ? t.ldc : 0;
  NEURITE_UNROLL
  for (int r = 0; r < MR; ++r, c += t.ldc, gate += ldgate) {
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) {
      V x = acc[r][v];
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

template <class T>
struct ConvTile {
  int64_t segments, k;     // depths, and products of each
  int64_t panels;          // beside each other, of as many vectors
  const int64_t* offsets;  // of the k source elements from `a`, in bytes
  const T* a;
  int64_t pixel, plane;  // from one row of the tile to the next, from one segment to the next
  const T* b;
  int64_t plane_b, next_b;  // to the next segment, to the next panel
  const char* ahead;        // what each product brings to the second-level cache: source elements of later tiles
  int64_t ahead_step;
  TileOut<T> out;
};

template <class T, int MR, int NV>
NEURITE_NOINLINE void conv_tile(const ConvTile<T>& t) noexcept {
  using V = Vec<T>;
  const int64_t pitch = t.pixel * static_cast<int64_t>(sizeof(T)), pitch3 = 3 * pitch;
  const char* ahead = t.ahead;
  const int64_t ahead_step = t.ahead_step;
  TileOut<T> out = t.out;
  const T* panel = t.b;
  for (int64_t n = t.panels; n > 0; --n, panel += t.next_b) {
    V acc[MR][NV];
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r) {
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = V::set(0);
    }
    if (t.k > 16) {  // else the destination is not there before its stores
      const T* c = out.c;
      NEURITE_UNROLL
      for (int r = 0; r < MR; ++r, c += out.ldc) {
        NEURITE_PREFETCH_WRITE(c);
        NEURITE_PREFETCH_WRITE(c + out.cols - 1);
      }
    }
    const char* source = reinterpret_cast<const char*>(t.a);
    const T* weights = panel;
    for (int64_t s = t.segments; s > 0;
         --s, source += t.plane * static_cast<int64_t>(sizeof(T)), weights += t.plane_b) {
      const int64_t* offset = t.offsets;
      const T* b = weights;
      NEURITE_UNROLL_BY(2)
      for (int64_t p = t.k; p > 0; --p) {
        const char* a = source + *offset++;
        V row[NV];
        NEURITE_UNROLL
        for (int v = 0; v < NV; ++v) {
          NEURITE_PREFETCH(b + (16 * NV + v) * V::lanes);
          row[v] = V::load(b + v * V::lanes);
        }
        NEURITE_PREFETCH_FAR(ahead);
        ahead += ahead_step;
        NEURITE_UNROLL
        for (int r = 0; r < MR; ++r) {
          if (r > 0 && r % 4 == 0) {
            a += 4 * pitch;
            NEURITE_OPAQUE(a);  // else compilers make an addition for every row of this
          }
          const V x = V::set(*reinterpret_cast<const T*>(a + (r % 4 == 3 ? pitch3 : r % 4 * pitch)));
          NEURITE_UNROLL
          for (int v = 0; v < NV; ++v) acc[r][v] = mul_add(x, row[v], acc[r][v]);
        }
        b += NV * V::lanes;
      }
    }
    store_tile<T, MR, NV>(acc, out);
    out.advance(NV * V::lanes);
  }
}

template <class T>
using ConvTileFunction = void (*)(const ConvTile<T>&) noexcept;

// The instance for run-time numbers of rows and vectors.
template <class T, int MR = Tile<T>::rows, int NV = Tile<T>::vectors>
NEURITE_INLINE ConvTileFunction<T> conv_tile_for(int64_t rows, int64_t vectors) {
  if constexpr (NV > 1) {
    if (vectors < NV) return conv_tile_for<T, MR, NV - 1>(rows, vectors);
  }
  if constexpr (MR > 1) {
    if (rows < MR) return conv_tile_for<T, MR - 1, NV>(rows, vectors);
  }
  return &conv_tile<T, MR, NV>;
}

template <class T>
inline constexpr int64_t kConvWidth = Tile<T>::vectors * Vec<T>::lanes;  // columns of a panel

template <class T>
NEURITE_INLINE int64_t conv_products(const ConvArgs<T>& args) {  // of one element at most
  return args.axes[0].taps * args.axes[1].taps * args.axes[2].taps * args.from_channels;
}

// A panel: its group, its first column in that group, its columns and where its weights begin.
template <class T>
struct ConvPanel {
  int64_t group, col, cols, wide, start;
  NEURITE_INLINE ConvPanel(const ConvArgs<T>& args, int64_t panel) {
    const int64_t panels = divide_up(args.to_channels, kConvWidth<T>);
    group = panel / panels;
    col = panel % panels * kConvWidth<T>;
    cols = smaller(args.to_channels - col, kConvWidth<T>);
    wide = round_up(cols, Vec<T>::lanes);
    start = (group * round_up(args.to_channels, Vec<T>::lanes) + col) * conv_products(args);
  }
  // How many from this one on, of at most `most`, stand beside each other in one group and are as wide.
  NEURITE_INLINE int64_t alike(const ConvArgs<T>& args, int64_t most) const {
    return cols < kConvWidth<T> ? 1 : smaller(most, (args.to_channels - col) / kConvWidth<T>);
  }
  NEURITE_INLINE void advance(const ConvArgs<T>& args, int64_t panels, int64_t products) {
    start += panels * wide * products;
    col += panels * cols;
    if (col == args.to_channels) {
      ++group;
      col = 0;
    }
    cols = smaller(args.to_channels - col, kConvWidth<T>);
    wide = round_up(cols, Vec<T>::lanes);
  }
};

template <class T>
int64_t conv_packed(const ConvArgs<T>& args) noexcept {
  return args.groups * round_up(args.to_channels, Vec<T>::lanes) * conv_products(args);
}

template <class T>
int64_t conv_panels(const ConvArgs<T>& args) noexcept {
  return args.groups * divide_up(args.to_channels, kConvWidth<T>);
}

template <class T>
void conv(const ConvArgs<T>& args, const ConvBlock& block, void* scratch) noexcept {
  using V = Vec<T>;
  const ConvAxis& d = args.axes[0];
  const ConvAxis& h = args.axes[1];
  const ConvAxis& w = args.axes[2];
  const int64_t channels = args.groups * args.from_channels, to_channels = args.groups * args.to_channels;
  const ConvSource<T> source(args, block.row, block.rows, block.col, block.cols);
  int64_t* const offsets = static_cast<int64_t*>(scratch);
  T* const copy = reinterpret_cast<T*>(static_cast<char*>(scratch) + source.table);
  fill_offsets(args, source, offsets);

  // The depths that the taps of this one meet: `image` is the first of them, or where its rows are copied to.
  const ConvTaps& td = d.phase[block.depth % d.phases];
  const int64_t depth = block.depth / d.phases * d.step;
  const ConvRange deep = conv_inside(td, depth, d.from, 0);
  const int64_t depth_size = td.apart * h.from * w.from;
  const T* from = args.from;
  if (deep.count > 0) {
    const int64_t first = depth + td.first + deep.begin * td.apart;
    from += (block.image * d.from + first) * h.from * w.from * channels;
  }
  const T* const image = !source.in_place ? copy : source.rows > 0 ? from + source.first_row * source.row : from;
  const int64_t plane = source.in_place ? depth_size * channels : source.plane;
  const int64_t products = conv_products(args), pitch = w.phases * to_channels;
  const ConvPanel<T> first_panel(args, block.panel);
  const bool plain = args.act == Activation::RELU || args.act == Activation::IDENTITY;
  const bool gates = plain && args.act_grad == Activation::RELU;
  const bool finishes = !plain || (args.act_grad != Activation::IDENTITY && !gates);

  int64_t copied = 0;
  for (int64_t m = block.row; m < block.row + block.rows; ++m) {
    if (!source.in_place) copied = copy_rows(args, source, from, deep.count, depth_size, m, copied, copy);
    for (int64_t ph = 0; ph < h.phases && m * h.phases + ph < h.to; ++ph) {
      const ConvTaps& th = h.phase[ph];
      const ConvRange tall = conv_inside(th, m * h.step, h.from, 0);
      const int64_t y = m * h.step + th.first + tall.begin * th.apart - source.first_row;
      const int64_t row = (block.image * d.to + block.depth) * h.to + m * h.phases + ph;
      for (int64_t pw = 0; pw < w.phases && pw < w.to; ++pw) {
        const ConvTaps& tw = w.phase[pw];
        const int64_t cols = smaller(block.col + block.cols, tw.positions) - block.col;
        if (cols <= 0) continue;
        const int64_t run = tw.count * args.from_channels;  // products of one source row
        ConvTile<T> t{};
        t.segments = tall.count == 0 || run == 0 ? 0 : deep.count;
        t.k = tall.count * run;
        t.offsets = offsets + tw.before * h.taps * args.from_channels;
        t.pixel = source.spread * source.pixel;
        t.plane = plane;
        t.out.ldc = pitch;
        t.out.relu = args.act == Activation::RELU;
        const int64_t x = source.in_place ? block.col * w.step + tw.first : tw.first - w.low;
        const T* const start = t.segments == 0 ? image : image + y * source.row + x * source.pixel;
        T* const to = args.to + (row * w.to + block.col * w.phases + pw) * to_channels;
        const int64_t before = td.before * h.taps * w.taps + td.count * (th.before * w.taps + th.count * tw.before);
        const int64_t skipped = (before + (deep.begin * th.count + tall.begin) * tw.count) * args.from_channels;
        const int64_t tiles = divide_up(cols, Tile<T>::rows), low = cols / tiles;
        // The rows to be copied next arrive a part with each tile, in place the elements of the next tile.
        const int64_t calls = block.panels * t.segments * t.k;
        const int64_t bytes = (source.in_place ? (low + 1) * t.pixel : h.step * w.from * channels / tiles) *
                              static_cast<int64_t>(sizeof(T));
        t.ahead_step = calls == 0 ? 0 : divide_up(bytes, calls);
        for (int64_t s = 0; s < tiles; ++s) {
          const int64_t j = cols * s / tiles, mr = cols * (s + 1) / tiles - j;
          t.ahead =
              calls == 0 ? reinterpret_cast<const char*>(start)  // perhaps null
              : source.in_place
                  ? reinterpret_cast<const char*>(start + (j + mr) * t.pixel)
                  : reinterpret_cast<const char*>(from + (source.first_row + copied) * w.from * channels) + s * bytes;
          ConvPanel<T> panel = first_panel;
          for (int64_t left = block.panels; left > 0;) {
            const int64_t panels = panel.alike(args, left), channel = panel.group * args.to_channels + panel.col;
            T* const c = to + j * pitch + channel;
            const T* const aux = args.aux == nullptr ? nullptr : args.aux + (c - args.to);
            t.panels = panels;
            t.a = calls == 0 ? start : start + j * t.pixel + panel.group * args.from_channels;
            t.b = calls == 0 ? args.packed : args.packed + panel.start + skipped * panel.wide;
            t.plane_b = th.count * run * panel.wide;
            t.next_b = products * panel.wide;
            t.out.c = c;
            t.out.cols = panel.cols;
            t.out.bias = args.bias == nullptr ? nullptr : args.bias + channel;
            t.out.gate = gates ? aux : nullptr;
            conv_tile_for<T>(mr, panel.wide / V::lanes)(t);
            for (int64_t r = 0; finishes && r < mr; ++r) {
              finish(args.act, args.act_grad, c + r * pitch, aux == nullptr ? nullptr : aux + r * pitch,
                     panels * panel.cols);
            }
            t.ahead += t.ahead_step * panels * t.segments * t.k;
            panel.advance(args, panels, products);
            left -= panels;
          }
        }
      }
    }
  }
}

// Source channels [begin, end) of a panel's weights. `rows` holds, for each weight tap, where its first row lies in the
// panel, or -1 for a tap that meets only padding.
template <class T>
void conv_pack(const ConvArgs<T>& args, const int64_t* rows, int64_t panel_index, Range channels) noexcept {
  const ConvPanel<T> panel(args, panel_index);
  const int64_t taps = args.axes[0].kernel * args.axes[1].kernel * args.axes[2].kernel;
  const int64_t across = args.backward ? args.to_channels * taps : taps;  // to the next source channel
  const int64_t down = args.backward ? taps : args.from_channels * taps;  // to the next column
  const T* const in = args.weights + panel.group * args.to_channels * args.from_channels * taps + panel.col * down;
  T* const out = args.packed + panel.start;
  alignas(64) T unused[kConvWidth<T>];
  const auto row_of = [=, &unused](int64_t tap, int64_t channel) {
    return rows[tap] < 0 ? unused : out + (rows[tap] * args.from_channels + channel) * panel.wide;
  };
  if (!args.backward) {
    transpose_rows(in + channels.begin * taps, down, panel.cols, (channels.end - channels.begin) * taps, panel.wide,
                   [&](int64_t p) { return row_of(p % taps, channels.begin + p / taps); });
  } else if (taps == 1) {
    for (int64_t i = channels.begin; i < channels.end; ++i) {
      pack_rows(in + i * across, 0, panel.cols, 1, row_of(0, i), panel.wide);
    }
  } else {
    for (int64_t i = channels.begin; i < channels.end; ++i) {
      transpose_rows(in + i * across, down, panel.cols, taps, panel.wide, [&](int64_t p) { return row_of(p, i); });
    }
  }
}

}  // namespace neurite::NEURITE_ISA
