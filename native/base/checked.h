// int64 arithmetic that reports overflow instead of wrapping: every size in a program is computed with it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>

namespace neurite {

/** a * b of two non-negative numbers, or nothing when it does not fit. */
inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) noexcept {
#if defined(__GNUC__)
  int64_t out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
#else
  if (a != 0 && b > std::numeric_limits<int64_t>::max() / a) return std::nullopt;
  return a * b;
#endif
}

inline std::optional<int64_t> checked_product(std::initializer_list<int64_t> sizes) noexcept {
  int64_t out = 1;
  for (const int64_t size : sizes) {
    if (size == 0) return 0;
  }
  for (const int64_t size : sizes) {
    const auto next = checked_mul(out, size);
    if (!next) return std::nullopt;
    out = *next;
  }
  return out;
}

inline constexpr int64_t ceil_div(int64_t a, int64_t b) noexcept { return (a + b - 1) / b; }
inline constexpr int64_t round_up(int64_t a, int64_t b) noexcept { return ceil_div(a, b) * b; }

}  // namespace neurite
