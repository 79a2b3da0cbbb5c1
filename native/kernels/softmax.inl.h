// softmax(x)_j = e^(x_j - max) / sum, log_softmax(x)_j = x_j - max - log sum, and softmax cross-entropy with integer
// labels, row by row. out and grad may be x. A row that holds NaN or +infinity, or only -infinity, gives NaN.
#pragma once

namespace neurite::NEURITE_ISA {

template <class T>
NEURITE_INLINE T row_max(const T* x, int64_t n) {
  if (n >= kLanes) return reduce_lanes<Maximum>(x, n);
  using V = Vec<T>;
  V acc = V::set(Limits<T>::lowest);
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) acc = maximum(acc, V::load(x + i));
  if (i < n) acc = maximum(acc, V::load_n(x + i, n - i, acc));
  return fold_vector<Maximum, V::lanes / 2>(acc).first();
}

// Sum of e^(x - shift), stored to out unless it is null. Partial sums of 64 vectors keep the rounding error of long
// rows small. `ahead` is the distance to what is needed next, which comes from memory while this row is computed.
template <class T>
NEURITE_INLINE T exp_sum(const T* x, int64_t n, T shift, T* out, int64_t ahead) {
  using V = Vec<T>;
  const V offset = V::set(shift);
  V total = V::set(0);
  int64_t i = 0;
  while (i + V::lanes <= n) {
    const int64_t end = n - i < 64 * V::lanes ? n : i + 64 * V::lanes;
    V part = V::set(0);
    for (; i + V::lanes <= end; i += V::lanes) {
      NEURITE_PREFETCH(x + ahead + i);
      const V e = exp(V::load(x + i) - offset);
      if (out != nullptr) {
        NEURITE_PREFETCH_WRITE(out + ahead + i);
        e.store(out + i);
      }
      part = part + e;
    }
    total = total + part;
  }
  if (i < n) {
    const V e = exp(V::load_n(x + i, n - i, V::set(Limits<T>::lowest)) - offset);  // other lanes add e^-inf
    if (out != nullptr) e.store_n(out + i, n - i);
    total = total + e;
  }
  return fold_vector<Sum, V::lanes / 2>(total).first();
}

/** The next row, where it is short enough to stay in the first-level cache. */
template <class T>
NEURITE_INLINE int64_t row_ahead(int64_t r, int64_t rows, int64_t cols) {
  return r + 1 < rows && cols * static_cast<int64_t>(sizeof(T)) <= (8 << 10) ? cols : 0;
}

template <class T>
NEURITE_INLINE T log_of(T x) {
  return log(Vec<T>::set(x)).first();
}

template <class T>
void softmax(const T* x, int64_t rows, int64_t cols, T* out, bool log) noexcept {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r, x += cols, out += cols) {
    const T peak = row_max(x, cols);
    const int64_t ahead = row_ahead<T>(r, rows, cols);
    if (log) {
      const V shift = V::set(peak), lse = V::set(log_of(exp_sum<T>(x, cols, peak, nullptr, ahead)));
      map(out, x, cols, [=](V v) { return (v - shift) - lse; });
    } else {
      const V scale = V::set(T(1) / exp_sum(x, cols, peak, out, ahead));
      map(out, out, cols, [=](V v) { return v * scale; });
    }
  }
}

// dx = y (g - sum g y) from y = softmax, dx = g - e^y sum g from y = log_softmax. dx may be g or y.
template <class T>
void softmax_grad(const T* g, const T* y, int64_t rows, int64_t cols, T* dx, bool log) noexcept {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r, g += cols, y += cols, dx += cols) {
    const V zero = V::set(0);
    V acc = zero;
    // Partial sums of 64 vectors keep the rounding error of long rows small.
    for (int64_t begin = 0; begin < cols;) {
      const int64_t end = cols - begin < 64 * V::lanes ? cols : begin + 64 * V::lanes;
      V part = zero;
      int64_t i = begin;
      for (; i + V::lanes <= end; i += V::lanes) {
        part = log ? part + V::load(g + i) : mul_add(V::load(g + i), V::load(y + i), part);
      }
      if (i < end) {
        const V d = V::load_n(g + i, end - i);
        part = log ? part + d : mul_add(d, V::load_n(y + i, end - i), part);
      }
      acc = acc + part;
      begin = end;
    }
    const V total = V::set(fold_vector<Sum, V::lanes / 2>(acc).first());
    if (log) {
      map(dx, g, y, cols, [=](V d, V v) { return d - exp(v) * total; });
    } else {
      map(dx, g, y, cols, [=](V d, V v) { return v * (d - total); });
    }
  }
}

// Labels are in [0, cols): the handler has checked them. loss or grad may be null.
template <class T>
void softmax_ce(const T* x, const int32_t* labels, int64_t rows, int64_t cols, T* loss, T* grad) noexcept {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    const T peak = row_max(x, cols), target = x[labels[r]] - peak;
    const T total = exp_sum(x, cols, peak, grad, row_ahead<T>(r, rows, cols));
    if (loss != nullptr) loss[r] = log_of(total) - target;
    if (grad != nullptr) {
      const V scale = V::set(T(1) / total);
      map(grad, grad, cols, [=](V v) { return v * scale; });
      grad[labels[r]] -= T(1);
      grad += cols;
    }
  }
}

}  // namespace neurite::NEURITE_ISA
