// neurite_ulp [--isa NAME] [--stride N] [FUNCTION...]
//
// The largest error of the float32 math functions over all 2^32 inputs, against float64. Prints one line a function and
// fails when one is above its bound in math_functions.h. Denormals are off, as they are while programs run. A stride
// takes every Nth input only: a quick look that proves nothing.
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "../../../native/base/denormals.h"
#include "../math_functions.h"

namespace {

using namespace neurite;
using namespace math;

constexpr int64_t kChunk = 4096;
constexpr int64_t kInputs = int64_t{1} << 32;

double silu(double x) {
  return x == -INFINITY ? NAN : x * sigmoid(x);  // as the composition: -inf * 0
}
double gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }  // 1 + erf without its cancellation

void unary(const KernelTable& t, Micro code, float* y, const float* x) {
  t.f32.micro(static_cast<int>(code), y, x, nullptr, nullptr, kChunk);
}
void times(const KernelTable& t, float* y, const float* a, const float* b) {
  t.f32.micro(static_cast<int>(Micro::MUL), y, a, b, nullptr, kChunk);
}

// Composed of them, step by step as src/ops/activation.ts builds it.
void silu_steps(const KernelTable& t, float* y, const float* x) {
  alignas(64) float s[kChunk];
  unary(t, Micro::SIGMOID, s, x);
  times(t, y, x, s);
}
struct Case {
  Function function;
  void (*steps)(const KernelTable&, float*, const float*);  // null: one micro-operation
  bool of_input;  // error in ulp of the input: 1 + erf is near 0 for negative x
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Function& f : functions) cases.push_back({f, nullptr, false});
  // sigmoid's error, the product's rounding.
  cases.push_back({{"silu", Micro::SIGMOID, silu, 2.3}, silu_steps, false});
  // |x| / 2 times the error of 1 + erf, below 1.5 2^-23 with its roundings, and the product's.
  cases.push_back({{"gelu", Micro::GELU, gelu, 2.0}, nullptr, true});
  return cases;
}

/** 2^(e - 23) of a normal float. */
double spacing(float x) {
  const uint64_t exponent = std::max<uint32_t>(std::bit_cast<uint32_t>(x) >> 23 & 0xFF, 1);
  return std::bit_cast<double>((exponent + 1023 - 127 - 23) << 52);
}

struct Worst {
  double error = 0;
  float x = 0, got = 0;
  int64_t wrong = 0;  // above the bound, or a special value that is not what it must be
  float wrong_x = 0, wrong_got = 0;
};

void examine(const Case& c, float x, float got, Worst& worst) {
  const Function& f = c.function;
  const double exact = f.reference(static_cast<double>(x));
  const float want = static_cast<float>(exact);
  bool ok;
  // Where a step of a composition is a denormal it is 0: |x| <= 104 times that, where sigmoid is above 0 in float.
  constexpr double kTiny = 128 * static_cast<double>(kSmallest);
  if (c.steps != nullptr && std::fabs(exact) < kTiny) {
    ok = std::fabs(static_cast<double>(got)) < kTiny;
  } else if (std::isfinite(want) && std::isfinite(got) && std::isnormal(x) && std::isnormal(want)) {
    const double error = std::fabs(static_cast<double>(got) - exact) / spacing(c.of_input ? x : want);
    if (error > worst.error) worst = {error, x, got, worst.wrong, worst.wrong_x, worst.wrong_got};
    ok = error <= f.ulps * (1 + 1e-7);
  } else {
    ok = close(f, x, got);
  }
  if (ok) return;
  if (worst.wrong++ == 0) {
    worst.wrong_x = x;
    worst.wrong_got = got;
  }
}

Worst sweep(const KernelTable& table, const Case& c, int threads, int64_t stride) {
  std::atomic<int64_t> next{0};
  std::mutex lock;
  Worst worst;
  const auto work = [&] {
    const FlushDenormals flush;
    alignas(64) float x[kChunk], y[kChunk];
    Worst mine;
    for (int64_t first; (first = next.fetch_add(kChunk * stride)) < kInputs;) {
      for (int64_t i = 0; i < kChunk; ++i) {
        const auto word = static_cast<uint32_t>(first + i * stride);
        std::memcpy(&x[i], &word, 4);
      }
      if (c.steps != nullptr)
        c.steps(table, y, x);
      else
        unary(table, c.function.code, y, x);
      for (int64_t i = 0; i < kChunk; ++i) examine(c, x[i], y[i], mine);
    }
    const std::lock_guard<std::mutex> guard(lock);
    const int64_t wrong = worst.wrong + mine.wrong;
    if (mine.wrong > 0) {
      worst.wrong_x = mine.wrong_x;
      worst.wrong_got = mine.wrong_got;
    }
    if (mine.error > worst.error) {
      worst.error = mine.error;
      worst.x = mine.x;
      worst.got = mine.got;
    }
    worst.wrong = wrong;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  const char* isa = nullptr;
  int64_t stride = 1;
  std::vector<const char*> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--isa") == 0 && i + 1 < argc)
      isa = argv[++i];
    else if (std::strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
      stride = std::max(1, std::atoi(argv[++i]));
    else
      names.push_back(argv[i]);
  }
  const char* why = nullptr;
  const KernelTable* table = select_table(isa, &why);
  if (table == nullptr) {
    std::fprintf(stderr, "neurite_ulp: --isa %s: %s\n", isa, why);
    return 2;
  }
  std::vector<Case> chosen;
  for (const Case& c : all_cases()) {
    const auto is_it = [&](const char* name) { return std::strcmp(name, c.function.name) == 0; };
    if (names.empty() || std::any_of(names.begin(), names.end(), is_it)) chosen.push_back(c);
  }
  if (chosen.empty() || (!names.empty() && chosen.size() != names.size())) {
    std::fprintf(stderr, "neurite_ulp: unknown function; there are");
    for (const Case& c : all_cases()) std::fprintf(stderr, " %s", c.function.name);
    std::fprintf(stderr, "\n");
    return 2;
  }
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::printf("%s, 2^32 inputs%s, %d threads\n", table->name, stride > 1 ? " sampled" : "", threads);
  std::printf("%-11s %9s %7s  %-15s %s\n", "function", "max ulp", "bound", "at", "seconds");
  bool failed = false;
  for (const Case& c : chosen) {
    const auto start = std::chrono::steady_clock::now();
    const Worst worst = sweep(*table, c, threads, stride);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%-11s %9.4f %7.2f  %-15a %.0f%s\n", c.function.name, worst.error, c.function.ulps,
                static_cast<double>(worst.x), seconds, c.of_input ? "  (ulp of the input)" : "");
    if (worst.wrong > 0) {
      failed = true;
      std::printf("  %lld wrong, such as %s(%a) = %.9g, want %.9g\n", static_cast<long long>(worst.wrong),
                  c.function.name, static_cast<double>(worst.wrong_x), static_cast<double>(worst.wrong_got),
                  c.function.reference(static_cast<double>(worst.wrong_x)));
    }
    std::fflush(stdout);
  }
  std::printf(failed ? "FAILED: above the bounds of test/native/math_functions.h\n" : "ok\n");
  return failed ? 1 : 0;
}
