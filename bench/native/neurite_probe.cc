// What the machine gives, as one JSON object:   neurite_probe THREADS...
// Arithmetic of each instruction set, bandwidth of each level of memory, and the pool's barrier; each the best of
// several tries, since anything else on the machine only takes away. Arithmetic also right after milliseconds of work
// like a matrix product's, under which CPUs lower their clock: the median of several tries.
//
// What a machine gives right now:   neurite_probe --rounds THREADS [ISA]
// For every line it reads, the arithmetic of all threads together in 2 ms.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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
  void (*run)(int64_t turns);
  void (*load)(int64_t turns);  // the same with one operand of each in L1, as in a matrix product
};

// Read at run time and all different: equal chains would be computed once.
volatile float starts[kChains] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 1.0f, 1.1f, 1.2f};

constexpr int kBlocks = 8;
alignas(64) float operands[kBlocks * kChains * 16];

#define ARITHMETIC(name, attribute, Vector, set, fold, addend)                                            \
  attribute void name(int64_t turns) {                                                                    \
    const Vector m = set(0.999f), a = set(0.001f);                                                        \
    Vector x0 = set(starts[0]), x1 = set(starts[1]), x2 = set(starts[2]), x3 = set(starts[3]);            \
    Vector x4 = set(starts[4]), x5 = set(starts[5]), x6 = set(starts[6]), x7 = set(starts[7]);            \
    Vector x8 = set(starts[8]), x9 = set(starts[9]), xa = set(starts[10]), xb = set(starts[11]);          \
    for (int64_t i = 0; i < turns; ++i) {                                                                 \
      [[maybe_unused]] const auto* p = reinterpret_cast<const Vector*>(operands) + i % kBlocks * kChains; \
      fold(x0, m, addend(0)), fold(x1, m, addend(1)), fold(x2, m, addend(2)), fold(x3, m, addend(3));     \
      fold(x4, m, addend(4)), fold(x5, m, addend(5)), fold(x6, m, addend(6)), fold(x7, m, addend(7));     \
      fold(x8, m, addend(8)), fold(x9, m, addend(9)), fold(xa, m, addend(10)), fold(xb, m, addend(11));   \
    }                                                                                                     \
    keep(a), keep(x0), keep(x1), keep(x2), keep(x3), keep(x4), keep(x5), keep(x6), keep(x7), keep(x8);    \
    keep(x9), keep(xa), keep(xb);                                                                         \
  }
#define IN_REGISTER(k) a
#define IN_MEMORY(k) p[k]
#define ARITHMETICS(isa, attribute, Vector, set, fold)                    \
  ARITHMETIC(arithmetic_##isa, attribute, Vector, set, fold, IN_REGISTER) \
  ARITHMETIC(load_##isa, attribute, Vector, set, fold, IN_MEMORY)

#if defined(__x86_64__)
}  // namespace
#include <immintrin.h>
namespace {
ARITHMETICS(avx512, TARGET_AVX512, __m512, _mm512_set1_ps, FOLD_AVX512)
ARITHMETICS(avx2, TARGET_AVX2, __m256, _mm256_set1_ps, FOLD_AVX2)
ARITHMETICS(scalar, , __m128, _mm_set1_ps, FOLD_SSE)
#elif defined(__aarch64__)
}  // namespace
#include <arm_neon.h>
namespace {
#define FOLD_NEON(x, m, a) x = vfmaq_f32(a, x, m)
ARITHMETICS(neon, , float32x4_t, vdupq_n_f32, FOLD_NEON)
#else
float same(float x) { return x; }
#define FOLD_PLAIN(x, m, a) x = x * m + a
ARITHMETICS(scalar, , float, same, FOLD_PLAIN)
#endif

std::vector<Arithmetic> usable() {
  std::vector<Arithmetic> all;
#if defined(__x86_64__)
  if (neurite::cpu_features().avx512) all.push_back({"avx512", 16, arithmetic_avx512, load_avx512});
  if (neurite::cpu_features().avx2) all.push_back({"avx2", 8, arithmetic_avx2, load_avx2});
  all.push_back({"scalar", 4, arithmetic_scalar, load_scalar});
#elif defined(__aarch64__)
  all.push_back({"neon", 4, arithmetic_neon, load_neon});
#else
  all.push_back({"scalar", 1, arithmetic_scalar, load_scalar});
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

double flop(const Arithmetic& unit, int64_t turns) { return 2.0 * kChains * static_cast<double>(turns) * unit.lanes; }

double gflops(const Arithmetic& unit, int threads, int tries = 12) {
  const double seconds = best_of(tries, threads, [&](int) { unit.run(kTurns); }, [&](int) { unit.run(kTurns); });
  return flop(unit, kTurns) * threads / seconds / 1e9;
}

/** The median over short slices that follow 25 ms of load on all threads. */
double sustained_gflops(const Arithmetic& unit, int threads) {
  constexpr int kRounds = 15, kSlices = 4;
  constexpr int64_t kSlice = kTurns / 10;
  std::vector<std::atomic<double>> rates(kRounds * kSlices);
  std::vector<int> next(static_cast<size_t>(threads) * 16);
  best_of(
      kRounds, threads, [](int) {},
      [&](int thread) {
        const auto start = Clock::now();
        while (seconds_since(start) < 0.025) unit.load(kSlice);
        int& mine = next[static_cast<size_t>(thread) * 16];  // a cache line each
        for (int s = 0; s < kSlices; ++s, ++mine) {
          const auto slice = Clock::now();
          unit.run(kSlice);
          rates[static_cast<size_t>(mine)].fetch_add(flop(unit, kSlice) / seconds_since(slice) / 1e9);
        }
      });
  std::vector<double> sorted(rates.begin(), rates.end());
  std::nth_element(sorted.begin(), sorted.begin() + kRounds * kSlices / 2, sorted.end());
  return sorted[kRounds * kSlices / 2];
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

/** For every line of the input one with what `threads` threads together reach now. */
int rounds(int threads, const Arithmetic& unit) {
  std::printf("{\"isa\":\"%s\"}\n", unit.isa);
  for (int c; std::fflush(stdout), (c = std::getchar()) != EOF;) {
    if (c == '\n') std::printf("{\"gflops\":%.1f}\n", gflops(unit, threads, 1));
  }
  return 0;
}

int threads_of(const char* text) {
  const int threads = std::atoi(text);
  if (threads >= 1 && threads <= neurite::kMaxThreads) return threads;
  std::fprintf(stderr, "neurite_probe: threads %s, expected 1 to %d\n", text, neurite::kMaxThreads);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  for (size_t i = 0; i < std::size(operands); ++i) operands[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  const std::vector<Arithmetic> units = usable();
  if (argc > 2 && std::strcmp(argv[1], "--rounds") == 0) {
    for (const Arithmetic& unit : units) {
      if (argc == 3 || std::strcmp(argv[3], unit.isa) == 0) return rounds(threads_of(argv[2]), unit);
    }
    std::fprintf(stderr, "neurite_probe: no %s here\n", argv[3]);
    return 1;
  }
  std::printf("{\"threads\":{");
  for (int a = 1; a < argc; ++a) {
    const int threads = threads_of(argv[a]);
    std::printf("%s\"%d\":{", a > 1 ? "," : "", threads);
    for (const bool sustained : {false, true}) {
      std::printf(sustained ? "},\"sustainedGflops\":{" : "\"gflops\":{");
      for (const Arithmetic& unit : units) {
        std::printf("%s\"%s\":%.1f", &unit == units.data() ? "" : ",", unit.isa,
                    sustained ? sustained_gflops(unit, threads) : gflops(unit, threads));
      }
    }
    std::printf("},\"gigabytesPerSecond\":{");
    const char* comma = "";
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
