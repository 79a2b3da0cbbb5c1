// Maxima and averages of windows of [n, d, h, w, c], vectors along the channels. A window's position on an axis is out
// * stride - pad, its taps lie `dilation` apart, and only those inside the image count. The gradients gather: whoever
// asks for a row of the image gets all that flows into it, in the order of the windows, so no two tasks meet.
#pragma once

namespace neurite::NEURITE_ISA {

// Taps [first, last) of a window that starts at `start` lie in [0, size).
struct Taps {
  int64_t first, last;
};
NEURITE_INLINE Taps taps_inside(int64_t start, int64_t size, int64_t kernel, int64_t dilation) {
  int64_t first = 0, last = kernel;
  if (start < 0) first = (-start + dilation - 1) / dilation;
  if (start + (kernel - 1) * dilation >= size) last = start >= size ? 0 : (size - 1 - start) / dilation + 1;
  return {first, last};
}

// Calls body(first channel, channels): whole vectors, then the rest.
template <class T, class F>
NEURITE_INLINE void each_channel(int64_t c, F body) {
  using V = Vec<T>;
  int64_t j = 0;
  for (; j + V::lanes <= c; j += V::lanes) {
    body(j, V::lanes, [](const T* p) { return V::load(p); }, [](T* p, V v) { v.store(p); });
  }
  if (j < c) {
    const int64_t rest = c - j;
    body(j, rest, [rest](const T* p) { return V::load_n(p, rest); }, [rest](T* p, V v) { v.store_n(p, rest); });
  }
}

// Calls body(taps in depth, height, width, first element of the window in x, window) for every window of the rows.
template <class F>
NEURITE_INLINE void each_window(const PoolArgs& s, Range rows, F body) {
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t oy = r % s.out[1], oz = r / s.out[1] % s.out[0], n = r / s.out[1] / s.out[0];
    const int64_t z = oz * s.stride[0] - s.pad[0], y = oy * s.stride[1] - s.pad[1];
    const Taps tz = taps_inside(z, s.in[0], s.kernel[0], s.dilation[0]);
    const Taps ty = taps_inside(y, s.in[1], s.kernel[1], s.dilation[1]);
    for (int64_t ox = 0; ox < s.out[2]; ++ox) {
      const int64_t x = ox * s.stride[2] - s.pad[2];
      const Taps tx = taps_inside(x, s.in[2], s.kernel[2], s.dilation[2]);
      body(tz, ty, tx, (((n * s.in[0] + z) * s.in[1] + y) * s.in[2] + x) * s.c, r * s.out[2] + ox);
    }
  }
}

// Elements between neighbouring taps.
struct TapSteps {
  int64_t z, y, x;
  explicit TapSteps(const PoolArgs& s)
      : z(s.dilation[0] * s.in[1] * s.in[2] * s.c), y(s.dilation[1] * s.in[2] * s.c), x(s.dilation[2] * s.c) {}
};

NEURITE_INLINE bool is_empty(Taps t) { return t.first >= t.last; }

template <class T>
void max_pool(const PoolArgs& s, const T* x, Range rows, T* y, uint8_t* index) noexcept {
  using V = Vec<T>;
  const TapSteps step(s);
  const auto number = [&s](int64_t z, int64_t ky, int64_t kx) {
    return U32::set(static_cast<uint32_t>((z * s.kernel[1] + ky) * s.kernel[2] + kx));
  };
  each_window(s, rows, [&](Taps tz, Taps ty, Taps tx, int64_t at, int64_t window) {
    const bool empty = is_empty(tz) || is_empty(ty) || is_empty(tx);
    each_channel<T>(s.c, [&](int64_t j, int64_t lanes, auto read, auto write) {
      V best = V::set(-kInfinity);
      U32 chosen = U32::set(0);
      if (!empty) {
        best = read(x + (at + tz.first * step.z + ty.first * step.y + tx.first * step.x + j));
        chosen = number(tz.first, ty.first, tx.first);
        for (int64_t kz = tz.first; kz < tz.last; ++kz) {
          for (int64_t ky = ty.first; ky < ty.last; ++ky) {
            const int64_t from = at + kz * step.z + ky * step.y + j;
            for (int64_t kx = tx.first; kx < tx.last; ++kx) {
              const V v = read(x + (from + kx * step.x));
              const Mask better = lt(best, v) | (is_nan(v) & eq(best, best));
              best = select(better, v, best);
              chosen = select(better, number(kz, ky, kx), chosen);
            }
          }
        }
      }
      if (y != nullptr) write(y + window * s.c + j, best);
      if (index != nullptr) store_bytes(index + window * s.c + j, lanes, chosen);
    });
  });
}

template <class T>
void max_pool_take(const PoolArgs& s, const T* x, const uint8_t* index, Range rows, T* y) noexcept {
  using V = Vec<T>;
  const TapSteps step(s);
  each_window(s, rows, [&](Taps tz, Taps ty, Taps tx, int64_t at, int64_t window) {
    const bool empty = is_empty(tz) || is_empty(ty) || is_empty(tx);
    each_channel<T>(s.c, [&](int64_t j, int64_t lanes, auto read, auto write) {
      V taken = V::set(0);
      for (int64_t kz = tz.first; kz < tz.last && !empty; ++kz) {
        for (int64_t ky = ty.first; ky < ty.last; ++ky) {
          const int64_t from = at + kz * step.z + ky * step.y + j;
          for (int64_t kx = tx.first; kx < tx.last; ++kx) {
            const auto tap = static_cast<uint8_t>((kz * s.kernel[1] + ky) * s.kernel[2] + kx);
            taken = select(equal_bytes(index + window * s.c + j, lanes, tap), read(x + (from + kx * step.x)), taken);
          }
        }
      }
      write(y + window * s.c + j, taken);
    });
  });
}

// How many positions of a window count in its average on one axis.
NEURITE_INLINE int64_t counted(const PoolArgs& s, int axis, int64_t start) {
  const int64_t end = start + s.kernel[axis], size = s.in[axis];
  if (s.count_pad) return (end < size + s.pad_high[axis] ? end : size + s.pad_high[axis]) - start;
  return (end < size ? end : size) - (start > 0 ? start : 0);
}

template <class T>
NEURITE_INLINE T share_of(const PoolArgs& s, int64_t z, int64_t y, int64_t x) {
  const int64_t count = s.divisor > 0 ? s.divisor : counted(s, 0, z) * counted(s, 1, y) * counted(s, 2, x);
  return count > 0 ? T(1) / static_cast<T>(count) : T(0);
}

template <class T>
void avg_pool(const PoolArgs& s, const T* x, Range rows, T* y) noexcept {
  using V = Vec<T>;
  const TapSteps step(s);
  each_window(s, rows, [&](Taps tz, Taps ty, Taps tx, int64_t at, int64_t window) {
    const int64_t ox = window % s.out[2], oy = window / s.out[2] % s.out[1],
                  oz = window / s.out[2] / s.out[1] % s.out[0];
    const V share =
        V::set(share_of<T>(s, oz * s.stride[0] - s.pad[0], oy * s.stride[1] - s.pad[1], ox * s.stride[2] - s.pad[2]));
    const bool empty = is_empty(tz) || is_empty(ty) || is_empty(tx);
    each_channel<T>(s.c, [&](int64_t j, int64_t, auto read, auto write) {
      V sum = V::set(0);
      for (int64_t kz = tz.first; kz < tz.last && !empty; ++kz) {
        for (int64_t ky = ty.first; ky < ty.last; ++ky) {
          const int64_t from = at + kz * step.z + ky * step.y + j;
          for (int64_t kx = tx.first; kx < tx.last; ++kx) sum = sum + read(x + (from + kx * step.x));
        }
      }
      write(y + window * s.c + j, sum * share);
    });
  });
}

// Calls body(window, tap) on an axis for the windows that cover position `at`, in their order.
template <class F>
NEURITE_INLINE void each_cover(const PoolArgs& s, int axis, int64_t at, F body) {
  const int64_t place = at + s.pad[axis], reach = (s.kernel[axis] - 1) * s.dilation[axis];
  int64_t o = place > reach ? (place - reach + s.stride[axis] - 1) / s.stride[axis] : 0;
  for (; o < s.out[axis] && o * s.stride[axis] <= place; ++o) {
    const int64_t gap = place - o * s.stride[axis];
    if (gap % s.dilation[axis] == 0) body(o, gap / s.dilation[axis]);
  }
}

// dx of the rows is 0, then body(tap of z and y, taps in x, element of dx at the window's start in this row, window,
// window's z, y and x) for every window that covers a part of them. The start may lie before dx, so it is a number.
template <class T, class F>
NEURITE_INLINE void each_covering(const PoolArgs& s, Range rows, T* dx, F body) {
  using V = Vec<T>;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t y = r % s.in[1], z = r / s.in[1] % s.in[0], n = r / s.in[1] / s.in[0];
    const int64_t first = r * s.in[2] * s.c;
    each_channel<T>(s.in[2] * s.c, [&](int64_t j, int64_t, auto, auto write) { write(dx + first + j, V::set(0)); });
    each_cover(s, 0, z, [&](int64_t oz, int64_t kz) {
      each_cover(s, 1, y, [&](int64_t oy, int64_t ky) {
        const int64_t windows = ((n * s.out[0] + oz) * s.out[1] + oy) * s.out[2];
        for (int64_t ox = 0; ox < s.out[2]; ++ox) {
          const int64_t start = ox * s.stride[2] - s.pad[2];
          body(kz * s.kernel[1] + ky, taps_inside(start, s.in[2], s.kernel[2], s.dilation[2]), first + start * s.c,
               windows + ox, oz, oy, ox);
        }
      });
    });
  }
}

template <class T>
void max_pool_grad(const PoolArgs& s, const T* g, const uint8_t* index, Range rows, T* dx) noexcept {
  using V = Vec<T>;
  const int64_t step = s.dilation[2] * s.c;
  each_covering(s, rows, dx, [&](int64_t line, Taps taps, int64_t to, int64_t window, int64_t, int64_t, int64_t) {
    each_channel<T>(s.c, [&](int64_t j, int64_t lanes, auto read, auto write) {
      const V d = read(g + window * s.c + j);
      const uint8_t* chosen = index + window * s.c + j;
      for (int64_t k = taps.first; k < taps.last; ++k) {
        T* const p = dx + (to + k * step + j);
        const auto tap = static_cast<uint8_t>(line * s.kernel[2] + k);
        write(p, read(p) + select(equal_bytes(chosen, lanes, tap), d, V::set(0)));
      }
    });
  });
}

template <class T>
void avg_pool_grad(const PoolArgs& s, const T* g, Range rows, T* dx) noexcept {
  using V = Vec<T>;
  const int64_t step = s.dilation[2] * s.c;
  each_covering(s, rows, dx, [&](int64_t, Taps taps, int64_t to, int64_t window, int64_t oz, int64_t oy, int64_t ox) {
    const V share =
        V::set(share_of<T>(s, oz * s.stride[0] - s.pad[0], oy * s.stride[1] - s.pad[1], ox * s.stride[2] - s.pad[2]));
    each_channel<T>(s.c, [&](int64_t j, int64_t, auto read, auto write) {
      const V d = read(g + window * s.c + j) * share;
      for (int64_t k = taps.first; k < taps.last; ++k) {
        T* const p = dx + (to + k * step + j);
        write(p, read(p) + d);
      }
    });
  });
}

}  // namespace neurite::NEURITE_ISA
