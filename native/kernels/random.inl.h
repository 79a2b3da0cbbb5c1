// Philox4x32-10 streams (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and what is drawn from
// them. Uniform, Bernoulli and dropout give the same bits on every instruction set; normal up to the last ulps of log,
// sin and cos.
#pragma once

namespace neurite::NEURITE_ISA {

// Four words of each of `lanes` consecutive counters.
NEURITE_INLINE void philox(const RandomArgs& args, uint64_t block, U32* w) {
  const uint32_t low = static_cast<uint32_t>(block), high = static_cast<uint32_t>(block >> 32);
  w[0] = U32::set(low) + U32::iota();
  w[1] = U32::set(high);
  if (low > 0xFFFFFFFFu - F32::lanes) {  // a carry inside the vector
    uint32_t lo[F32::lanes], hi[F32::lanes];
    for (int i = 0; i < F32::lanes; ++i) {
      lo[i] = static_cast<uint32_t>(block + static_cast<uint64_t>(i));
      hi[i] = static_cast<uint32_t>((block + static_cast<uint64_t>(i)) >> 32);
    }
    w[0] = U32::load(lo);
    w[1] = U32::load(hi);
  }
  w[2] = U32::set(static_cast<uint32_t>(args.index));
  w[3] = U32::set(static_cast<uint32_t>(args.index >> 32));
  uint32_t key0 = args.key[0], key1 = args.key[1];
  const U32 m0 = U32::set(0xD2511F53u), m1 = U32::set(0xCD9E8D57u);
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
    U32 hi0, lo0, hi1, lo1;
    mul_wide(m0, w[0], hi0, lo0);
    mul_wide(m1, w[2], hi1, lo1);
    w[0] = hi1 ^ w[1] ^ U32::set(key0);
    w[1] = lo1;
    w[2] = hi0 ^ w[3] ^ U32::set(key1);
    w[3] = lo0;
  }
}

// The round keys, in the order they are used.
struct RoundKeys {
  uint32_t first[10], second[10];
  explicit NEURITE_INLINE RoundKeys(const uint32_t* key) {
    for (uint32_t i = 0; i < 10; ++i) {
      first[i] = key[0] + i * 0x9E3779B9u;
      second[i] = key[1] + i * 0xBB67AE85u;
    }
  }
};

// The words of `count` * P::lanes consecutive counters in memory order. Each 64-bit lane has one word in its low half;
// the high half is anything, since products read low halves only: a round is 2 products, 2 shifts and 2 xors.
template <class P, int count>
NEURITE_INLINE void philox_words(const RoundKeys& keys, uint64_t index, uint64_t block, U32* out) {
  using V = typename P::V;
  const V m0 = P::set(0xD2511F53u), m1 = P::set(0xCD9E8D57u);
  V w[count][4];
  NEURITE_UNROLL
  for (int j = 0; j < count; ++j) {
    w[j][0] = P::first(block + static_cast<uint64_t>(j) * P::lanes);
    w[j][1] = P::high(w[j][0]);
    w[j][2] = P::set(static_cast<uint32_t>(index));
    w[j][3] = P::set(static_cast<uint32_t>(index >> 32));
  }
  NEURITE_UNROLL
  for (int round = 0; round < 10; ++round) {
    const V key0 = P::set(keys.first[round]), key1 = P::set(keys.second[round]);
    NEURITE_UNROLL
    for (int j = 0; j < count; ++j) {
      const V p0 = P::product(m0, w[j][0]), p1 = P::product(m1, w[j][2]);
      w[j][0] = P::exclusive_or(P::high(p1), w[j][1], key0);
      w[j][1] = p1;
      w[j][2] = P::exclusive_or(P::high(p0), w[j][3], key1);
      w[j][3] = p0;
    }
  }
  NEURITE_UNROLL
  for (int j = 0; j < count; ++j) P::join(w[j], out + 2 * j);
}

// Words 4 block ... 4 (block + lanes) - 1 of the stream.
template <class P = Pairs>
NEURITE_INLINE void ordered_words(const RandomArgs& args, const RoundKeys& keys, uint64_t block, U32* out) {
  if constexpr (P::usable) {
    philox_words<P, 2>(keys, args.index, block, out);
  } else {
    U32 w[4];
    philox(args, block, w);
    const F32 x[4] = {from_bits(w[0]), from_bits(w[1]), from_bits(w[2]), from_bits(w[3])};
    float ordered[4 * F32::lanes];
    store_interleaved4(ordered, x);
    for (int j = 0; j < 4; ++j) out[j] = bits(F32::load(ordered + j * F32::lanes));
  }
}

// A stream hands out groups of `size` consecutive elements; element 0 of group g belongs to counter g * lanes.
template <class T>
struct Stream;

template <>
struct Stream<float> {
  static constexpr int per_counter = 4, size = 4 * F32::lanes;
  static NEURITE_INLINE F32 unit(U32 word) { return to_float(shr<8>(word)) * F32::set(0x1p-24f); }
  static NEURITE_INLINE void uniform(const RandomArgs& args, uint64_t counter, float* out) {
    U32 w[4];
    ordered_words(args, RoundKeys(args.key), counter, w);
    for (int j = 0; j < 4; ++j) unit(w[j]).store(out + j * F32::lanes);
  }
  static NEURITE_INLINE void normal(const RandomArgs& args, uint64_t counter, float* out) {
    U32 w[4];
    philox(args, counter, w);
    F32 z[4];
    for (int j = 0; j < 4; j += 2) {
      F32 s, c;
      sincos_turns(unit(w[j + 1]), s, c);
      const F32 radius = sqrt(F32::set(-2.0f) * log(unit(w[j]) + F32::set(0x1p-24f)));
      z[j] = radius * c;
      z[j + 1] = radius * s;
    }
    store_interleaved4(out, z);
  }
};

// A parameter that decides "uniform < p" exactly, as a value of T: the smallest multiple of the grid that is >= p.
template <class T>
NEURITE_INLINE T threshold(double p, double grid) {
  if (!(p > 0)) return T(0);
  if (p >= 1) return T(1);
  const double scaled = p * grid;
  double whole = static_cast<double>(static_cast<int64_t>(scaled));
  if (whole < scaled) whole += 1;
  return static_cast<T>(whole / grid);
}

NEURITE_INLINE float below(float x) {
  if (x == 0) return -0x1p-126f;
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  u = x > 0 ? u - 1 : u + 1;
  __builtin_memcpy(&x, &u, 4);
  return x;
}
NEURITE_INLINE double below(double x) {
  if (x == 0) return -0x1p-1022;
  uint64_t u;
  __builtin_memcpy(&u, &x, 8);
  u = x > 0 ? u - 1 : u + 1;
  __builtin_memcpy(&x, &u, 8);
  return x;
}

template <class T>
inline constexpr double kGrid = 0x1p24;
template <>
inline constexpr double kGrid<double> = 0x1p53;

// Calls emit(values, position, count) for groups of raw draws that cover [0, n).
template <class T, class Draw, class Emit>
NEURITE_INLINE void for_each_group(int per_counter, int64_t first, int64_t n, Draw draw, Emit emit) {
  using S = Stream<T>;
  const int size = per_counter * Vec<T>::lanes;
  for (int64_t i = 0; i < n; i += size) {
    T group[S::size];
    draw(static_cast<uint64_t>((first + i) / per_counter), group);
    emit(group, i, n - i < size ? n - i : static_cast<int64_t>(size));
  }
}

template <class T>
void random(const RandomArgs& args, int64_t first, int64_t n, T* out) noexcept {
  using V = Vec<T>;
  using S = Stream<T>;
  const auto uniform = [&](uint64_t counter, T* group) { S::uniform(args, counter, group); };
  switch (args.distribution) {
    case Distribution::UNIFORM: {
      const T low = static_cast<T>(args.a), high = static_cast<T>(args.b);
      const V start = V::set(low), span = V::set(static_cast<T>(args.b - args.a)),
              last = V::set(high > low ? below(high) : low);
      return for_each_group<T>(S::per_counter, first, n, uniform, [=](const T* group, int64_t i, int64_t count) {
        map(out + i, group, count, [=](V u) { return min(start + span * u, last); });
      });
    }
    case Distribution::NORMAL: {
      const V mean = V::set(static_cast<T>(args.a)), deviation = V::set(static_cast<T>(args.b));
      const auto normal = [&](uint64_t counter, T* group) { S::normal(args, counter, group); };
      return for_each_group<T>(4, first, n, normal, [=](const T* group, int64_t i, int64_t count) {
        map(out + i, group, count, [=](V z) { return mean + deviation * z; });
      });
    }
    case Distribution::BERNOULLI: {
      const V one = V::set(1), zero = V::set(0), p = V::set(threshold<T>(args.a, kGrid<T>));
      return for_each_group<T>(S::per_counter, first, n, uniform, [=](const T* group, int64_t i, int64_t count) {
        map(out + i, group, count, [=](V u) { return select(lt(u, p), one, zero); });
      });
    }
  }
}

// float: 16 random bits an element, so that the generator keeps up with memory. Of 64 words the low halves are for 64
// elements, the high halves for the next 64; an element is dropped where its half is below p 2^16, rounded.
NEURITE_INLINE void dropout_halves(const RandomArgs& args, int64_t first, int64_t n, const float* in, float* out) {
  constexpr int lanes = F32::lanes, half = kDropoutGroup / 2;
  static_assert(half % (4 * lanes) == 0);
  const F32 kept = F32::set(static_cast<float>(1 / (1 - args.a))), zero = F32::set(0);
  const uint32_t dropped = static_cast<uint32_t>(args.a * 0x1p16 + 0.5);
  if (dropped > 0xFFFFu) return map(out, in, n, [=](F32) { return zero; });
  const U32 limit = U32::set(dropped << 16);
  const RoundKeys keys(args.key);
  for (int64_t i = 0; i < n; i += kDropoutGroup) {
    for (int64_t j = 0; j < half && i + j < n; j += 4 * lanes) {
      U32 w[4];
      ordered_words(args, keys, static_cast<uint64_t>((first + i) / 8 + j / 4), w);
      const int64_t low = i + j, high = low + half;
      if (high + 4 * lanes <= n) {
        NEURITE_UNROLL
        for (int k = 0; k < 4; ++k) {
          const int64_t a = low + k * lanes, b = high + k * lanes;
          select(lt(shl<16>(w[k]), limit), zero, F32::load(in + a) * kept).store(out + a);
          select(lt(w[k], limit), zero, F32::load(in + b) * kept).store(out + b);
        }
        continue;
      }
      const auto part = [&](int64_t at, U32 bits) {
        const int64_t rest = n - at;
        if (rest >= lanes) {
          select(lt(bits, limit), zero, F32::load(in + at) * kept).store(out + at);
        } else if (rest > 0) {
          select(lt(bits, limit), zero, F32::load_n(in + at, rest) * kept).store_n(out + at, rest);
        }
      };
      for (int k = 0; k < 4; ++k) {
        part(low + k * lanes, shl<16>(w[k]));
        part(high + k * lanes, w[k]);
      }
    }
  }
}

template <class T>
void dropout(const RandomArgs& args, int64_t first, int64_t n, const T* in, T* out) noexcept {
  if constexpr (sizeof(T) == sizeof(float)) {
    dropout_halves(args, first, n, in, out);
  } else {
    using V = Vec<T>;
    using S = Stream<T>;
    const V p = V::set(threshold<T>(args.a, kGrid<T>)), kept = V::set(static_cast<T>(1 / (1 - args.a))),
            zero = V::set(0);
    const auto uniform = [&](uint64_t counter, T* group) { S::uniform(args, counter, group); };
    for_each_group<T>(S::per_counter, first, n, uniform, [=](const T* group, int64_t i, int64_t count) {
      map(out + i, group, in + i, count, [=](V u, V x) { return select(lt(u, p), zero, x * kept); });
    });
  }
}

}  // namespace neurite::NEURITE_ISA
