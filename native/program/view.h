// Walking strided windows.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "reader.h"

namespace neurite {

/** Whether the window is all of a dense row-major tensor, in order. */
inline bool is_dense(const View& view) noexcept {
  int64_t expected = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    if (view.dims[i] != 1 && view.strides[i] != expected) return false;
    expected *= view.dims[i];
  }
  return true;
}

/** Drops dimensions of size 1 and merges neighbours that every window walks as one. All have the same dims. */
inline void coalesce(std::span<View> views) noexcept {
  if (views.empty()) return;
  const int rank = views[0].rank;
  int kept = 0;
  for (int i = 0; i < rank; ++i) {
    const int64_t dim = views[0].dims[i];
    if (dim == 1) continue;
    const bool merges = kept > 0 && std::all_of(views.begin(), views.end(), [&](const View& view) {
                          return view.strides[kept - 1] == view.strides[i] * dim;
                        });
    if (!merges) ++kept;
    for (View& view : views) {
      view.dims[kept - 1] = merges ? view.dims[kept - 1] * dim : dim;
      view.strides[kept - 1] = view.strides[i];
    }
  }
  for (View& view : views) view.rank = kept;
}

/** Position in a window: its multi-index and the element offset that belongs to it (view.offset not included). */
struct Cursor {
  int64_t index[kMaxRank];
  int64_t offset;

  Cursor(const View& view, int64_t element) noexcept : offset(0) {
    for (int i = view.rank - 1; i >= 0; --i) {
      index[i] = element % view.dims[i];
      element /= view.dims[i];
      offset += index[i] * view.strides[i];
    }
  }

  /** Moves `count` elements along the last dimension, at most to its end, and then to the next row. */
  void advance(const View& view, int64_t count) noexcept {
    int i = view.rank - 1;
    index[i] += count;
    offset += count * view.strides[i];
    while (index[i] == view.dims[i] && i > 0) {
      offset += view.strides[i - 1] - view.dims[i] * view.strides[i];
      index[i] = 0;
      ++index[--i];
    }
  }
};

/** Copies elements [begin, begin + n) of a window, in row-major order, to dense `out`; W is as wide as an element. */
template <class W>
void gather_window(W* out, const W* in, const View& view, int64_t begin, int64_t n) noexcept {
  if (view.rank == 0) {
    if (n > 0) *out = *in;
    return;
  }
  Cursor cursor(view, begin);
  const int64_t dim = view.dims[view.rank - 1];
  const int64_t stride = view.strides[view.rank - 1];
  while (n > 0) {
    const int64_t run = std::min(n, dim - cursor.index[view.rank - 1]);
    const W* from = in + cursor.offset;
    if (stride == 1) {
      std::memcpy(out, from, static_cast<size_t>(run) * sizeof(W));
    } else if (stride == 0) {
      std::fill_n(out, run, *from);
    } else {
      for (int64_t i = 0; i < run; ++i) out[i] = from[i * stride];
    }
    out += run;
    n -= run;
    cursor.advance(view, run);
  }
}

/** Calls with a null W* of the unsigned type as wide as the dtype: movement does not care what the bits mean. */
template <class Function>
decltype(auto) with_width(DType dtype, Function&& function) {
  switch (dtype_bytes(dtype)) {
    case 8: return function(static_cast<uint64_t*>(nullptr));
    case 4: return function(static_cast<uint32_t*>(nullptr));
    default: return function(static_cast<uint8_t*>(nullptr));
  }
}

}  // namespace neurite
