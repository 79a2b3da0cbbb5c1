// Runs verified programs on bound buffers. One executor per environment owns the arena; programs own no memory.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../base/aligned.h"
#include "program.h"

namespace neurite {

/** A buffer as JavaScript holds it: the program uses it from the first 64-byte boundary on. */
struct Binding {
  std::byte* data;
  int64_t bytes;
};

/**
 * A program with most slots bound and checked once. A small training step would otherwise spend as long on looking at
 * the same parameters again as on its arithmetic; a run of a frame binds and checks the open slots only.
 */
class Frame {
 public:
  /** `open` are slots, ascending; the bindings of the others are checked here, and must live as long as the frame. */
  Frame(std::shared_ptr<const Program> program, std::vector<Binding> bindings, std::vector<size_t> open);

  /** How the fixed slots fit: anything but ok makes the frame unusable. */
  const RunStatus& status() const noexcept { return status_; }

  /** Checks that `given`, one a open slot, fits for one step, and puts it in. */
  RunStatus bind(const std::vector<Binding>& given) noexcept;

  const Program& program() const noexcept { return *program_; }
  const std::vector<Binding>& bindings() const noexcept { return bindings_; }

 private:
  std::shared_ptr<const Program> program_;
  std::vector<Binding> bindings_;
  std::vector<size_t> open_;
  std::vector<bool> bound_;
  RunStatus status_;
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
