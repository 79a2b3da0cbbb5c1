// Runs verified programs on bound buffers. One executor per environment owns the arena; programs own no memory.
#pragma once
#include <atomic>
#include <cstdint>
#include <vector>

#include "../base/aligned.h"
#include "program.h"

namespace neurite {

/** A buffer as JavaScript holds it: the program uses it from the first 64-byte boundary on. */
struct Binding {
  std::byte* data;
  int64_t bytes;
};

class Executor {
 public:
  /**
   * Checks that `bindings` fit the program's slots for `steps` steps and replaces each pointer by the aligned one.
   * Runs queued later use the checked pointers, so the buffers must live, unmoved, until their run is over.
   */
  static RunStatus bind(const Program& program, std::vector<Binding>& bindings, int64_t steps);

  /** Runs the program `steps` times over bound buffers; stops between instructions once `abort` is set. */
  RunStatus run(const Program& program, const std::vector<Binding>& bindings, int64_t steps,
                const std::atomic<bool>& abort);

  int64_t arena_bytes() const noexcept { return arena_size_.load(std::memory_order_relaxed); }

  /** Gives the arena back to the system; the next run takes a new one. */
  void trim() noexcept;

 private:
  bool reserve(int64_t bytes, RunStatus& status) noexcept;

  AlignedBuffer arena_;
  std::atomic<int64_t> arena_size_{0};
  std::vector<std::byte*> bases_;
};

}  // namespace neurite
