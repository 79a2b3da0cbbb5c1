// libFuzzer target for the trust boundary: any words are refused, or run without leaving their slots and arena.
// Buffers are exactly as large as the slots say, so AddressSanitizer sees the first byte beyond; what a program may
// only read must hold the same bytes afterwards. tools/fuzz.mjs builds it, makes its corpus and runs it.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "../../../native/program/executor.h"
#include "../../../native/program/runtime.h"

using namespace neurite;

// libFuzzer's own mutator: changes `data` in place, at most `max_size` bytes long, and gives the new length.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

constexpr size_t kHeaderWords = 6, kSlotWords = 3, kMaxWords = 1024;
constexpr size_t kMagic = 0, kVersion = 1, kSlots = 2, kInstructions = 3, kWords = 5;
// Small, so that an execution takes microseconds; sizes that overflow are refused before any memory is taken.
constexpr int64_t kMaxBytes = 1 << 18;
constexpr int64_t kSteps = 2;

using Words = std::vector<int32_t>;

struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
using Block = std::unique_ptr<std::byte[], Free>;

Block exact(int64_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 64, static_cast<size_t>(bytes)) != 0) std::abort();
  return Block(static_cast<std::byte*>(data));
}

/** Bytes that are small indices now and then, and floats that are zero, denormal, finite, infinite or NaN. */
void fill(std::byte* data, int64_t bytes, uint64_t& state) {
  for (int64_t i = 0; i < bytes; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto random = static_cast<uint32_t>(state >> 33);
    data[i] = static_cast<std::byte>(random % 3 == 0 ? random >> 8 : i % 4 == 0 ? (random >> 8) % 4 : 0);
  }
}

/** Makes the header true of the words that follow it, so that mutations spend their time behind it. */
void mend(Words& words) {
  words[kMagic] = 0x4E525445;
  words[kVersion] = 1;
  words[kWords] = static_cast<int32_t>(words.size());
}

/** Starts of the instructions of a program whose slots and lengths are sound as far as they go. */
std::vector<size_t> instructions_of(const Words& words) {
  std::vector<size_t> starts;
  if (words[kSlots] < 0 || static_cast<size_t>(words[kSlots]) > words.size() / kSlotWords) return starts;
  size_t at = kHeaderWords + kSlotWords * static_cast<size_t>(words[kSlots]);
  while (at + 2 < words.size() && words[at + 1] >= 3 && static_cast<size_t>(words[at + 1]) <= words.size() - at) {
    starts.push_back(at);
    at += static_cast<size_t>(words[at + 1]);
  }
  return starts;
}

/** Changes one word the way that finds boundaries: extremes, neighbours, another word of the program, one bit. */
int32_t changed(const Words& words, int32_t word, uint32_t random) {
  static constexpr int32_t kInteresting[] = {0,  1,  -1, 2,  -2, 3,  4,    5,     7,         8,
                                             15, 16, 17, 63, 64, 65, 4096, 65536, INT32_MAX, INT32_MIN};
  switch (random % 4) {
    case 0: return kInteresting[random / 4 % std::size(kInteresting)];
    case 1: return static_cast<int32_t>(static_cast<uint32_t>(word) + random / 4 % 5 - 2);
    case 2: return words[random / 4 % words.size()];
    default: return static_cast<int32_t>(static_cast<uint32_t>(word) ^ (1u << (random / 4 % 32)));
  }
}

[[noreturn]] void wrong(const char* what) {
  std::fprintf(stderr, "program_fuzz: %s\n", what);
  std::abort();
}

void run(const Program& program, uint64_t seed) {
  int64_t bytes = program.arena_bytes + program.shared_bytes + program.worker_bytes;
  for (const Slot& slot : program.slots) {
    if (slot.bytes > kMaxBytes) return;
    bytes += slot.bytes * kSteps;
    if (bytes > kMaxBytes) return;
  }
  std::vector<Block> blocks, before;
  std::vector<Binding> bindings;
  for (const Slot& slot : program.slots) {
    const int64_t size = slot.bytes * (slot.stepped ? kSteps : 1);
    blocks.push_back(exact(size));
    before.push_back(exact(size));
    fill(blocks.back().get(), size, seed);
    if (size > 0) std::memcpy(before.back().get(), blocks.back().get(), static_cast<size_t>(size));
    bindings.push_back({blocks.back().get(), size});
  }
  if (!Executor::bind(program, bindings, kSteps).ok()) wrong("buffers of the slots' own sizes were refused");
  // A new executor each time, so that the arena is as small as this program's and its end is seen.
  Executor executor;
  const std::atomic<bool> abort{false};
  executor.run(program, bindings, kSteps, abort);
  for (size_t i = 0; i < program.slots.size(); ++i) {
    const Slot& slot = program.slots[i];
    const auto size = static_cast<size_t>(slot.bytes * (slot.stepped ? kSteps : 1));
    if (!slot.write && size > 0 && std::memcmp(blocks[i].get(), before[i].get(), size) != 0) {
      wrong("a slot that is only read was changed");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  Runtime::instance().set_threads(2);
  Runtime::instance().set_memory_limit(kMaxBytes * 4);
  return 0;
}

/** Mends what any change breaks (lengths, counts), drops, doubles and joins whole instructions, or changes words. */
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  uint64_t state = seed * 2654435761u + 1;
  const auto below = [&](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % n;
  };
  if (below(8) == 0) size = LLVMFuzzerMutate(data, size, max_size);
  if (size < kHeaderWords * sizeof(int32_t)) return size;
  Words words(size / sizeof(int32_t));
  std::memcpy(words.data(), data, words.size() * sizeof(int32_t));
  const std::vector<size_t> starts = instructions_of(words);
  const size_t way = below(6);
  if (way < 2 && !starts.empty()) {
    const size_t at = starts[below(starts.size())];
    const auto length = static_cast<std::ptrdiff_t>(words[at + 1]);
    const Words copy(words.begin() + static_cast<std::ptrdiff_t>(at),
                     words.begin() + static_cast<std::ptrdiff_t>(at) + length);
    if (way == 0 && starts.size() > 1) {
      const auto first = words.begin() + static_cast<std::ptrdiff_t>(at);
      words.erase(first, first + length);
      words[kInstructions] = static_cast<int32_t>(starts.size()) - 1;
    } else if ((words.size() + copy.size()) * sizeof(int32_t) <= max_size) {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(starts[below(starts.size())]), copy.begin(), copy.end());
      words[kInstructions] = static_cast<int32_t>(starts.size()) + 1;
    }
  } else {
    for (size_t changes = 1 + below(3); changes > 0; --changes) {
      int32_t& word = words[below(words.size())];
      word = changed(words, word, static_cast<uint32_t>(below(UINT32_MAX)));
    }
  }
  mend(words);
  const size_t bytes = std::min(words.size() * sizeof(int32_t), max_size);
  std::memcpy(data, words.data(), bytes);
  return bytes;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size % sizeof(int32_t) != 0 || size / sizeof(int32_t) > kMaxWords) return -1;
  // On the heap and exactly as long as given: a read beyond the last word is seen.
  const Words words(reinterpret_cast<const int32_t*>(data), reinterpret_cast<const int32_t*>(data + size));
  uint64_t seed = 0x9E3779B97F4A7C15u;
  for (const int32_t word : words) seed = (seed ^ static_cast<uint32_t>(word)) * 0x100000001B3u;
  // Every instruction set gets its share; which one a program gets depends on its words alone, so crashes repeat.
  int tables = 0;
  while (table_at(tables) != nullptr) ++tables;
  const KernelTable* table = table_at(static_cast<int>((seed >> 40) % static_cast<uint64_t>(tables)));
  if (!Runtime::instance().set_isa(table->name).empty()) wrong("a usable instruction set was refused");
  try {
    run(*Program::load(words), seed);
  } catch (const ProgramError&) {
    // Refusal is an answer.
  }
  return 0;
}
