// What the process shares: the instruction set in use, the thread pool's size, the memory limit.
#pragma once
#include <cstdint>
#include <string>

#include "../kernels/table.h"

namespace neurite {

class Runtime {
 public:
  /** Reads NEURITE_ISA and NEURITE_THREADS at first use. */
  static Runtime& instance();

  const KernelTable& kernels() const noexcept;
  int threads() const;
  int64_t memory_limit() const noexcept;

  /** The reason NEURITE_ISA or NEURITE_THREADS could not be honoured, or empty. */
  const std::string& startup_error() const noexcept { return startup_error_; }

  /** Forces an instruction set for runs that start from now on; the reason when it is not usable, or empty. */
  std::string set_isa(const std::string& name);
  void set_threads(int threads);
  void set_memory_limit(int64_t bytes) noexcept;

  static std::string usable_isas();

 private:
  Runtime();
  std::string startup_error_;
};

}  // namespace neurite
