// Weight gradient of convolution: for each tap t, dW_t[i, j] = sum over output pixels p of x[p * stride + t, i] g[p,
// j]. The rows of the product are (tap, channel) pairs, its columns output channels. Work goes by blocks of output
// pixels that fit into the first-level cache: of a block, the pixels that a tile of rows meets are copied once, dense
// and with zeros for what lies outside the input, and serve all taps and all panels of columns; so no tap needs an
// address of its own, and no pitch of the input falls into one cache set. Where the input has few channels, the taps of
// a kernel row are adjacent values of a row of pixels, and tiles run across them; where these are few too, the rows of
// the kernel are copied beside each other as well. An element of dW is, for each block, one chain of multiply-adds in
// ascending order of pixels; chains are added in ascending order of blocks. Blocks depend on the shape and the
// instruction set alone. Source: Georganas et al. 2018, "Anatomy of high-performance deep learning convolutions on SIMD
// architectures".
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int64_t kBlockBytes = 40 << 10;  // of the first-level cache: pixels of a tile of x and a panel of g
inline constexpr int64_t kBlockPixels = 512;      // more would save nothing
inline constexpr int64_t kGaps[2] = {4, 32};      // rows, columns that dilation may leave unused in a copy
inline constexpr int64_t kPanelsBeside = 8;       // panels of g that are copied before a tile of x meets them

template <class T>
struct WeightTile {
  const T* a;
  int64_t a_pixel, a_row, a_image;
  const T* b;
  int64_t b_pixel, b_row, b_image;
  int64_t pixels, rows, images;
  const T* ahead;  // what each pixel brings to the second-level cache, a line at a time
  int64_t ahead_step;
  T* c;
  int64_t ldc;
  bool add;  // to what c holds
};

template <class T, int MR, int NV>
NEURITE_NOINLINE void weight_tile(const WeightTile<T>& t) noexcept {
  using V = Vec<T>;
  V acc[MR][NV];
  NEURITE_UNROLL
  for (int r = 0; r < MR; ++r) {
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v] = V::set(0);
  }
  {
    const T* c = t.c;
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r, c += t.ldc) {
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) NEURITE_PREFETCH_WRITE(c + v * V::lanes);
    }
  }
  const int64_t a_pixel = t.a_pixel, b_pixel = t.b_pixel, ahead_step = t.ahead_step;
  const T* ahead = t.ahead;
  for (int64_t image = 0; image < t.images; ++image) {
    for (int64_t row = 0; row < t.rows; ++row) {
      const T* a = t.a + image * t.a_image + row * t.a_row;
      const T* b = t.b + image * t.b_image + row * t.b_row;
      NEURITE_UNROLL_BY(2)
      for (int64_t p = t.pixels; p > 0; --p) {
        V g[NV];
        NEURITE_UNROLL
        for (int v = 0; v < NV; ++v) g[v] = V::load(b + v * V::lanes);
        NEURITE_PREFETCH_FAR(ahead);
        ahead += ahead_step;
        NEURITE_UNROLL
        for (int r = 0; r < MR; ++r) {
          const V x = V::set(a[r]);
          NEURITE_UNROLL
          for (int v = 0; v < NV; ++v) acc[r][v] = mul_add(x, g[v], acc[r][v]);
        }
        a += a_pixel;
        b += b_pixel;
      }
    }
  }
  T* c = t.c;
  if (t.add) {
    NEURITE_UNROLL
    for (int r = 0; r < MR; ++r) {
      NEURITE_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = V::load(c + r * t.ldc + v * V::lanes) + acc[r][v];
    }
  }
  NEURITE_UNROLL
  for (int r = 0; r < MR; ++r, c += t.ldc) {
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) acc[r][v].store(c + v * V::lanes);
  }
}

template <class T, int MR, int NV = Tile<T>::vectors>
NEURITE_INLINE void weight_vectors(int64_t vectors, const WeightTile<T>& t) {
  if constexpr (NV > 1) {
    if (vectors < NV) return weight_vectors<T, MR, NV - 1>(vectors, t);
  }
  return weight_tile<T, MR, NV>(t);
}

template <class T, int MR = Tile<T>::rows>
NEURITE_INLINE void weight_rows(int64_t rows, int64_t vectors, const WeightTile<T>& t) {
  if constexpr (MR > 1) {
    if (rows < MR) return weight_rows<T, MR - 1>(rows, vectors, t);
  }
  return weight_vectors<T, MR>(vectors, t);
}

// How the work is cut.
template <class T>
struct WeightPlan {
  int64_t group_c, group_o, kernel_rows;  // rows of the product that one tap in depth brings
  bool across, beside;         // tiles run across the taps of a kernel row; rows of the kernel are interleaved
  bool apart[2];               // rows, columns: each output has a copy of what its taps meet
  int64_t run;                 // rows of the product whose values of x are adjacent
  int64_t images, rows, cols;  // of a block
  int64_t row_blocks, col_blocks, blocks;
  int64_t width, group_panels;  // columns of a panel, panels of a group

  // Rows and columns that a block copies, for so many outputs.
  static NEURITE_INLINE int64_t extent(const ConvWeightArgs<T>& args, int axis, int64_t outputs) {
    return (outputs - 1) * args.stride[axis] + (args.kernel[axis] - 1) * args.dilation[axis] + 1;
  }
  NEURITE_INLINE int64_t copied_rows(const ConvWeightArgs<T>& args, int64_t n) const {
    return beside || apart[0] ? n * args.kernel[1] : extent(args, 1, n);
  }
  NEURITE_INLINE int64_t copied_cols(const ConvWeightArgs<T>& args, int64_t n) const {
    return apart[1] ? n * args.kernel[2] : extent(args, 2, n);
  }
  NEURITE_INLINE int64_t copy(const ConvWeightArgs<T>& args, int64_t image_count, int64_t r, int64_t c) const {
    return image_count * copied_rows(args, r) * copied_cols(args, c) * smaller(group_c, Tile<T>::rows);
  }
};

template <class T>
NEURITE_INLINE WeightPlan<T> weight_plan(const ConvWeightArgs<T>& args) {
  constexpr int64_t lanes = Vec<T>::lanes, tile = Tile<T>::rows;
  WeightPlan<T> p;
  const int64_t kh = args.kernel[1], kw = args.kernel[2], oh = args.out[1], ow = args.out[2];
  p.group_c = args.c / args.groups;
  p.group_o = args.o / args.groups;
  p.kernel_rows = kh * kw * p.group_c;
  p.width = smaller(Tile<T>::vectors * lanes, round_up(p.group_o, lanes));
  p.group_panels = divide_up(p.group_o, p.width);
  for (int i = 0; i < 2; ++i) {
    const int64_t gaps = (args.kernel[i + 1] - 1) * (args.dilation[i + 1] - 1);
    p.apart[i] = args.stride[i + 1] > args.kernel[i + 1] || gaps > kGaps[i];
  }
  const bool few = 2 * p.group_c <= tile;
  p.across = few && kw > 1 && (p.apart[1] || args.dilation[2] == 1);
  p.beside = few && kh > 1 && p.group_c * (p.across ? kw : 1) < tile;
  p.run = p.group_c * (p.across ? kw : 1) * (p.beside ? kh : 1);

  // The largest block that fits: whole images, else whole rows, else parts of a row.
  const auto fits = [&](int64_t images, int64_t rows, int64_t cols) {
    const int64_t pixels = images * rows * cols;
    return pixels <= kBlockPixels &&
           (p.copy(args, images, rows, cols) + pixels * p.width) * static_cast<int64_t>(sizeof(T)) <= kBlockBytes;
  };
  const auto largest = [](int64_t most, auto fit) {  // in [1, most] that fits, or 1; what is smaller fits as well
    int64_t low = 1;
    while (low < most) {
      const int64_t middle = (low + most + 1) / 2;
      if (fit(middle)) {
        low = middle;
      } else {
        most = middle - 1;
      }
    }
    return low;
  };
  p.cols = largest(smaller(ow, kBlockPixels), [&](int64_t n) { return fits(1, 1, n); });
  p.rows = p.cols < ow ? 1 : largest(smaller(oh, kBlockPixels), [&](int64_t n) { return fits(1, n, ow); });
  p.images = p.rows < oh || p.cols < ow || args.out[0] > 1
                 ? 1
                 : largest(smaller(args.n, kBlockPixels), [&](int64_t n) { return fits(n, oh, ow); });
  const auto even = [](int64_t& size, int64_t total) {  // blocks that differ little
    const int64_t blocks = divide_up(total, size);
    size = divide_up(total, blocks);
    return divide_up(total, size);
  };
  p.row_blocks = even(p.rows, oh);
  p.col_blocks = even(p.cols, ow);
  p.blocks = even(p.images, args.n) * args.out[0] * p.row_blocks * p.col_blocks;
  return p;
}

template <class T>
NEURITE_INLINE int64_t weight_copy(const ConvWeightArgs<T>& args,
                                   const WeightPlan<T>& p) {  // elements, with room for a vector
  return round_up(p.copy(args, p.images, p.rows, p.cols) + Vec<T>::lanes, 64);
}

template <class T>
ConvWeightSizes conv_weight_sizes(const ConvWeightArgs<T>& args) noexcept {
  const WeightPlan<T> p = weight_plan(args);
  const int64_t panels = smaller(p.group_panels, kPanelsBeside), pixels = p.images * p.rows * p.cols;
  ConvWeightSizes s;
  s.blocks = p.blocks;
  s.panels = args.groups * p.group_panels;
  s.sums = s.panels * args.kernel[0] * p.kernel_rows * p.width;
  s.scratch = (weight_copy(args, p) + panels * pixels * p.width) * static_cast<int64_t>(sizeof(T));
  return s;
}

// out[0 .. count) = in[0 .. count); may write up to a vector beyond, and reads no more than `left` elements.
template <class T>
NEURITE_INLINE void copy_run(const T* in, int64_t count, int64_t left, T* out) {
  using V = Vec<T>;
  for (int64_t i = 0; i < count; i += V::lanes) {
    (left - i >= V::lanes ? V::load(in + i) : V::load_n(in + i, smaller(count, left) - i)).store(out + i);
  }
}

template <class T>
NEURITE_INLINE void zero_run(T* out, int64_t count) {  // may write up to a vector beyond
  using V = Vec<T>;
  for (int64_t i = 0; i < count; i += V::lanes) V::set(0).store(out + i);
}

// A block: first output of each axis and how many.
struct WeightBlock {
  int64_t image, images, depth, row, rows, col, cols;
};

template <class T>
NEURITE_INLINE WeightBlock weight_block(const ConvWeightArgs<T>& args, const WeightPlan<T>& p, int64_t block) {
  WeightBlock b;
  b.col = block % p.col_blocks * p.cols;
  block /= p.col_blocks;
  b.row = block % p.row_blocks * p.rows;
  block /= p.row_blocks;
  b.depth = block % args.out[0];
  b.image = block / args.out[0] * p.images;
  b.images = smaller(p.images, args.n - b.image);
  b.rows = smaller(p.rows, args.out[1] - b.row);
  b.cols = smaller(p.cols, args.out[2] - b.col);
  return b;
}

// `count` channels of the columns of a block, from a row of the input that starts with the first of them, each `pitch`
// after the last; zeros where the row is null. Of each pixel `left` elements may be read.
template <class T>
NEURITE_INLINE void copy_cols(const ConvWeightArgs<T>& args, const WeightPlan<T>& p, const WeightBlock& b, const T* row,
                              int64_t count, int64_t left, int64_t pitch, T* out) {
  using V = Vec<T>;
  const int64_t first = b.col * args.stride[2] - args.pad[2], width = args.in[2], c = args.c;
  const int64_t cols = p.copied_cols(args, b.cols);
  const auto apart = [=](const T* in, int64_t stride, int64_t n, T* to) {  // few channels between those of other rows
    for (int64_t e = 0; e < count; ++e) {
      if (in == nullptr) {
        for (int64_t i = 0; i < n; ++i) to[i * pitch + e] = T(0);
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * pitch + e] = in[i * stride + e];
      }
    }
  };
  if (p.apart[1] && row != nullptr) {
    for (int64_t q = 0; q < b.cols; ++q) {
      for (int64_t t = 0; t < args.kernel[2]; ++t, out += pitch) {
        const int64_t x = first + q * args.stride[2] + t * args.dilation[2];
        const T* const in = x >= 0 && x < width ? row + x * c : nullptr;
        if (pitch != count) {
          apart(in, 0, 1, out);
        } else if (in != nullptr) {
          copy_run(in, count, left, out);
        } else {
          zero_run(out, count);
        }
      }
    }
    return;
  }
  // Columns [from, to) lie inside the input.
  const int64_t from = row == nullptr ? cols : smaller(cols, first >= 0 ? 0 : -first);
  const int64_t to = row == nullptr || width - first <= from ? from : smaller(cols, width - first);
  const T* in = row + (row == nullptr ? 0 : (first + from) * c);
  if (pitch != count) {
    apart(nullptr, 0, from, out);
    apart(in, c, to - from, out + from * pitch);
    apart(nullptr, 0, cols - to, out + to * pitch);
    return;
  }
  zero_run(out, from * count);
  out += from * count;
  if (count == c) {
    copy_run(in, (to - from) * c, (to - from) * c, out);
  } else if (count <= V::lanes && left >= V::lanes) {
    for (int64_t i = 0; i < to - from; ++i) V::load(in + i * c).store(out + i * count);
  } else {
    for (int64_t i = 0; i < to - from; ++i) copy_run(in + i * c, count, left, out + i * count);
  }
  zero_run(out + (to - from) * count, (cols - to) * count);
}

// What the block meets of `count` channels from `channel` on, at input depth `depth`: [image][row][column][channel],
// where the rows of the kernel are beside each other [image][output row][column][kernel row][channel].
template <class T>
NEURITE_INLINE void copy_pixels(const ConvWeightArgs<T>& args, const WeightPlan<T>& p, const WeightBlock& b,
                                int64_t depth, int64_t channel, int64_t count, T* out) {
  const int64_t kh = args.kernel[1], height = args.in[1], line = args.in[2] * args.c;
  const int64_t cols = p.copied_cols(args, b.cols), rows = p.copied_rows(args, b.rows);
  const int64_t first = b.row * args.stride[1] - args.pad[1], pitch = p.beside ? kh * count : count;
  for (int64_t image = 0; image < b.images; ++image) {
    const T* const in = args.x + ((b.image + image) * args.in[0] + depth) * height * line + channel;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t y = first + (p.beside || p.apart[0] ? r / kh * args.stride[1] + r % kh * args.dilation[1] : r);
      T* const to = p.beside ? out + r / kh * cols * pitch + r % kh * count : out + r * cols * count;
      copy_cols(args, p, b, y >= 0 && y < height ? in + y * line : nullptr, count, args.c - channel, pitch, to);
    }
    out += rows * cols * count;
  }
}

// Outputs [from, to) of [0, n) from `first` on whose tap meets the input.
NEURITE_INLINE Range covered(int64_t n, int64_t first, int64_t stride, int64_t at, int64_t size) {
  const int64_t begin = first * stride + at;  // input position of output 0
  const int64_t from = begin >= 0 ? 0 : smaller(n, divide_up(-begin, stride));
  const int64_t to = begin >= size ? 0 : smaller(n, divide_up(size - begin, stride));
  return {from, to > from ? to : from};
}

// What the next block reads, two pieces of memory: the tiles of this one bring it in turn.
template <class T>
struct WeightAhead {
  const T *x, *g;
  int64_t x_lines, lines, at = 0;
  static constexpr int64_t line = 64 / sizeof(T);

  WeightAhead(const ConvWeightArgs<T>& args, const WeightPlan<T>& p, int64_t block) {
    const WeightBlock b = weight_block(args, p, block);
    const int64_t x_row = args.in[2] * args.c, g_row = args.out[2] * args.o;
    const int64_t depth = b.depth * args.stride[0] - args.pad[0] + args.kernel[0] / 2 * args.dilation[0];
    // Of the rows that blocks share, the next one reads what lies beyond this one.
    const int64_t reach = (b.rows - 1) * args.stride[1] + (args.kernel[1] - 1) * args.dilation[1] + 1;
    const int64_t row = b.row * args.stride[1] - args.pad[1], shared = b.row == 0 ? 0 : reach - b.rows * args.stride[1];
    const int64_t from = row + shared > 0 ? row + shared : 0;
    const int64_t rows = smaller((b.images - 1) * args.in[0] * args.in[1] + row + reach, args.in[1] * b.images) - from;
    x = args.x + ((b.image * args.in[0] + (depth > 0 ? depth : 0)) * args.in[1] + from) * x_row;
    g = args.g + ((b.image * args.out[0] + b.depth) * args.out[1] + b.row) * g_row;
    x_lines = rows > 0 ? divide_up(rows * x_row, line) : 0;
    lines = x_lines + divide_up(((b.images - 1) * args.out[0] * args.out[1] + b.rows) * g_row, line);
  }

  NEURITE_INLINE void take(WeightTile<T>& t) {
    const int64_t steps = t.images * t.rows * t.pixels;
    if (at >= lines) {
      t.ahead = t.a;
      t.ahead_step = 0;
      return;
    }
    t.ahead = at < x_lines ? x + at * line : g + (at - x_lines) * line;
    t.ahead_step = line;
    at = at < x_lines && at + steps > x_lines ? x_lines : at + steps;
  }
};

template <class T>
void conv_weight(const ConvWeightArgs<T>& args, Range blocks, Range panels, T* sums, void* scratch) noexcept {
  using V = Vec<T>;
  const WeightPlan<T> p = weight_plan(args);
  const int64_t kd = args.kernel[0], kh = args.kernel[1], kw = args.kernel[2];
  const int64_t out_image = args.out[0] * args.out[1] * args.out[2] * args.o;
  T* const pixels = static_cast<T*>(scratch);
  T* const packed = pixels + weight_copy(args, p);
  const bool in_place = args.groups == 1 && args.o == p.width;
  const int64_t taps_across = p.across ? 1 : kw, taps_down = p.beside ? 1 : kh;
  const bool merged = p.across || p.beside;
  const int64_t tiles = merged ? 1 : divide_up(p.group_c, Tile<T>::rows);
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const WeightBlock b = weight_block(args, p, block);
    WeightAhead<T> ahead(args, p, smaller(block + 1, blocks.end - 1));
    const int64_t count = b.images * b.rows * b.cols;
    const int64_t cols = p.copied_cols(args, b.cols);
    for (int64_t panel0 = panels.begin; panel0 < panels.end;) {
      const int64_t group = panel0 / p.group_panels;
      const int64_t panel1 = smaller(smaller(panel0 + kPanelsBeside, panels.end), (group + 1) * p.group_panels);
      for (int64_t panel = panel0; panel < panel1 && !in_place; ++panel) {
        const int64_t j = (panel - group * p.group_panels) * p.width, jn = smaller(p.width, p.group_o - j);
        T* out = packed + (panel - panel0) * count * p.width;
        for (int64_t image = 0; image < b.images; ++image) {
          for (int64_t r = 0; r < b.rows; ++r, out += b.cols * p.width) {
            const int64_t at = (b.depth * args.out[1] + b.row + r) * args.out[2] + b.col;
            pack_rows(args.g + (b.image + image) * out_image + at * args.o + group * p.group_o + j, args.o, jn, b.cols,
                      out, p.width);
          }
        }
      }
      for (int64_t td = 0; td < kd; ++td) {
        const int64_t depth = b.depth * args.stride[0] + td * args.dilation[0] - args.pad[0];
        const bool meets = depth >= 0 && depth < args.in[0];
        if (!meets && block > blocks.begin) continue;
        for (int64_t tile = 0; tile < tiles; ++tile) {
          const int64_t channel = p.group_c * tile / tiles, channels = p.group_c * (tile + 1) / tiles - channel;
          if (meets) copy_pixels(args, p, b, depth, group * p.group_c + channel, channels, pixels);
          WeightTile<T> t{};
          const int64_t pixel = channels * (p.beside ? kh : 1), line = cols * pixel;
          t.a_pixel = (p.apart[1] ? kw : args.stride[2]) * pixel;
          t.a_row = (p.beside ? 1 : p.apart[0] ? kh : args.stride[1]) * line;
          t.a_image = p.copied_rows(args, b.rows) * cols * channels;
          t.b_pixel = in_place ? args.o : p.width;
          t.b_row = in_place ? args.out[2] * args.o : b.cols * p.width;
          t.b_image = in_place ? out_image : b.rows * t.b_row;
          t.images = meets ? b.images : 0;
          t.ldc = p.width;
          t.add = block > blocks.begin;
          const int64_t run = merged ? p.run : channels;
          const int64_t parts = divide_up(run, Tile<T>::rows);
          for (int64_t panel = panel0; panel < panel1; ++panel) {
            const int64_t j = (panel - group * p.group_panels) * p.width;
            const int64_t vectors = divide_up(smaller(p.width, p.group_o - j), V::lanes);
            const T* const g = in_place ? args.g + b.image * out_image +
                                              ((b.depth * args.out[1] + b.row) * args.out[2] + b.col) * args.o
                                        : packed + (panel - panel0) * count * p.width;
            T* const c = sums + (panel * kd + td) * p.kernel_rows * p.width;
            for (int64_t ty = 0; ty < taps_down; ++ty) {
              const int64_t y = ty * args.dilation[1];
              const Range down =
                  p.beside ? Range{0, b.rows} : covered(b.rows, b.row, args.stride[1], y - args.pad[1], args.in[1]);
              for (int64_t tx = 0; tx < taps_across; ++tx) {
                const int64_t x = tx * args.dilation[2];
                const Range over =
                    p.across ? Range{0, b.cols} : covered(b.cols, b.col, args.stride[2], x - args.pad[2], args.in[2]);
                t.rows = down.end - down.begin;
                t.pixels = over.end - over.begin;
                const T* const a = pixels + (p.apart[0] ? ty : y) * line + (p.apart[1] ? tx : x) * pixel +
                                   down.begin * t.a_row + over.begin * t.a_pixel;
                t.b = g + down.begin * t.b_row + over.begin * t.b_pixel;
                const int64_t row = merged ? (ty * taps_across + tx) * p.run : (ty * kw + tx) * p.group_c + channel;
                for (int64_t part = 0; part < parts; ++part) {
                  const int64_t first = run * part / parts, mr = run * (part + 1) / parts - first;
                  t.a = a + first;
                  t.c = c + (row + first) * p.width;
                  ahead.take(t);
                  weight_rows(mr, vectors, t);
                }
              }
            }
          }
        }
      }
      panel0 = panel1;
    }
  }
}

// Elements [range) of each of the rows of dw, [o, channels of a group x taps], from the sums.
template <class T>
void conv_weight_write(const ConvWeightArgs<T>& args, Range range, const T* sums, T* dw) noexcept {
  using V = Vec<T>;
  const WeightPlan<T> p = weight_plan(args);
  const int64_t kh = args.kernel[1], kw = args.kernel[2], taps = args.kernel[0] * kh * kw, length = p.group_c * taps;
  // Distance between the rows of the product of neighbouring taps.
  const int64_t down = p.beside ? p.group_c : kw * p.group_c, over = p.beside ? kh * p.group_c : p.group_c;
  for (int64_t q = range.begin; q < range.end; q += V::lanes) {
    const int64_t count = smaller(V::lanes, range.end - q);
    int64_t from[V::lanes];
    for (int64_t l = 0; l < V::lanes; ++l) {
      const int64_t at = q + smaller(l, count - 1), tap = at % taps;
      const int64_t row = tap / (kh * kw) * p.kernel_rows + tap / kw % kh * down + tap % kw * over + at / taps;
      from[l] = row * p.width;
    }
    for (int64_t panel = 0; panel < args.groups * p.group_panels; ++panel) {
      const int64_t group = panel / p.group_panels, j0 = panel % p.group_panels * p.width;
      const int64_t jn = smaller(p.width, p.group_o - j0);
      const T* lanes[V::lanes];
      for (int64_t l = 0; l < V::lanes; ++l)
        lanes[l] = sums + panel * args.kernel[0] * p.kernel_rows * p.width + from[l];
      T* out = dw + (group * p.group_o + j0) * length + q;
      for (int64_t j = 0; j < jn; j += 4) {
        V x[4];
        transpose4(lanes, j, x);
        for (int64_t t = 0; t < smaller(4, jn - j); ++t, out += length) {
          if (count == V::lanes) {
            x[t].store(out);
          } else {
            x[t].store_n(out, count);
          }
        }
      }
    }
  }
}

}  // namespace neurite::NEURITE_ISA
