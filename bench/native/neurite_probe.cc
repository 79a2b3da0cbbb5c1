// What the machine gives, as one JSON object:   neurite_probe THREADS...
// Arithmetic of each instruction set, bandwidth of each level of memory, and the pool's barrier; each the best of
// several tries, since anything else on the machine only takes away.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../../native/base/aligned.h"
#include "../../native/base/cpu_features.h"
#include "../../native/base/thread_pool.h"

namespace {

#if defined(__x86_64__)
#define TARGET_AVX512 __attribute__((target("avx512f,prefer-vector-width=512")))
#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#define FOLD_AVX512(x, m, a) x = _mm512_fmadd_ps(x, m, a)
#define FOLD_AVX2(x, m, a) x = _mm256_fmadd_ps(x, m, a)
#define FOLD_SSE(x, m, a) x = _mm_add_ps(_mm_mul_ps(x, m), a)
#endif

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class T>
void keep(const T& value) {
  asm volatile("" : : "m"(value) : "memory");
}

// --- Arithmetic: twelve independent chains, enough for a latency of 4 to 6 on two pipes
// --------------------------------
constexpr int64_t kChains = 12;
constexpr int64_t kTurns = 1'000'000;

struct Arithmetic {
  const char* isa;
  int lanes;
  void (*run)();
};

// Read at run time and all different: equal chains would be computed once.
volatile float starts[kChains] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 1.0f, 1.1f, 1.2f};

#define ARITHMETIC(name, attribute, Vector, set, fold)                                                  \
  attribute void name() {                                                                               \
    const Vector m = set(0.999f), a = set(0.001f);                                                      \
    Vector x0 = set(starts[0]), x1 = set(starts[1]), x2 = set(starts[2]), x3 = set(starts[3]);          \
    Vector x4 = set(starts[4]), x5 = set(starts[5]), x6 = set(starts[6]), x7 = set(starts[7]);          \
    Vector x8 = set(starts[8]), x9 = set(starts[9]), xa = set(starts[10]), xb = set(starts[11]);        \
    for (int64_t i = 0; i < kTurns; ++i) {                                                              \
      fold(x0, m, a), fold(x1, m, a), fold(x2, m, a), fold(x3, m, a), fold(x4, m, a), fold(x5, m, a);   \
      fold(x6, m, a), fold(x7, m, a), fold(x8, m, a), fold(x9, m, a), fold(xa, m, a), fold(xb, m, a);   \
    }                                                                                                   \
    keep(x0), keep(x1), keep(x2), keep(x3), keep(x4), keep(x5), keep(x6), keep(x7), keep(x8), keep(x9); \
    keep(xa), keep(xb);                                                                                 \
  }

#if defined(__x86_64__)
}  // namespace
#include <immintrin.h>
namespace {
ARITHMETIC(arithmetic_avx512, TARGET_AVX512, __m512, _mm512_set1_ps, FOLD_AVX512)
ARITHMETIC(arithmetic_avx2, TARGET_AVX2, __m256, _mm256_set1_ps, FOLD_AVX2)
ARITHMETIC(arithmetic_scalar, , __m128, _mm_set1_ps, FOLD_SSE)
#elif defined(__aarch64__)
}  // namespace
#include <arm_neon.h>
namespace {
#define FOLD_NEON(x, m, a) x = vfmaq_f32(a, x, m)
ARITHMETIC(arithmetic_neon, , float32x4_t, vdupq_n_f32, FOLD_NEON)
#else
float same(float x) { return x; }
#define FOLD_PLAIN(x, m, a) x = x * m + a
ARITHMETIC(arithmetic_scalar, , float, same, FOLD_PLAIN)
#endif

std::vector<Arithmetic> usable() {
  std::vector<Arithmetic> all;
#if defined(__x86_64__)
  if (neurite::cpu_features().avx512) all.push_back({"avx512", 16, arithmetic_avx512});
  if (neurite::cpu_features().avx2) all.push_back({"avx2", 8, arithmetic_avx2});
  all.push_back({"scalar", 4, arithmetic_scalar});
#elif defined(__aarch64__)
  all.push_back({"neon", 4, arithmetic_neon});
#else
  all.push_back({"scalar", 1, arithmetic_scalar});
#endif
  return all;
}

// --- Bandwidth
// ---------------------------------------------------------------------------------------------------------
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
// The widest vectors the machine has: with narrower ones L1 and L2 would look slower than they are.
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

WIDEST void read(float* a, const float*, const float*, int64_t n) {
  uint32_t sums[64] = {};
  const auto* words = reinterpret_cast<const uint32_t*>(a);  // integers, so that the compiler may use vectors
  for (int64_t i = 0; i < n; i += 64) {
    for (int64_t j = 0; j < 64; ++j) sums[j] += words[i + j];
  }
  keep(sums);
}
WIDEST void copy(float* a, const float* b, const float*, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    a[i] = b[i] + 1.0f;  // plus 1: the compiler would call memcpy, which may bypass caches
  keep(*a);
}
WIDEST void triad(float* __restrict a, const float* __restrict b, const float* __restrict c, int64_t n) {
  for (int64_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
  keep(*a);
}
WIDEST void update(float* __restrict a, const float* __restrict b, const float*, int64_t n) {
  for (int64_t i = 0; i < n; ++i) a[i] = a[i] * 0.5f + b[i];
  keep(*a);
}

struct Stream {
  const char* name;
  int arrays, bytes;  // arrays in the working set; bytes moved an element (reads for ownership not counted)
  void (*run)(float*, const float*, const float*, int64_t);
};
constexpr Stream kStreams[] = {
    {"read", 1, 4, read}, {"copy", 2, 8, copy}, {"triad", 3, 12, triad}, {"update", 2, 12, update}};

struct Level {
  const char* name;
  int64_t bytes;
  bool per_thread;  // private to a core
};
constexpr Level kLevels[] = {
    {"L1", 24 << 10, true}, {"L2", 1 << 20, true}, {"L3", 64 << 20, false}, {"memory", int64_t{1} << 30, false}};

// --- Threads that start together
// ---------------------------------------------------------------------------------------
/** Seconds from the common start to the last end of work(thread), the best of `tries`. */
template <class Prepare, class Work>
double best_of(int tries, int threads, Prepare&& prepare, Work&& work) {
  double best = 1e30;
  std::atomic<int> ready{0}, finished{0};
  std::atomic<int> turn{0};
  std::vector<std::thread> others;
  const auto body = [&](int thread) {
    prepare(thread);
    for (int t = 1; t <= tries; ++t) {
      ready.fetch_add(1);
      while (turn.load() < t) {
      }
      work(thread);
      finished.fetch_add(1);
    }
  };
  for (int i = 1; i < threads; ++i) others.emplace_back(body, i);
  prepare(0);
  for (int t = 1; t <= tries; ++t) {
    while (ready.load() < (threads - 1) * t) {
    }
    const auto start = Clock::now();
    turn.store(t);
    work(0);
    while (finished.load() < (threads - 1) * t) {
    }
    best = std::min(best, seconds_since(start));
  }
  for (std::thread& other : others) other.join();
  return best;
}

double gflops(const Arithmetic& unit, int threads) {
  const double flop = 2.0 * kChains * kTurns * unit.lanes * threads;
  return flop / best_of(12, threads, [&](int) { unit.run(); }, [&](int) { unit.run(); }) / 1e9;
}

double gigabytes(const Stream& stream, const Level& level, int threads) {
  const int64_t bytes = level.per_thread ? level.bytes : level.bytes / threads;
  const int64_t n = bytes / 4 / stream.arrays / 64 * 64;
  const int64_t turns = std::max<int64_t>(1, (64 << 20) / bytes);
  std::vector<neurite::AlignedBuffer> memory(static_cast<size_t>(threads));
  const auto at = [&](int thread, int array) {
    return reinterpret_cast<float*>(memory[static_cast<size_t>(thread)].data()) + array * n;
  };
  const double seconds = best_of(
      level.bytes > (256 << 20) ? 3 : 8, threads,
      [&](int thread) {
        if (!memory[static_cast<size_t>(thread)].allocate(4 * n * stream.arrays)) std::abort();
        std::fill_n(at(thread, 0), n * stream.arrays, 1.0f);  // by its own thread: its pages, its cache
      },
      [&](int thread) {
        for (int64_t i = 0; i < turns; ++i) {
          stream.run(at(thread, 0), at(thread, stream.arrays > 1), at(thread, stream.arrays - 1), n);
        }
      });
  return static_cast<double>(turns) * static_cast<double>(n) * stream.bytes * threads / seconds / 1e9;
}

/** Microseconds of a parallel_for that does nothing, workers awake. */
double barrier(int threads) {
  neurite::ThreadPool::instance().resize(threads);
  neurite::Team team;
  double best = 1e30;
  for (int t = 0; t < 20; ++t) {
    constexpr int kCalls = 2000;
    const auto start = Clock::now();
    for (int i = 0; i < kCalls; ++i) team.parallel_for(threads, [](int64_t, int) noexcept {});
    best = std::min(best, seconds_since(start) / kCalls);
  }
  return best * 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("{\"threads\":{");
  for (int a = 1; a < argc; ++a) {
    const int threads = std::atoi(argv[a]);
    if (threads < 1 || threads > neurite::kMaxThreads) {
      std::fprintf(stderr, "neurite_probe: threads %s, expected 1 to %d\n", argv[a], neurite::kMaxThreads);
      return 1;
    }
    std::printf("%s\"%d\":{\"gflops\":{", a > 1 ? "," : "", threads);
    const char* comma = "";
    for (const Arithmetic& unit : usable()) {
      std::printf("%s\"%s\":%.1f", comma, unit.isa, gflops(unit, threads));
      comma = ",";
    }
    std::printf("},\"gigabytesPerSecond\":{");
    comma = "";
    for (const Level& level : kLevels) {
      std::printf("%s\"%s\":{", comma, level.name);
      comma = ",";
      for (const Stream& s : kStreams) {
        std::printf("%s\"%s\":%.1f", &s == kStreams ? "" : ",", s.name, gigabytes(s, level, threads));
      }
      std::printf("}");
    }
    std::printf("},\"barrierMicroseconds\":%.3f}", barrier(threads));
  }
  std::printf("},\"levelBytes\":{");
  for (const Level& level : kLevels) {
    std::printf("%s\"%s\":%lld", &level == kLevels ? "" : ",", level.name, static_cast<long long>(level.bytes));
  }
  std::printf("}}\n");
}
