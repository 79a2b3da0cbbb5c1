// Depthwise convolution: every channel has a filter of its own, so vectors run along channels. A row of the destination
// is cut into segments of columns that the same taps meet; of a segment, a few columns by one vector of channels are a
// tile whose sums stay in registers over all taps. With little arithmetic to an element the work is moving memory once,
// in its order. An element is one chain of multiply-adds over its taps in ascending order; of the weight gradient, a
// chain over the columns of a segment of a row, chains added in ascending order.
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int kDepthwiseColumns = 8;  // of a tile
inline constexpr int kDepthwiseTaps = 9;     // whose weight gradients are in registers at a time

// The taps that meet neighbouring columns [begin, end) of a phase of a destination row.
struct DepthwiseSegment {
  int64_t begin, end, count;
  int64_t
      from[kMaxDepthwiseTaps];  // pixel of the source that the tap meets, from the one of the image that column `begin`
  int64_t tap[kMaxDepthwiseTaps];  // would meet without padding
};

// Source position that tap t meets from position q of an axis, or -1.
template <class T>
NEURITE_INLINE int64_t depthwise_source(const DepthwiseArgs<T>& args, int axis, int64_t q, int64_t t) {
  int64_t at;
  if (args.backward) {
    at = q + args.pad[axis] - t * args.dilation[axis];
    if (at < 0 || at % args.stride[axis] != 0) return -1;
    at /= args.stride[axis];
  } else {
    at = q * args.stride[axis] + t * args.dilation[axis] - args.pad[axis];
  }
  return at >= 0 && at < args.from_size[axis] ? at : -1;
}

// Calls body(segment) for every segment of row (depth, height) of the destination, phase by phase: columns m * phases +
// phase.
template <class T, class F>
NEURITE_INLINE void each_segment(const DepthwiseArgs<T>& args, int64_t depth, int64_t height, F body) {
  const int64_t kd = args.kernel[0], kh = args.kernel[1], kw = args.kernel[2], cols = args.to_size[2];
  const int64_t phases = args.backward ? args.stride[2] : 1, step = args.backward ? 1 : args.stride[2];
  for (int64_t phase = 0; phase < phases && phase < cols; ++phase) {
    const int64_t positions = (cols - phase - 1) / phases + 1;
    for (int64_t m = 0; m < positions;) {
      DepthwiseSegment s;
      s.begin = m;
      s.end = positions;
      s.count = 0;
      int64_t columns[kMaxDepthwiseTaps];
      for (int64_t t = 0; t < kw; ++t) {
        // Where the tap meets the source, and up to which column that stays so.
        int64_t first = t * args.dilation[2] - args.pad[2];  // source column of m = 0
        columns[t] = -1;
        if (args.backward) {
          if ((phase - first) % phases != 0) continue;
          first = (phase - first) / phases;
        }
        const int64_t at = first + m * step;
        int64_t end = positions;
        if (at < 0) {
          end = m + (-at - 1) / step + 1;
        } else if (at < args.from_size[2]) {
          columns[t] = at;
          end = m + (args.from_size[2] - at - 1) / step + 1;
        }
        if (end < s.end) s.end = end;
      }
      for (int64_t a = 0; a < kd; ++a) {
        const int64_t z = depthwise_source(args, 0, depth, a);
        for (int64_t b = 0; b < kh && z >= 0; ++b) {
          const int64_t y = depthwise_source(args, 1, height, b);
          for (int64_t t = 0; t < kw && y >= 0; ++t) {
            if (columns[t] < 0) continue;
            s.from[s.count] = (z * args.from_size[1] + y) * args.from_size[2] + columns[t];
            s.tap[s.count++] = (a * kh + b) * kw + t;
          }
        }
      }
      body(phase, phases, step, s);
      m = s.end;
    }
  }
}

template <class T>
struct DepthwiseTile {
  const T *from, *weights;
  int64_t pixel;                      // of the source, from a column to the next
  int64_t count;                      // taps
  const int64_t *offset, *weight_at;  // elements from `from`, from `weights`
  int64_t ahead;                      // elements on, to what the tile brings to the second-level cache
  TileOut<T> out;
};

template <class T, int Columns, int NV, bool Part>
NEURITE_INLINE void depthwise_tile(const DepthwiseTile<T>& t) {
  using V = Vec<T>;
  const int64_t last = t.out.cols;
  const auto read = [last](const T* p) { return Part ? V::load_n(p, last) : V::load(p); };
  V acc[Columns][NV];
  NEURITE_UNROLL
  for (int j = 0; j < Columns; ++j) {
    NEURITE_PREFETCH_FAR(t.from + t.ahead + j * t.pixel);
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) acc[j][v] = V::set(0);
  }
  const int64_t pixel = t.pixel;
  for (int64_t i = 0; i < t.count; ++i) {
    const T* x = t.from + t.offset[i];
    const T* w = t.weights + t.weight_at[i];
    NEURITE_UNROLL
    for (int v = 0; v < NV; ++v) {
      const V weight = read(w + v * V::lanes);
      NEURITE_UNROLL
      for (int j = 0; j < Columns; ++j) acc[j][v] = mul_add(read(x + j * pixel + v * V::lanes), weight, acc[j][v]);
    }
  }
  store_tile<T, Columns, NV>(acc, t.out);
}

// All channels of so many columns.
template <class T, int Columns, int NV>
NEURITE_NOINLINE void depthwise_columns(DepthwiseTile<T> t, int64_t channels) noexcept {
  constexpr int64_t lanes = Vec<T>::lanes;
  const auto advance = [&](int64_t n) {
    t.from += n;
    t.weights += n;
    t.out.advance(n);
    channels -= n;
  };
  t.out.cols = NV * lanes;
  while (channels >= NV * lanes) {
    depthwise_tile<T, Columns, NV, false>(t);
    advance(NV * lanes);
  }
  t.out.cols = lanes;
  while (NV > 1 && channels >= lanes) {
    depthwise_tile<T, Columns, 1, false>(t);
    advance(lanes);
  }
  t.out.cols = channels;
  if (channels > 0) depthwise_tile<T, Columns, 1, true>(t);
}

template <class T>
void depthwise(const DepthwiseArgs<T>& args, Range rows) noexcept {
  const int64_t c = args.c, plane = args.from_size[0] * args.from_size[1] * args.from_size[2];
  const Epilogue epilogue(args.act, args.act_grad);
  int64_t offset[kMaxDepthwiseTaps], weight_at[kMaxDepthwiseTaps];
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t height = r % args.to_size[1], depth = r / args.to_size[1] % args.to_size[0];
    const T* const image = args.from + r / (args.to_size[1] * args.to_size[0]) * plane * c;
    const int64_t first = r * args.to_size[2];
    each_segment(args, depth, height, [&](int64_t phase, int64_t phases, int64_t step, const DepthwiseSegment& s) {
      for (int64_t i = 0; i < s.count; ++i) {
        offset[i] = s.from[i] * c;
        weight_at[i] = s.tap[i] * c;
      }
      DepthwiseTile<T> t{};
      t.from = image;
      t.weights = args.weights;
      t.pixel = step * c;
      t.count = s.count;
      t.offset = offset;
      t.weight_at = weight_at;
      // The row below the last one that this row meets, as far as the image goes.
      const int64_t below = s.count == 0 ? 0 : s.from[args.backward ? 0 : s.count - 1] + args.from_size[2];
      t.ahead = below < plane ? below * c : 0;
      for (int64_t m = s.begin; m < s.end;) {
        const int64_t at = first + m * phases + phase, left = s.end - m;
        t.out.c = args.to + at * c;
        t.out.ldc = phases * c;
        t.out.bias = args.bias;
        t.out.relu = epilogue.relu;
        t.out.gate = epilogue.gates ? args.aux + at * c : nullptr;

        const int64_t columns = left >= kDepthwiseColumns ? kDepthwiseColumns : left >= 4 ? 4 : 1;
        if (left >= kDepthwiseColumns) {
          depthwise_columns<T, kDepthwiseColumns, 1>(t, c);
        } else if (left >= 4) {
          depthwise_columns<T, 4, 2>(t, c);
        } else {
          depthwise_columns<T, 1, 4>(t, c);
        }
        t.from += columns * t.pixel;
        m += columns;
      }
    });
    if (epilogue.finishes) {
      const T* const aux = args.aux == nullptr ? nullptr : args.aux + first * c;
      finish(args.act, args.act_grad, args.to + first * c, aux, args.to_size[2] * c);
    }
  }
}

template <class T>
struct DepthwiseSums {
  const T* x[kDepthwiseTaps];
  T* sums[kDepthwiseTaps];
  const T* g;
  int64_t pixel, g_pixel, columns, ahead, g_ahead;
};

template <class T, int Taps, bool Part>
NEURITE_INLINE void depthwise_sums(const DepthwiseSums<T>& t, int64_t channel, int64_t left) {
  using V = Vec<T>;
  const auto read = [left](const T* p) { return Part ? V::load_n(p, left) : V::load(p); };
  V acc[Taps];
  NEURITE_UNROLL
  for (int i = 0; i < Taps; ++i) acc[i] = V::set(0);
  int64_t x = channel, g = channel;
  for (int64_t m = 0; m < t.columns; ++m, x += t.pixel, g += t.g_pixel) {
    const V slope = read(t.g + g);
    NEURITE_PREFETCH_FAR(t.x[0] + x + t.ahead);
    NEURITE_PREFETCH_FAR(t.g + g + t.g_ahead);
    NEURITE_UNROLL
    for (int i = 0; i < Taps; ++i) acc[i] = mul_add(read(t.x[i] + x), slope, acc[i]);
  }
  NEURITE_UNROLL
  for (int i = 0; i < Taps; ++i) {
    const V sum = read(t.sums[i] + channel) + acc[i];
    if (Part) {
      sum.store_n(t.sums[i] + channel, left);
    } else {
      sum.store(t.sums[i] + channel);
    }
  }
}

template <class T, int Taps = kDepthwiseTaps>
NEURITE_NOINLINE void depthwise_channels(int64_t taps, const DepthwiseSums<T>& t, int64_t channels) noexcept {
  if constexpr (Taps > 1) {
    if (taps < Taps) return depthwise_channels<T, Taps - 1>(taps, t, channels);
  }
  constexpr int64_t lanes = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= channels; i += lanes) depthwise_sums<T, Taps, false>(t, i, lanes);
  if (i < channels) depthwise_sums<T, Taps, true>(t, i, channels - i);
}

template <class T>
void depthwise_weight(const DepthwiseArgs<T>& args, const T* g, Range rows, T* sums) noexcept {
  const int64_t c = args.c, plane = args.from_size[0] * args.from_size[1] * args.from_size[2];
  const int64_t taps = args.kernel[0] * args.kernel[1] * args.kernel[2];
  for (int64_t i = 0; i < taps * c; ++i) sums[i] = T(0);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t height = r % args.to_size[1], depth = r / args.to_size[1] % args.to_size[0];
    const T* const image = args.from + r / (args.to_size[1] * args.to_size[0]) * plane * c;
    each_segment(args, depth, height, [&](int64_t, int64_t, int64_t step, const DepthwiseSegment& s) {
      DepthwiseSums<T> t{};
      t.pixel = step * c;
      t.g_pixel = c;
      t.g = g + (r * args.to_size[2] + s.begin) * c;
      t.columns = s.end - s.begin;
      t.g_ahead = r + 1 < rows.end ? args.to_size[2] * c : 0;
      for (int64_t i0 = 0; i0 < s.count; i0 += kDepthwiseTaps) {
        const int64_t count = smaller(kDepthwiseTaps, s.count - i0);
        for (int64_t i = 0; i < count; ++i) {
          t.x[i] = image + s.from[i0 + i] * c;
          t.sums[i] = sums + s.tap[i0 + i] * c;
        }
        const int64_t below = s.from[s.count - 1] + args.from_size[2];
        t.ahead = below < plane ? (below - s.from[i0]) * c : 0;
        depthwise_channels(count, t, c);
      }
    });
  }
}

}  // namespace neurite::NEURITE_ISA
