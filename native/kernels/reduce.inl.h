// Reductions. Order is fixed and the same on every instruction set: element i of a block goes to lane i % 64, then
// lanes are halved (j with j + 32, j + 16 ...); few neighbours (reduce_short) and rows go in ascending order. Hence
// equal bits for any thread count, and an error that grows with n / 64 + log 64 roundings. Source: Higham, Accuracy and
// Stability of Numerical Algorithms, ch. 4.
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int kLanes = 64;

template <class T>
struct Limits {
  static constexpr T lowest = -kInfinity, highest = kInfinity;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t lowest = INT32_MIN, highest = INT32_MAX;
};

struct Sum {
  template <class T>
  static constexpr T identity = 0;
  template <class V>
  static NEURITE_INLINE V of(V a, V b) {
    return a + b;
  }
};
struct Product {
  template <class T>
  static constexpr T identity = 1;
  template <class V>
  static NEURITE_INLINE V of(V a, V b) {
    return a * b;
  }
};
struct Maximum {
  template <class T>
  static constexpr T identity = Limits<T>::lowest;
  template <class V>
  static NEURITE_INLINE V of(V a, V b) {
    return maximum(a, b);
  }
};
struct Minimum {
  template <class T>
  static constexpr T identity = Limits<T>::highest;
  template <class V>
  static NEURITE_INLINE V of(V a, V b) {
    return minimum(a, b);
  }
};

// The lanes of one vector become one value: halves, then quarters ...
template <class Op, int W, class V>
NEURITE_INLINE V fold_vector(V a) {
  if constexpr (W > 0) {
    return fold_vector<Op, W / 2>(Op::of(a, shift_down<W>(a)));
  } else {
    return a;
  }
}

// 64 lanes held in registers become one value.
template <class Op, class V>
NEURITE_INLINE V fold_lanes(V* acc) {
  NEURITE_UNROLL
  for (int half = kLanes / V::lanes / 2; half > 0; half /= 2) {
    NEURITE_UNROLL
    for (int j = 0; j < half; ++j) acc[j] = Op::of(acc[j], acc[j + half]);
  }
  return fold_vector<Op, V::lanes / 2>(acc[0]);
}

template <class Op, class T>
NEURITE_INLINE T reduce_lanes(const T* x, int64_t n) {
  using V = Vec<T>;
  constexpr int count = kLanes / V::lanes;
  const V identity = V::set(Op::template identity<T>);
  V acc[count];
  NEURITE_UNROLL
  for (int j = 0; j < count; ++j) acc[j] = identity;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    NEURITE_UNROLL
    for (int j = 0; j < count; ++j) acc[j] = Op::of(acc[j], V::load(x + i + j * V::lanes));
  }
  if (i < n) {
    T rest[kLanes];
    for (int j = 0; j < kLanes; ++j) rest[j] = i + j < n ? x[i + j] : Op::template identity<T>;
    NEURITE_UNROLL
    for (int j = 0; j < count; ++j) acc[j] = Op::of(acc[j], V::load(rest + j * V::lanes));
  }
  return fold_lanes<Op>(acc).first();
}

template <class T>
T reduce_block(int reduction, const T* x, int64_t n) noexcept {
  switch (static_cast<Reduction>(reduction)) {
    case Reduction::SUM: return reduce_lanes<Sum>(x, n);
    case Reduction::PROD: return reduce_lanes<Product>(x, n);
    case Reduction::MAX: return reduce_lanes<Maximum>(x, n);
    case Reduction::MIN: return reduce_lanes<Minimum>(x, n);
    default: return T(0);
  }
}

template <class Op, class T>
NEURITE_INLINE void reduce_columns(const T* x, int64_t rows, int64_t stride, int64_t cols, T* out) {
  using V = Vec<T>;
  constexpr int width = 4;
  const V identity = V::set(Op::template identity<T>);
  int64_t j = 0;
  for (; j + width * V::lanes <= cols; j += width * V::lanes) {
    V acc[width];
    NEURITE_UNROLL
    for (int t = 0; t < width; ++t) acc[t] = identity;
    for (int64_t i = 0; i < rows; ++i) {
      NEURITE_UNROLL
      for (int t = 0; t < width; ++t) acc[t] = Op::of(acc[t], V::load(x + i * stride + j + t * V::lanes));
    }
    NEURITE_UNROLL
    for (int t = 0; t < width; ++t) acc[t].store(out + j + t * V::lanes);
  }
  for (; j + V::lanes <= cols; j += V::lanes) {
    V acc = identity;
    for (int64_t i = 0; i < rows; ++i) acc = Op::of(acc, V::load(x + i * stride + j));
    acc.store(out + j);
  }
  if (j < cols) {
    V acc = identity;
    for (int64_t i = 0; i < rows; ++i) acc = Op::of(acc, V::load_n(x + i * stride + j, cols - j));
    acc.store_n(out + j, cols - j);
  }
}

template <class T>
void reduce_rows(int reduction, const T* x, int64_t rows, int64_t stride, int64_t cols, T* out) noexcept {
  switch (static_cast<Reduction>(reduction)) {
    case Reduction::SUM: return reduce_columns<Sum>(x, rows, stride, cols, out);
    case Reduction::PROD: return reduce_columns<Product>(x, rows, stride, cols, out);
    case Reduction::MAX: return reduce_columns<Maximum>(x, rows, stride, cols, out);
    case Reduction::MIN: return reduce_columns<Minimum>(x, rows, stride, cols, out);
    default: return;
  }
}

// Calls body(i, v) for i < r in ascending order: lane l of v is element i of the l-th of `lanes` stretches of r
// elements side by side. Four elements of each are read at a time, so up to three beyond the last.
template <class T, class F>
NEURITE_INLINE void each_neighbour(const T* x, int64_t r, F body) {
  using V = Vec<T>;
  const T* rows[V::lanes];
  NEURITE_UNROLL
  for (int l = 0; l < V::lanes; ++l) rows[l] = x + l * r;
  for (int64_t i = 0; i < r; i += 4) {
    V v[4];
    transpose4(rows, i, v);
    const int64_t rest = r - i;
    body(i, v[0]);
    if (rest > 1) body(i + 1, v[1]);
    if (rest > 2) body(i + 2, v[2]);
    if (rest > 3) body(i + 3, v[3]);
  }
}

// Calls body(x, i, count) for n stretches of r elements from x on: those of stretches i to i + count - 1, at most
// `lanes`, in memory that each_neighbour may read.
template <class T, class F>
NEURITE_INLINE void each_stretches(const T* x, int64_t n, int64_t r, F body) {
  constexpr int64_t lanes = Vec<T>::lanes, beyond = 3;
  int64_t i = 0;
  for (; (i + lanes) * r + beyond <= n * r; i += lanes) body(x + i * r, i, lanes);
  for (; i < n; i += lanes) {
    const int64_t count = n - i < lanes ? n - i : lanes;
    T rest[lanes * kReduceShort + beyond];
    for (int64_t j = 0; j < lanes * r + beyond; ++j) rest[j] = j < count * r ? x[i * r + j] : T(0);
    body(rest, i, count);
  }
}

template <class Op, class T>
NEURITE_INLINE void reduce_stretches(const T* x, int64_t n, int64_t r, T* out) {
  using V = Vec<T>;
  each_stretches(x, n, r, [=](const T* from, int64_t i, int64_t count) {
    V acc = V::set(Op::template identity<T>);
    each_neighbour(from, r, [&](int64_t, V v) { acc = Op::of(acc, v); });
    if (count == V::lanes) {
      acc.store(out + i);
    } else {
      acc.store_n(out + i, count);
    }
  });
}

template <class T>
void reduce_short(int reduction, const T* x, int64_t n, int64_t r, T* out) noexcept {
  switch (static_cast<Reduction>(reduction)) {
    case Reduction::SUM: return reduce_stretches<Sum>(x, n, r, out);
    case Reduction::PROD: return reduce_stretches<Product>(x, n, r, out);
    case Reduction::MAX: return reduce_stretches<Maximum>(x, n, r, out);
    case Reduction::MIN: return reduce_stretches<Minimum>(x, n, r, out);
    default: return;
  }
}

template <bool largest, class T>
NEURITE_INLINE void arg_stretches(const T* x, int64_t n, int64_t r, int32_t* out) {
  using V = Vec<T>;
  each_stretches(x, n, r, [=](const T* from, int64_t i, int64_t count) {
    V best = V::set(0);
    U32 chosen = U32::set(0);
    each_neighbour(from, r, [&](int64_t j, V v) {
      const Mask better = (largest ? lt(best, v) : lt(v, best)) | (is_nan(v) & eq(best, best));
      best = j == 0 ? v : select(better, v, best);
      if (j > 0) chosen = select(better, U32::set(static_cast<uint32_t>(j)), chosen);
    });
    __builtin_memcpy(out + i, &chosen, static_cast<size_t>(count) * sizeof(int32_t));
  });
}

// out[i] = index of the first extreme value, or of the first NaN, of the i-th of n stretches of r elements.
template <class T>
void arg_short(int reduction, const T* x, int64_t n, int64_t r, int32_t* out) noexcept {
  if (static_cast<Reduction>(reduction) == Reduction::ARGMAX) {
    arg_stretches<true>(x, n, r, out);
  } else {
    arg_stretches<false>(x, n, r, out);
  }
}

// Index of the first extreme value, or of the first NaN; -1 if n is 0. Two passes: the value, then where it is.
template <class T>
int64_t arg_reduce(int reduction, const T* x, int64_t n) noexcept {
  using V = Vec<T>;
  if (n <= 0) return -1;
  const bool largest = static_cast<Reduction>(reduction) == Reduction::ARGMAX;
  const T best = largest ? reduce_lanes<Maximum>(x, n) : reduce_lanes<Minimum>(x, n);
  const bool none = !(best == best);
  const V target = V::set(best);
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) {
    const V v = V::load(x + i);
    if (any(none ? is_nan(v) : eq(v, target))) break;
  }
  for (; i < n; ++i) {
    if (none ? !(x[i] == x[i]) : x[i] == best) return i;
  }
  return 0;
}

}  // namespace neurite::NEURITE_ISA
