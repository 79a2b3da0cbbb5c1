// CPUID says what the CPU has, XGETBV whether the operating system saves the registers. Source: Intel SDM vol. 1, 13
// and 14.3.
#include "cpu_features.h"

#include <cstdint>
#include <cstring>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif
#if defined(__linux__)
#include <cstdio>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace neurite {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t sub) {
  Registers r;
#if defined(_MSC_VER) && !defined(__clang__)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(sub));
  std::memcpy(&r, out, sizeof(r));
#else
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
#endif
  return r;
}

uint64_t saved_state() {
#if defined(_MSC_VER) && !defined(__clang__)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}

bool bit(uint64_t word, int index) { return (word >> index & 1) != 0; }

void detect(CpuFeatures& f) {
  const Registers base = cpuid(0, 0);
  std::memcpy(f.vendor, &base.ebx, 4);
  std::memcpy(f.vendor + 4, &base.edx, 4);
  std::memcpy(f.vendor + 8, &base.ecx, 4);
  f.vendor[12] = 0;
  if (cpuid(0x80000000u, 0).eax >= 0x80000004u) {
    for (uint32_t i = 0; i < 3; ++i) {
      const Registers part = cpuid(0x80000002u + i, 0);
      std::memcpy(f.brand + 16 * i, &part, 16);
    }
    f.brand[48] = 0;
  }
  if (base.eax < 7) return;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
  const bool fma = bit(one.ecx, 12), osxsave = bit(one.ecx, 27), avx = bit(one.ecx, 28);
  if (!osxsave || !avx) return;
  const uint64_t saved = saved_state();
  if ((saved & 0x6) != 0x6) return;  // XMM and YMM
  f.avx2 = fma && bit(seven.ebx, 5);
  const bool instructions = bit(seven.ebx, 16) && bit(seven.ebx, 17) && bit(seven.ebx, 30) && bit(seven.ebx, 31);
#if defined(__APPLE__)
  const bool registers = true;  // the kernel turns the AVX-512 state on at its first use
#else
  const bool registers = (saved & 0xE6) == 0xE6;  // opmask, upper halves of ZMM, ZMM16-31
#endif
  f.avx512 = f.avx2 && instructions && registers;
}
#elif defined(__aarch64__) || defined(_M_ARM64)
void detect(CpuFeatures& f) {
  f.neon = true;  // part of the architecture
  std::strcpy(f.vendor, "ARM");
#if defined(__APPLE__)
  std::strcpy(f.vendor, "Apple");
  size_t size = sizeof(f.brand);
  if (sysctlbyname("machdep.cpu.brand_string", f.brand, &size, nullptr, 0) != 0) std::strcpy(f.brand, "unknown");
#elif defined(__linux__)
  // The identification register names implementer and part; the kernel shows it to every process.
  if (std::FILE* file = std::fopen("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "r")) {
    unsigned long long midr = 0;
    if (std::fscanf(file, "%llx", &midr) == 1) {
      std::snprintf(f.brand, sizeof(f.brand), "implementer 0x%02llx part 0x%03llx", midr >> 24 & 255, midr >> 4 & 4095);
    }
    std::fclose(file);
  }
#endif
}
#else
void detect(CpuFeatures&) {}
#endif

}  // namespace

const CpuFeatures& cpu_features() noexcept {
  static const CpuFeatures features = [] {
    CpuFeatures f;
    detect(f);
    return f;
  }();
  return features;
}

}  // namespace neurite
