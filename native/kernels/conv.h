// How convolution walks its tensors, forward (x to y) and backward (y to x), as one: every position of the destination
// is a sum over taps of the products of a source position's channels with weights.
#pragma once
#include <cstdint>

namespace neurite {

enum class Activation : int32_t;

/** The taps of a phase, in ascending order of their source position m * step + first + i * apart. */
struct ConvTaps {
  int64_t positions;  // m < positions, each m * phases + phase of the destination
  int64_t count;      // of taps
  int64_t first, apart;
  int64_t tap, next;  // weight tap of the first, and what each adds
  int64_t before;     // taps of the phases before this one
};

/**
 * One axis. Forward, tap t of position q meets source position q * stride + t * dilation - pad. Backward that is solved
 * for q: positions p of the destination that are equal modulo the stride are a phase, met by the same taps, and m, the
 * number of a position within its phase, takes the place of q.
 */
struct ConvAxis {
  int64_t from, to;  // positions of source and destination
  int64_t kernel, stride, dilation, pad;
  bool backward;
  // Set by finish().
  int64_t phases;         // of the destination
  int64_t step;           // in the source, from one position of a phase to the next
  int64_t positions;      // of the longest phase
  int64_t taps;           // of all phases, those left out that meet only padding
  int64_t low, high;      // least and greatest offset of a tap
  const ConvTaps* phase;  // of each phase that has a position

  void finish() noexcept;
};

/** Which of the taps, shifted by `at`, lie in [-below, above). */
struct ConvRange {
  int64_t begin, count;
};
inline ConvRange conv_inside(const ConvTaps& t, int64_t at, int64_t above, int64_t below) noexcept {
  const int64_t first = t.first + at + below, size = above + below;
  const int64_t begin = first >= 0 ? 0 : (-first - 1) / t.apart + 1;
  const int64_t end = first >= size ? 0 : (size - first - 1) / t.apart + 1;
  const int64_t last = end < t.count ? end : t.count;
  return {begin, last > begin ? last - begin : 0};
}

inline ConvTaps conv_taps(const ConvAxis& a, int64_t phase) noexcept {
  ConvTaps t{0, 0, 0, 1, 0, 1, 0};
  if (phase >= a.to) return t;
  t.positions = (a.to - phase - 1) / a.phases + 1;
  if (!a.backward) {
    t = {t.positions, a.kernel, -a.pad, a.dilation, 0, 1, 0};
  } else {
    // stride * q = phase + pad - t * dilation: the first tap for which it has a solution, then every next-th.
    int64_t divisor = a.stride, rest = a.dilation;  // to their greatest common divisor
    while (rest != 0) {
      const int64_t r = divisor % rest;
      divisor = rest;
      rest = r;
    }
    const int64_t every = a.stride / divisor;
    int64_t tap = 0;
    while (tap < every && tap < a.kernel && (phase + a.pad - tap * a.dilation) % a.stride != 0) ++tap;
    if (tap == every || tap >= a.kernel) return t;
    const int64_t last = tap + (a.kernel - 1 - tap) / every * every;
    t = {t.positions,
         (last - tap) / every + 1,
         (phase + a.pad - last * a.dilation) / a.stride,
         a.dilation / divisor,
         last,
         -every,
         0};
  }
  // Without those that lie outside the source for every position.
  const int64_t reach = (t.positions - 1) * a.step;
  const ConvRange used = conv_inside(t, 0, a.from, reach);
  t.first += used.begin * t.apart;
  t.tap += used.begin * t.next;
  t.count = used.count;
  return t;
}

inline void ConvAxis::finish() noexcept {
  phases = backward ? stride : 1;
  step = backward ? 1 : stride;
  positions = to == 0 ? 0 : (to - 1) / phases + 1;
  taps = 0;
  low = high = 0;
  for (int64_t phase = 0; phase < phases && phase < to; ++phase) {
    const ConvTaps t = conv_taps(*this, phase);
    if (t.count == 0) continue;
    const int64_t last = t.first + (t.count - 1) * t.apart;
    low = taps == 0 || t.first < low ? t.first : low;
    high = taps == 0 || last > high ? last : high;
    taps += t.count;
  }
}

// to[n, to..., groups * to_channels] = act(sum of products + bias) * act_grad'(aux), from[n, from..., groups *
// from_channels]. Forward the weights are [groups, to_channels, from_channels, taps], backward [groups, from_channels,
// to_channels, taps]. conv_pack lays them out by panels, each [phase][tap][source channel][columns of the panel], a few
// source channels at a call. conv makes one block of the destination from them; scratch holds conv_scratch() bytes,
// enough for any smaller block as well. Every element is one chain of multiply-adds in ascending order of the source
// positions and their channels, so bits do not depend on the block.
template <class T>
struct ConvArgs {
  ConvAxis axes[3];  // depth, height, width
  bool backward;
  int64_t groups, from_channels, to_channels;  // channels of one group
  const T* from;
  const T* weights;
  T* packed;  // conv_packed() elements
  T* to;
  const T* bias;  // [groups * to_channels] or null
  const T* aux;   // as to, or null when act_grad is IDENTITY
  Activation act, act_grad;
};
struct ConvBlock {
  int64_t image, depth;  // a position of the destination
  int64_t row, rows;     // positions of the phases, from row on
  int64_t col, cols;
  int64_t panel, panels;  // of all groups
};

}  // namespace neurite
