// What softmax and the normalisations share.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {

inline constexpr int64_t kNormTaskElements = 16 << 10;
// Of one task over columns: a slice of rows of them stays in the second-level cache.
inline constexpr int64_t kNormColumns = 256;

inline int64_t rows_per_task(int64_t cols) {
  return std::max<int64_t>(1, kNormTaskElements / std::max<int64_t>(1, cols));
}

/** Calls body(first row, rows) for parts of `rows` rows, on several threads. */
template <class F>
void each_rows(Team& team, int64_t rows, int64_t cols, F body) noexcept {
  const int64_t step = rows_per_task(cols);
  team.parallel_for(ceil_div(rows, step),
                    [&](int64_t task, int) noexcept { body(task * step, std::min(step, rows - task * step)); });
}

/** Mean and sum of squared differences of two sets of `na` and `nb` values from those of each (Chan et al.), into a. */
template <class T>
void merge_moments(int64_t na, int64_t nb, int64_t cols, T* mean_a, T* squares_a, const T* mean_b,
                   const T* squares_b) noexcept {
  const T share = static_cast<T>(static_cast<double>(nb) / static_cast<double>(na + nb));
  const T cross = static_cast<T>(static_cast<double>(na) * static_cast<double>(nb) / static_cast<double>(na + nb));
  for (int64_t j = 0; j < cols; ++j) {
    const T delta = mean_b[j] - mean_a[j];
    mean_a[j] += delta * share;
    squares_a[j] += squares_b[j] + delta * delta * cross;
  }
}

/** Sums `slices` rows of `cols` into out by a tree; the rows are overwritten. */
template <class T>
void fold_slices(RunContext& context, T* partial, int64_t slices, int64_t cols, T* out) noexcept {
  const int64_t group = std::max<int64_t>(kNormColumns, kNormTaskElements / slices);
  context.team.parallel_for(ceil_div(cols, group), [&](int64_t task, int) noexcept {
    const int64_t column = task * group, n = std::min(group, cols - column);
    T* const base = partial + column;
    for (int64_t width = 1; width < slices; width *= 2) {
      for (int64_t left = 0; left + width < slices; left += 2 * width) {
        T* const a = base + left * cols;
        context.table<T>().micro(static_cast<int>(Micro::ADD), a, a, base + (left + width) * cols, a, n);
      }
    }
    if (out != partial) std::memcpy(out + column, base, static_cast<size_t>(n) * sizeof(T));
  });
}

template <class T>
T reciprocal_root(T variance, double eps) noexcept {
  return T{1} / std::sqrt(variance + static_cast<T>(eps));
}

inline int64_t bytes_of(const InstructionReader& reader, int64_t elements) {
  return reader.product({elements, dtype_bytes(reader.dtype())});
}

inline double epsilon(InstructionReader& reader) {
  const double eps = reader.f64("eps");
  if (!(eps >= 0)) reader.fail("eps is " + std::to_string(eps) + ", expected 0 or more");
  return eps;
}

}  // namespace neurite
