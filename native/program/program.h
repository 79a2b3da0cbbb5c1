// Programs: parsed and verified once, when loaded. This is the trust boundary: a Program that exists cannot read or
// write outside its arena and slots, whatever values its slots hold.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "instruction.h"

namespace neurite {

/** A program that was refused, and why. */
class ProgramError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Slot {
  DType dtype;
  int64_t elements;
  int64_t bytes;
  bool read, write, stepped;
};

struct Program {
  std::vector<Slot> slots;
  std::vector<std::unique_ptr<Instruction>> instructions;
  int64_t arena_bytes = 0;
  int64_t shared_bytes = 0;  // scratch of one instruction, shared by the team
  int64_t worker_bytes = 0;  // scratch of each thread
  bool stepped = false;      // some slot is

  /** @throws ProgramError naming the instruction and the reason. */
  static std::shared_ptr<const Program> load(std::span<const int32_t> words);
};

}  // namespace neurite
