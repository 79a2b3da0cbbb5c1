// How a block of a convolution reads its source: in place, or from a copy with zeros at both ends of the rows where
// some tap meets padding or the pixels of a tile would share one cache set.
#pragma once

namespace neurite::NEURITE_ISA {

// How a block reads its source.
template <class T>
struct ConvSource {
  bool in_place;
  bool sparse;                   // rows or columns that no tap meets are not copied
  int64_t pixel, row, plane;     // elements from one source pixel, row and depth to the next
  int64_t spread;                // pixels from one position of a phase to the next
  int64_t cols, rows;            // copied
  int64_t first_row, first_col;  // of the source, the latter may be padding
  int64_t table;                 // bytes of the offsets
  NEURITE_INLINE ConvSource(const ConvArgs<T>& args, int64_t row0, int64_t row_count, int64_t col0, int64_t col_count) {
    const ConvAxis& h = args.axes[1];
    const ConvAxis& w = args.axes[2];
    const int64_t channels = args.groups * args.from_channels;
    const auto collide = [](int64_t pitch) { return pitch * static_cast<int64_t>(sizeof(T)) % 4096 == 0; };
    in_place = w.low >= 0 && (w.positions - 1) * w.step + w.high < w.from && !collide(channels * w.step);
    table = round_up(h.taps * w.taps * args.from_channels * static_cast<int64_t>(sizeof(int64_t)), 64);
    first_row = row0 * h.step + h.low;
    rows = (row_count - 1) * h.step + h.high - h.low + 1;
    if (first_row < 0) {
      rows += first_row;
      first_row = 0;
    }
    rows = smaller(rows, h.from - first_row);
    if (rows < 0) rows = 0;
    sparse = w.low == w.high;
    spread = in_place || !sparse ? w.step : 1;
    first_col = col0 * w.step + w.low;
    cols = (col_count - 1) * spread + w.high - w.low + 1;
    pixel = channels;
    if (!in_place && collide(channels * spread)) pixel += 64 / static_cast<int64_t>(sizeof(T));
    row = in_place ? w.from * channels : round_up(cols * pixel, 64 / static_cast<int64_t>(sizeof(T)));
    plane = in_place ? h.from * row : rows * row;
  }
};

template <class T>
int64_t conv_scratch(const ConvArgs<T>& args, int64_t rows, int64_t cols) noexcept {
  const ConvSource<T> source(args, 0, rows, 0, cols);
  // The first rows may be fewer than those further on: padding is not copied.
  const int64_t most =
      smaller(args.axes[1].from, (rows - 1) * args.axes[1].step + args.axes[1].high - args.axes[1].low + 1);
  const int64_t depths = smaller(args.axes[0].taps, args.axes[0].from);
  const int64_t copy = source.in_place ? 0 : depths * most * source.row * static_cast<int64_t>(sizeof(T));
  return source.table + copy;
}

// out[0, n) = in, by whole vectors as far as they go.
template <class T>
NEURITE_INLINE void copy_exactly(T* out, const T* in, int64_t n) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) V::load(in + i).store(out + i);
  if (i < n) V::load_n(in + i, n - i).store_n(out + i, n - i);
}

template <class T>
NEURITE_INLINE void zero_exactly(T* out, int64_t n) {
  using V = Vec<T>;
  const V zero = V::set(0);
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) zero.store(out + i);
  if (i < n) zero.store_n(out + i, n - i);
}

// One source row with the zeros around it.
template <class T>
NEURITE_INLINE void copy_row(const ConvSource<T>& s, int64_t channels, int64_t apart, int64_t size, const T* in,
                             T* out) {
  // Columns j of the copy are source columns first_col + j * apart.
  int64_t begin = s.first_col >= 0 ? 0 : (-s.first_col - 1) / apart + 1;
  int64_t end = s.first_col >= size ? 0 : (size - s.first_col - 1) / apart + 1;
  end = smaller(end, s.cols);
  begin = smaller(begin, end);
  zero_exactly(out, begin * s.pixel);
  const T* from = in + (s.first_col + begin * apart) * channels;
  if (apart == 1 && s.pixel == channels) {
    copy_exactly(out + begin * s.pixel, from, (end - begin) * channels);
  } else {
    for (int64_t j = begin; j < end; ++j, from += apart * channels) copy_exactly(out + j * s.pixel, from, channels);
  }
  zero_exactly(out + end * s.pixel, (s.cols - end) * s.pixel);
}

// Rows of the source that the taps of the block's positions up to row m meet, from row `done` on.
template <class T>
NEURITE_INLINE int64_t copy_rows(const ConvArgs<T>& args, const ConvSource<T>& source, const T* from, int64_t depths,
                                 int64_t depth, int64_t m, int64_t done, T* copy) {
  const ConvAxis& h = args.axes[1];
  const ConvAxis& w = args.axes[2];
  const int64_t channels = args.groups * args.from_channels, apart = source.sparse ? w.step : 1;
  const int64_t end = smaller(source.rows, m * h.step + h.high + 1 - source.first_row);
  for (; done < end; ++done) {
    const int64_t at = source.first_row + done;
    if (h.low == h.high && (at - h.low) % h.step != 0) continue;
    for (int64_t i = 0; i < depths; ++i) {
      copy_row(source, channels, apart, w.from, from + (i * depth + at * w.from) * channels,
               copy + i * source.plane + done * source.row);
    }
  }
  return done;
}

// Where the elements of each phase's taps lie from that of the first one.
template <class T>
NEURITE_INLINE void fill_offsets(const ConvArgs<T>& args, const ConvSource<T>& source, int64_t* out) {
  const ConvAxis& h = args.axes[1];
  const ConvAxis& w = args.axes[2];
  int64_t rows = 0, apart = 0;  // of the phase with most taps
  for (int64_t ph = 0; ph < h.phases && ph < h.to; ++ph) {
    if (h.phase[ph].count <= rows) continue;
    rows = h.phase[ph].count;
    apart = h.phase[ph].apart;
  }
  for (int64_t pw = 0; pw < w.phases && pw < w.to; ++pw) {
    const ConvTaps& tw = w.phase[pw];
    int64_t* row = out + tw.before * h.taps * args.from_channels;
    for (int64_t i = 0; i < rows * tw.count; ++i, row += args.from_channels) {
      const int64_t start = i / tw.count * apart * source.row + i % tw.count * tw.apart * source.pixel;
      for (int64_t j = 0; j < args.from_channels; ++j) row[j] = (start + j) * static_cast<int64_t>(sizeof(T));
    }
  }
}

}  // namespace neurite::NEURITE_ISA
