// What every instruction set's vocabulary is written with. A translation unit includes its standard headers, sets its
// target, defines NEURITE_ISA (its namespace) and then includes simd/<isa>.h, simd/math.inl.h and the kernel bodies.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../base/prefetch.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define NEURITE_INLINE __forceinline
#define NEURITE_NOINLINE __declspec(noinline)
#define NEURITE_UNROLL
#define NEURITE_UNROLL_BY(n)
#elif defined(__clang__)
#define NEURITE_INLINE inline __attribute__((always_inline))
#define NEURITE_NOINLINE __attribute__((noinline))
#define NEURITE_UNROLL _Pragma("clang loop unroll(full)")
#define NEURITE_PRAGMA(text) _Pragma(#text)
#define NEURITE_UNROLL_BY(n) NEURITE_PRAGMA(clang loop unroll_count(n))
#else
#define NEURITE_INLINE inline __attribute__((always_inline))
#define NEURITE_NOINLINE __attribute__((noinline))
#define NEURITE_UNROLL _Pragma("GCC unroll 64")
#define NEURITE_PRAGMA(text) _Pragma(#text)
#define NEURITE_UNROLL_BY(n) NEURITE_PRAGMA(GCC unroll n)
#endif

// A value that the compiler may not derive from others.
#if defined(_MSC_VER) && !defined(__clang__)
#define NEURITE_OPAQUE(x) static_cast<void>(x)
#else
#define NEURITE_OPAQUE(x) asm("" : "+r"(x))
#endif
