// Which tables this machine can run. The choice depends on the CPU alone, never on timing: it is part of what fixes the
// bits.
#include "table.h"

#include <cstring>

#include "../base/cpu_features.h"

namespace neurite {
namespace {

struct Candidate {
  const char* name;
  const KernelTable* table;
  bool runs;
};

constexpr int kCandidates = 4;

// Best first.
Candidate candidate(int index) {
  const CpuFeatures& cpu = cpu_features();
  switch (index) {
    case 0: return {"avx512", avx512_table(), cpu.avx512};
    case 1: return {"avx2", avx2_table(), cpu.avx2};
    case 2: return {"neon", neon_table(), cpu.neon};
    default: return {"scalar", scalar_table(), true};
  }
}

}  // namespace

const KernelTable* table_at(int index) noexcept {
  for (int i = 0; i < kCandidates; ++i) {
    const Candidate c = candidate(i);
    if (c.table != nullptr && c.runs && index-- == 0) return c.table;
  }
  return nullptr;
}

const KernelTable* select_table(const char* name, const char** why) noexcept {
  if (name == nullptr || *name == 0) return table_at(0);
  for (int i = 0; i < kCandidates; ++i) {
    const Candidate c = candidate(i);
    if (std::strcmp(c.name, name) != 0) continue;
    if (c.table != nullptr && c.runs) return c.table;
    if (why != nullptr) {
      *why = c.table == nullptr ? "this build is for another processor architecture"
                                : "this processor or its operating system does not support it";
    }
    return nullptr;
  }
  if (why != nullptr) *why = "unknown instruction set; expected scalar, avx2, avx512 or neon";
  return nullptr;
}

}  // namespace neurite
