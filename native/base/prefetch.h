// Hints that bring a cache line: to the first level, to the second, or to be written.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#define NEURITE_PREFETCH(address) static_cast<void>(address)
#define NEURITE_PREFETCH_FAR(address) static_cast<void>(address)
#define NEURITE_PREFETCH_WRITE(address) static_cast<void>(address)
#else
#define NEURITE_PREFETCH(address) __builtin_prefetch(address)
#define NEURITE_PREFETCH_FAR(address) __builtin_prefetch(address, 0, 2)
#define NEURITE_PREFETCH_WRITE(address) __builtin_prefetch(address, 1)
#endif
