// A verified instruction: everything resolved when the program was loaded, so that running one parses nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "../base/status.h"
#include "../base/thread_pool.h"
#include "../kernels/table.h"

namespace neurite {

enum class Opcode : int32_t {
#define NEURITE_OPCODE(name, code, fallible) name = code,
#include "opcodes.inc"
};

/** Verified memory: base 0 is the arena, base s + 1 is slot s, -1 is absent; `offset` is in bytes. */
struct Operand {
  int32_t base = -1;
  int64_t offset = 0;

  bool present() const noexcept { return base >= 0; }
  bool operator==(const Operand&) const = default;
};

/** The kernels of an element type; only those of float depend on the instruction set. */
template <class T>
const Kernels<T>& kernels_of(const KernelTable& table) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    return table.f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return float64_kernels();
  } else {
    static_assert(std::is_same_v<T, int32_t>);
    return int32_kernels();
  }
}

/** What a run gives its instructions. */
struct RunContext {
  std::byte* const* bases;     // arena, then one per slot
  const KernelTable& kernels;  // of the instruction set in use
  Team& team;
  std::byte* shared;   // Program::shared_bytes, for one instruction at a time
  std::byte* workers;  // Program::worker_bytes for each thread of the team
  int64_t worker_bytes;
  RunStatus status;

  template <class T>
  T* at(const Operand& operand) const noexcept {
    return operand.present() ? reinterpret_cast<T*>(bases[operand.base] + operand.offset) : nullptr;
  }

  std::byte* scratch(int worker) const noexcept { return workers + worker * worker_bytes; }

  template <class T>
  const Kernels<T>& table() const noexcept {
    return kernels_of<T>(kernels);
  }

  /** Stops the run after this instruction. */
  void fail(RunCode code, int64_t position, double value) noexcept {
    status.code = code;
    status.position = position;
    status.value = value;
  }
};

class Instruction {
 public:
  Instruction() = default;
  Instruction(const Instruction&) = delete;
  Instruction& operator=(const Instruction&) = delete;
  virtual ~Instruction() = default;

  virtual void run(RunContext& context) const noexcept = 0;
};

class InstructionReader;

// One parser for each opcode, in handlers_<family>.cc: verifies the instruction's words and resolves them.
#define NEURITE_OPCODE(name, code, fallible) std::unique_ptr<Instruction> parse_##name(InstructionReader& reader);
#include "opcodes.inc"

/** Calls make<T>() for the element type of a float instruction, so that handlers are written once. */
template <template <class> class Handler, class... Arguments>
std::unique_ptr<Instruction> make_float(DType dtype, Arguments&&... arguments) {
  if (dtype == DType::FLOAT64) return std::make_unique<Handler<double>>(static_cast<Arguments&&>(arguments)...);
  return std::make_unique<Handler<float>>(static_cast<Arguments&&>(arguments)...);
}

inline constexpr int64_t dtype_bytes(DType dtype) noexcept {
  switch (dtype) {
#define NEURITE_DTYPE(name, code, bytes) \
  case DType::name: return bytes;
#include "opcodes.inc"
  }
  return 0;
}

const char* dtype_name(DType dtype) noexcept;
const char* opcode_name(Opcode opcode) noexcept;

}  // namespace neurite
