// A program of every instruction, those that seed the fuzzer: the same numbers on every instruction set, the same bits
// on any number of threads. The tests above the addon check what the numbers are, on the machine they run on; this one
// also runs where Node does not, such as under an emulator of another processor.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "../../native/program/executor.h"
#include "../../native/program/runtime.h"
#include "check.h"

using namespace neurite;

namespace {

using Bytes = std::vector<std::byte>;
struct Outcome {
  RunCode code;
  std::vector<Bytes> slots;
};

/** Runs the program on inputs that are always the same: floats in [-1, 1), and integers that are an index of anything.
 */
Outcome run(const Program& program, const KernelTable& table, int threads) {
  Runtime::instance().set_isa(table.name);
  Runtime::instance().set_threads(threads);
  check::Values values(3);
  std::vector<Bytes> memory;
  std::vector<Binding> bindings;
  for (const Slot& slot : program.slots) {
    Bytes bytes(static_cast<size_t>(slot.bytes) + 64);
    auto address = reinterpret_cast<uintptr_t>(bytes.data());
    std::byte* data = bytes.data() + (64 - address % 64) % 64;
    for (int64_t i = 0; i < slot.elements; ++i) {
      const double real = values.unit();
      switch (slot.dtype) {
        case DType::FLOAT32: reinterpret_cast<float*>(data)[i] = static_cast<float>(real); break;
        case DType::FLOAT64: reinterpret_cast<double*>(data)[i] = real; break;
        case DType::INT32: reinterpret_cast<int32_t*>(data)[i] = static_cast<int32_t>(i % 2); break;
        default: data[i] = static_cast<std::byte>(i % 2);
      }
    }
    bindings.push_back({data, slot.bytes});
    memory.push_back(std::move(bytes));
  }
  const std::atomic<bool> abort{false};
  Executor executor;
  Outcome outcome{RunCode::OK, {}};
  const RunStatus bound = Executor::bind(program, bindings, 1);
  outcome.code = bound.ok() ? executor.run(program, bindings, 1, abort).code : bound.code;
  for (size_t i = 0; i < bindings.size(); ++i) {
    outcome.slots.emplace_back(bindings[i].data, bindings[i].data + program.slots[i].bytes);
  }
  return outcome;
}

/** The largest difference of two slots relative to the largest number in either; of integers 1 where any differs. */
template <class T>
double difference(const Bytes& a, const Bytes& b) {
  double most = 0, scale = 1;
  for (size_t i = 0; i + sizeof(T) <= a.size(); i += sizeof(T)) {
    T x, y;
    std::memcpy(&x, &a[i], sizeof(T));
    std::memcpy(&y, &b[i], sizeof(T));
    const auto p = static_cast<double>(x), q = static_cast<double>(y);
    if (std::isnan(p) && std::isnan(q)) continue;
    if (p == q) continue;
    if (!std::isfinite(p) || !std::isfinite(q)) return INFINITY;
    most = std::max(most, std::fabs(p - q));
    scale = std::max({scale, std::fabs(p), std::fabs(q)});
  }
  return most / scale;
}

}  // namespace

SUITE(seeds) {
  const KernelTable& before = Runtime::instance().kernels();
  const int threads = Runtime::instance().threads();
  std::ifstream file(NEURITE_SEEDS);
  int programs = 0;
  for (std::string line; std::getline(file, line); ++programs) {
    std::istringstream text(line);
    std::vector<int32_t> words;
    for (int32_t word; text >> word;) words.push_back(word);
    const auto program = Program::load(words);
    const Outcome want = run(*program, *scalar_table(), 1);
    for (int t = 0; table_at(t) != nullptr; ++t) {
      const KernelTable& table = *table_at(t);
      const Outcome got = run(*program, table, 1);
      const Outcome together = run(*program, table, 3);
      CHECK(got.code == want.code, "seed %d, %s: ends with code %d, scalar with %d", programs, table.name,
            static_cast<int>(got.code), static_cast<int>(want.code));
      for (size_t s = 0; s < program->slots.size(); ++s) {
        CHECK(got.slots[s] == together.slots[s], "seed %d, %s: slot %zu has other bits on 3 threads", programs,
              table.name, s);
        // Sums of at most 4096 terms in another order, of numbers about 1.
        const bool is_double = program->slots[s].dtype == DType::FLOAT64;
        const double off = program->slots[s].dtype == DType::FLOAT32 ? difference<float>(got.slots[s], want.slots[s])
                           : is_double                               ? difference<double>(got.slots[s], want.slots[s])
                                       : static_cast<double>(got.slots[s] != want.slots[s]);
        CHECK(off <= 4096 * (is_double ? 0x1p-53 : 0x1p-24), "seed %d, %s: slot %zu is off by %g", programs, table.name,
              s, off);
      }
    }
  }
  CHECK(programs > 20, "read %d programs of %s", programs, NEURITE_SEEDS);
  Runtime::instance().set_isa(before.name);
  Runtime::instance().set_threads(threads);
}
