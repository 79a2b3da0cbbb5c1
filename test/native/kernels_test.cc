// Runs every suite, or those whose name contains the argument, with and without denormals (the executor turns them
// off).
#include <cstring>

#include "../../native/base/cpu_features.h"
#include "check.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
static void flush_denormals(bool on) { _mm_setcsr(on ? _mm_getcsr() | 0x8040u : _mm_getcsr() & ~0x8040u); }
#elif defined(__aarch64__)
static void flush_denormals(bool on) {
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  fpcr = on ? fpcr | (uint64_t{1} << 24) : fpcr & ~(uint64_t{1} << 24);
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}
#else
static void flush_denormals(bool) {}
#endif

using namespace neurite;

SUITE(dispatch) {
  const char* why = nullptr;
  CHECK(select_table(nullptr, &why) == table_at(0), "the default is the best table");
  CHECK(select_table("scalar", &why) == scalar_table(), "scalar can always be had");
  CHECK(select_table("sse9", &why) == nullptr && why != nullptr, "an unknown name gives a reason");
  const CpuFeatures& cpu = cpu_features();
  const struct {
    const char* name;
    bool runs;
    const KernelTable* table;
  } all[] = {
      {"avx512", cpu.avx512, avx512_table()}, {"avx2", cpu.avx2, avx2_table()}, {"neon", cpu.neon, neon_table()}};
  for (const auto& isa : all) {
    why = nullptr;
    const KernelTable* got = select_table(isa.name, &why);
    CHECK(got == (isa.runs ? isa.table : nullptr), "%s is honoured or refused", isa.name);
    CHECK((got == nullptr) == (why != nullptr), "%s is refused with a reason", isa.name);
    CHECK(got == nullptr || std::strcmp(got->name, isa.name) == 0, "%s carries its name", isa.name);
  }
}

int main(int argc, char** argv) {
  std::printf("%s, %s:", cpu_features().vendor, cpu_features().brand);
  check::each_table([](const KernelTable& t) { std::printf(" %s", t.name); });
  std::printf("\n");
  for (int flush = 0; flush < 2; ++flush) {
    flush_denormals(flush != 0);
    for (const check::Suite& suite : check::suites()) {
      if (argc > 1 && std::strstr(suite.name, argv[1]) == nullptr) continue;
      const int before = check::failures;
      suite.run();
      std::printf("%s %s%s\n", check::failures == before ? "ok  " : "FAIL", suite.name,
                  flush ? " (denormals off)" : "");
    }
  }
  std::printf("%d checks, %d failures\n", check::checks, check::failures);
  return check::failures == 0 ? 0 : 1;
}
