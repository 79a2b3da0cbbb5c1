// An elementwise expression on blocks of vectors that stay in registers from step to step: what a step costs is its
// arithmetic and one predicted jump a block. Every operation rounds as in micro(), which does the last, partial block,
// and all blocks where a vector is one lane.
#pragma once

namespace neurite::NEURITE_ISA {

inline constexpr int kChainVectors = 8;

/** An operand of all vectors of a block: one value, or memory. */
template <class V, class T>
struct ChainValue {
  V value;
  NEURITE_INLINE V operator[](int) const { return value; }
};
template <class V, class T>
struct ChainMemory {
  const T* data;
  NEURITE_INLINE V operator[](int j) const { return V::load(data + j * V::lanes); }
};

template <class T>
struct ChainVisit {
  using V = Vec<T>;
  static constexpr int W = kChainVectors;
  V* x;
  const ChainStep<T>* step;
  int64_t at;

  NEURITE_INLINE ChainValue<V, T> value(const ChainOperand<const T>& operand) const { return {V::set(*operand.data)}; }
  NEURITE_INLINE ChainMemory<V, T> memory(const ChainOperand<const T>& operand) const {
    return {operand.data + (at & operand.moves)};
  }
  template <class A>
  NEURITE_INLINE void read(A a) const {
    NEURITE_UNROLL
    for (int j = 0; j < W; ++j) x[j] = a[j];
  }
  NEURITE_INLINE void write(T* out) const {
    NEURITE_UNROLL
    for (int j = 0; j < W; ++j) x[j].store(out + j * V::lanes);
  }
  template <class F>
  NEURITE_INLINE void one(F f) const {
    NEURITE_UNROLL
    for (int j = 0; j < W; ++j) x[j] = f(x[j]);
  }
  template <class F, class B>
  NEURITE_INLINE void two_of(F f, B b) const {
    NEURITE_UNROLL
    for (int j = 0; j < W; ++j) x[j] = f(x[j], b[j]);
  }
  template <class F>
  NEURITE_INLINE void two(F f) const {
    if (step->b.scalar) {
      two_of(f, value(step->b));
    } else {
      two_of(f, memory(step->b));
    }
  }
  template <class F, class B, class C>
  NEURITE_INLINE void three_of(F f, B b, C c) const {
    NEURITE_UNROLL
    for (int j = 0; j < W; ++j) x[j] = f(x[j], b[j], c[j]);
  }
  template <class F>
  NEURITE_INLINE void three(F f) const {
    if (step->b.scalar) {
      if (step->c.scalar) {
        three_of(f, value(step->b), value(step->c));
      } else {
        three_of(f, value(step->b), memory(step->c));
      }
    } else if (step->c.scalar) {
      three_of(f, memory(step->b), value(step->c));
    } else {
      three_of(f, memory(step->b), memory(step->c));
    }
  }
  template <class F>
  NEURITE_INLINE void many(F f) const {
    T values[W * V::lanes];
    write(values);
    for (int64_t i = 0; i < W * V::lanes; i += V::lanes) f(V::load(values + i)).store(values + i);
    read(ChainMemory<V, T>{values});
  }
  template <class F>
  NEURITE_INLINE void many_two(F f) const {
    T values[W * V::lanes], scalar[V::lanes];
    write(values);
    const T* other = scalar;
    if (step->b.scalar) {
      V::set(*step->b.data).store(scalar);
    } else {
      other = memory(step->b).data;
    }
    for (int64_t i = 0; i < W * V::lanes; i += V::lanes) {
      f(V::load(values + i), V::load(other + (step->b.scalar ? 0 : i))).store(values + i);
    }
    read(ChainMemory<V, T>{values});
  }
};

/** At most kChainBlock elements, step by step. */
template <class T>
NEURITE_NOINLINE static void chain_rest(const ChainStep<T>* steps, int count, int64_t at, int64_t n) noexcept {
  T previous[kChainBlock], scalars[3][kChainBlock];
  const T* last = previous;
  for (int k = 0; k < count; ++k) {
    const ChainStep<T>& step = steps[k];
    const ChainOperand<const T>* const operands[3] = {&step.a, &step.b, &step.c};
    const T* from[3];
    for (int o = 0; o < 3; ++o) {
      const ChainOperand<const T>& operand = *operands[o];
      from[o] = operand.data == nullptr ? last : operand.data + (at & operand.moves);
      if (!operand.scalar) continue;
      for (int64_t i = 0; i < n; ++i) scalars[o][i] = *operand.data;
      from[o] = scalars[o];
    }
    T* const out = step.out.data == nullptr ? previous : step.out.data + (at & step.out.moves);
    micro<T>(step.code, out, from[0], from[1], from[2], n);
    last = out;
  }
}

template <class T>
void chain(const ChainStep<T>* steps, int count, int64_t n) noexcept {
  using V = Vec<T>;
  int64_t at = 0;
  if constexpr (V::lanes > 1) {
    constexpr int W = kChainVectors;
    static_assert(W * V::lanes <= kChainBlock);
    for (; at + W * V::lanes <= n; at += W * V::lanes) {
      V x[W];
      NEURITE_UNROLL
      for (int j = 0; j < W; ++j) x[j] = V::set(0);  // the first step reads memory, but the compiler cannot know
      for (int k = 0; k < count; ++k) {
        const ChainStep<T>* const step = steps + k;
        const ChainVisit<T> visit{x, step, at};
        if (step->a.data != nullptr) {
          if (step->a.scalar) {
            visit.read(visit.value(step->a));
          } else {
            visit.read(visit.memory(step->a));
          }
        }
        visit_micro<T>(step->code, visit);
        if (step->out.data != nullptr) visit.write(step->out.data + (at & step->out.moves));
      }
    }
  }
  for (; at < n; at += kChainBlock) chain_rest(steps, count, at, n - at < kChainBlock ? n - at : kChainBlock);
}

}  // namespace neurite::NEURITE_ISA
