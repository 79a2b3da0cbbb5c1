#include "program.h"

#include "../base/aligned.h"
#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

enum Header : size_t {
#define NEURITE_HEADER(name, index) name = index,
#include "opcodes.inc"
  HEADER_WORDS
};
enum SlotFlag : int32_t {
#define NEURITE_SLOT_FLAG(name, value) SLOT_##name = value,
#include "opcodes.inc"
};

constexpr int32_t kMagic = 0x4E525445;
constexpr int32_t kVersion = 1;
constexpr size_t kSlotWords = 3;
constexpr int32_t kMaxInstructions = 1'000'000;

bool is_fallible(int32_t opcode) {
  switch (static_cast<Opcode>(opcode)) {
#define NEURITE_OPCODE(name, code, fallible) \
  case Opcode::name: return fallible;
#include "opcodes.inc"
  }
  return false;
}

std::unique_ptr<Instruction> parse(InstructionReader& reader) {
  switch (reader.opcode()) {
#define NEURITE_OPCODE(name, code, fallible) \
  case Opcode::name: return parse_##name(reader);
#include "opcodes.inc"
  }
  reader.fail("unknown opcode " + std::to_string(static_cast<int32_t>(reader.opcode())));
}

std::vector<Slot> parse_slots(std::span<const int32_t> words, int32_t count) {
  std::vector<Slot> slots;
  slots.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    const int32_t* word = words.data() + HEADER_WORDS + kSlotWords * static_cast<size_t>(i);
    const auto dtype = static_cast<DType>(word[0]);
    const std::string name = "slot " + std::to_string(i);
    if (dtype_bytes(dtype) == 0) throw ProgramError(name + " has unknown dtype " + std::to_string(word[0]));
    if (word[1] < 0) throw ProgramError(name + " has " + std::to_string(word[1]) + " elements");
    if ((word[2] & ~(SLOT_READ | SLOT_WRITE | SLOT_STEPPED)) != 0) {
      throw ProgramError(name + " has unknown flags " + std::to_string(word[2]));
    }
    slots.push_back({dtype, word[1], word[1] * dtype_bytes(dtype), (word[2] & SLOT_READ) != 0,
                     (word[2] & SLOT_WRITE) != 0, (word[2] & SLOT_STEPPED) != 0});
  }
  return slots;
}

}  // namespace

std::shared_ptr<const Program> Program::load(std::span<const int32_t> words) {
  if (words.size() < HEADER_WORDS) throw ProgramError("a program has at least a header");
  if (words[MAGIC] != kMagic) throw ProgramError("not a program: the first word is not the magic number");
  if (words[VERSION] != kVersion) {
    throw ProgramError("format version " + std::to_string(words[VERSION]) + ", this build reads version " +
                       std::to_string(kVersion));
  }
  if (words[WORDS] < 0 || static_cast<size_t>(words[WORDS]) != words.size()) {
    throw ProgramError("header says " + std::to_string(words[WORDS]) + " words, got " + std::to_string(words.size()));
  }
  const int32_t instructions = words[INSTRUCTIONS];
  if (instructions < 0 || instructions > kMaxInstructions) {
    throw ProgramError(std::to_string(instructions) + " instructions, the limit is " +
                       std::to_string(kMaxInstructions));
  }
  if (words[SLOTS] < 0 || static_cast<size_t>(words[SLOTS]) > (words.size() - HEADER_WORDS) / kSlotWords) {
    throw ProgramError(std::to_string(words[SLOTS]) + " slots do not fit the program");
  }
  // In units of 64 bytes, so at most 2^37 bytes; the executor holds it against the memory limit.
  if (words[ARENA] < 0) throw ProgramError("an arena of " + std::to_string(words[ARENA]) + " units");

  auto program = std::make_shared<Program>();
  program->slots = parse_slots(words, words[SLOTS]);
  program->arena_bytes = int64_t{words[ARENA]} * kAlign;
  for (const Slot& slot : program->slots) program->stepped |= slot.stepped;

  std::vector<bool> written(program->slots.size());
  bool inout_written = false;
  size_t position = HEADER_WORDS + kSlotWords * program->slots.size();
  for (int32_t i = 0; i < instructions; ++i) {
    std::string name = "instruction " + std::to_string(i);
    try {
      if (words.size() - position < 3) throw ProgramError("is cut off");
      name += std::string(" (") + opcode_name(static_cast<Opcode>(words[position])) + ")";
      const int32_t length = words[position + 1];
      if (length < 3 || static_cast<size_t>(length) > words.size() - position) {
        throw ProgramError("has length " + std::to_string(length));
      }
      if (inout_written && is_fallible(words[position])) {
        throw ProgramError("can fail, but follows a write to an inout slot");
      }
      InstructionReader reader(*program, words.subspan(position, static_cast<size_t>(length)), written);
      program->instructions.push_back(parse(reader));
      reader.finish();
      inout_written = inout_written || reader.writes_inout();
      for (const int32_t slot : reader.written_slots()) written[static_cast<size_t>(slot)] = true;
      position += static_cast<size_t>(length);
    } catch (const ProgramError& error) {
      throw ProgramError(name + ": " + error.what());
    }
  }
  if (position != words.size()) {
    throw ProgramError(std::to_string(words.size() - position) + " words follow the last instruction");
  }
  return program;
}

const char* dtype_name(DType dtype) noexcept {
  switch (dtype) {
#define NEURITE_DTYPE(name, code, bytes) \
  case DType::name: return #name;
#include "opcodes.inc"
  }
  return "?";
}

const char* opcode_name(Opcode opcode) noexcept {
  switch (opcode) {
#define NEURITE_OPCODE(name, code, fallible) \
  case Opcode::name: return #name;
#include "opcodes.inc"
  }
  return "unknown opcode";
}

}  // namespace neurite
