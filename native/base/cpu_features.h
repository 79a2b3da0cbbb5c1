// What this CPU can run and the operating system lets it run.
#pragma once

namespace neurite {

struct CpuFeatures {
  bool avx2 = false;    // AVX2 and FMA
  bool avx512 = false;  // AVX-512 F, BW, VL and DQ
  bool neon = false;
  char vendor[16] = "unknown";  // "GenuineIntel", "AuthenticAMD", "ARM" ...
  char brand[64] = "unknown";   // "Intel(R) Xeon(R) Platinum 8592+" ...
};

const CpuFeatures& cpu_features() noexcept;

}  // namespace neurite
