// The whole test framework: CHECK prints what failed and counts it, suites register themselves, main runs them.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../../native/kernels/table.h"

namespace check {

inline int failures = 0, checks = 0;

struct Suite {
  const char* name;
  void (*run)();
};
inline std::vector<Suite>& suites() {
  static std::vector<Suite> all;
  return all;
}
struct Register {
  Register(const char* name, void (*run)()) { suites().push_back({name, run}); }
};

inline void report(bool ok, const char* file, int line, const std::string& what) {
  ++checks;
  if (ok) return;
  if (++failures <= 40) std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

// Deterministic values in [-1, 1).
struct Values {
  uint64_t state;
  explicit Values(uint64_t seed) : state(seed * 2654435761u + 88172645463325252u) {}
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-52 - 1; }
  template <class T>
  std::vector<T> many(int64_t n) {
    std::vector<T> v(static_cast<size_t>(n));
    for (T& x : v) x = static_cast<T>(unit());
    return v;
  }
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));
inline std::string text(const char* format, ...) {
  char buffer[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(buffer, sizeof(buffer), format, args);
  va_end(args);
  return buffer;
}

// Calls body(table) for every table this machine can run.
template <class F>
void each_table(F body) {
  for (int i = 0; const neurite::KernelTable* table = neurite::table_at(i); ++i) body(*table);
}

}  // namespace check

#define CHECK(condition, ...) check::report((condition), __FILE__, __LINE__, check::text(__VA_ARGS__))
#define SUITE(name)                                                  \
  static void suite_##name();                                        \
  static const check::Register register_##name(#name, suite_##name); \
  static void suite_##name()
