#include "reader.h"

#include <algorithm>
#include <bit>

#include "../base/aligned.h"
#include "../base/checked.h"

namespace neurite {
namespace {

// Far above any memory, and eight of them still add and scale to bytes within int64.
constexpr int64_t kMaxReach = int64_t{1} << 48;

bool writes(Access access) { return access == Access::WRITE || access == Access::UPDATE; }

bool valid_dtype(int32_t code) { return code >= 0 && dtype_bytes(static_cast<DType>(code)) != 0; }

}  // namespace

InstructionReader::InstructionReader(Program& program, std::span<const int32_t> words, const std::vector<bool>& written)
    : program_(program), words_(words), written_(written), dtype_(static_cast<DType>(words[2])) {
  if (!valid_dtype(words[2])) fail("unknown dtype " + std::to_string(words[2]));
}

void InstructionReader::expect_dtype(std::initializer_list<DType> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), dtype_) == allowed.end()) {
    fail(std::string("does not compute in ") + dtype_name(dtype_));
  }
}

int32_t InstructionReader::word(const char* what) {
  if (position_ >= words_.size()) fail(std::string("ends before ") + what);
  return words_[position_++];
}

int64_t InstructionReader::size(const char* what) {
  const int32_t value = word(what);
  if (value < 0) fail(std::string(what) + " is " + std::to_string(value) + ", expected a size");
  return value;
}

int32_t InstructionReader::choice(const char* what, int32_t first, int32_t last) {
  const int32_t value = word(what);
  if (value < first || value > last) {
    fail(std::string(what) + " is " + std::to_string(value) + ", expected " + std::to_string(first) + " to " +
         std::to_string(last));
  }
  return value;
}

bool InstructionReader::flag(const char* what) { return choice(what, 0, 1) == 1; }

double InstructionReader::f64(const char* what) {
  const auto low = static_cast<uint32_t>(word(what));
  const auto high = static_cast<uint32_t>(word(what));
  return std::bit_cast<double>(static_cast<uint64_t>(high) << 32 | low);
}

DType InstructionReader::dtype_word(const char* what) {
  const int32_t code = word(what);
  if (!valid_dtype(code)) fail(std::string(what) + " has unknown dtype " + std::to_string(code));
  return static_cast<DType>(code);
}

void InstructionReader::view_dims(View& view) {
  int64_t elements = 1;
  for (int i = 0; i < view.rank; ++i) {
    view.dims[i] = size("dimension");
    if (view.dims[i] != 0) elements = product({elements, view.dims[i]});
  }
}

void InstructionReader::view_strides(View& view) {
  for (int i = 0; i < view.rank; ++i) view.strides[i] = word("stride");
}

int64_t InstructionReader::product(std::initializer_list<int64_t> sizes) const {
  const auto out = checked_product(sizes);
  if (!out) fail("its sizes multiply to more than 2^63");
  return *out;
}

Operand InstructionReader::access(int32_t word, const char* what, DType dtype, int64_t first, int64_t last,
                                  Access access) {
  if (word == kNone) fail(std::string(what) + " is absent");
  const int64_t width = dtype_bytes(dtype);
  Operand out;
  int64_t limit;
  if (word >= 0) {
    out = {0, int64_t{word} * kAlign};
    limit = program_.arena_bytes;
  } else {
    const int64_t index = ~int64_t{word};
    if (index >= static_cast<int64_t>(program_.slots.size())) {
      fail(std::string(what) + " names slot " + std::to_string(index) + " of " + std::to_string(program_.slots.size()));
    }
    const Slot& slot = program_.slots[static_cast<size_t>(index)];
    if (slot.dtype != dtype) {
      fail(std::string(what) + " is " + dtype_name(dtype) + " but slot " + std::to_string(index) + " holds " +
           dtype_name(slot.dtype));
    }
    const auto s = static_cast<size_t>(index);
    if (writes(access) && !slot.write)
      fail(std::string(what) + " writes slot " + std::to_string(index) + ", which is READ only");
    if (access != Access::WRITE && !slot.read && !written_[s]) {
      fail(std::string(what) + " reads slot " + std::to_string(index) + ", which is not READ and not yet written");
    }
    if (writes(access)) written_slots_.push_back(static_cast<int32_t>(index));
    out = {static_cast<int32_t>(index) + 1, 0};
    limit = slot.bytes;
  }
  // Nothing is touched, and its offset may lie anywhere: no pointer is made of it.
  if (last <= first) return {out.base, 0};
  // Callers keep first and last small enough for this to fit.
  const int64_t begin = out.offset + first * width;
  const int64_t end = out.offset + last * width;
  if (first < 0 || end > limit) {
    fail(std::string(what) + " covers bytes " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
         std::to_string(limit) + (word >= 0 ? " in the arena" : " in slot " + std::to_string(~word)));
  }
  ranges_.push_back({out.base, begin, end, access, what});
  return out;
}

Operand InstructionReader::operand(int32_t word, const char* what, DType dtype, int64_t elements, Access kind) {
  product({elements, dtype_bytes(dtype), 2});
  return access(word, what, dtype, 0, elements, kind);
}

Operand InstructionReader::optional(const char* what, DType dtype, int64_t elements, Access kind) {
  const int32_t name = word(what);
  return name == kNone ? Operand{} : operand(name, what, dtype, elements, kind);
}

Operand InstructionReader::window(int32_t word, const char* what, DType dtype, const View& view, Access kind) {
  int64_t low = view.offset;
  int64_t high = view.offset;
  const int64_t elements = view.elements();
  if (elements > 0) {
    for (int i = 0; i < view.rank; ++i) {
      const int64_t reach = (view.dims[i] - 1) * view.strides[i];  // two int32: fits
      if (reach > kMaxReach || reach < -kMaxReach) fail(std::string(what) + " spans more than 2^48 elements");
      (reach < 0 ? low : high) += reach;
    }
  }
  if (elements > 0 && low < 0)
    fail(std::string(what) + " starts " + std::to_string(-low) + " elements before its memory");
  Operand out = access(word, what, dtype, low, elements > 0 ? high + 1 : low, kind);
  if (elements > 0) out.offset += view.offset * dtype_bytes(dtype);
  return out;
}

void InstructionReader::need_shared(int64_t bytes) {
  program_.shared_bytes = std::max(program_.shared_bytes, round_up(bytes, kAlign));
}

void InstructionReader::need_worker(int64_t bytes) {
  program_.worker_bytes = std::max(program_.worker_bytes, round_up(bytes, kAlign));
}

void InstructionReader::fail(const std::string& reason) const { throw ProgramError(reason); }

void InstructionReader::finish() {
  if (position_ != words_.size()) {
    fail("has " + std::to_string(words_.size()) + " words, expected " + std::to_string(position_));
  }
  std::vector<Range> outputs;
  for (const Range& range : ranges_) {
    if (writes(range.access)) outputs.push_back(range);
  }
  const auto before = [](const Range& a, const Range& b) {
    return a.base != b.base ? a.base < b.base : a.begin < b.begin;
  };
  std::sort(outputs.begin(), outputs.end(), before);
  for (size_t i = 1; i < outputs.size(); ++i) {
    if (outputs[i - 1].base == outputs[i].base && outputs[i - 1].end > outputs[i].begin) {
      fail(std::string(outputs[i].what) + " overlaps " + outputs[i - 1].what);
    }
  }
  for (const Range& input : ranges_) {
    if (writes(input.access)) continue;
    // Outputs are disjoint and sorted, so only the last one that starts before the input's end can reach into it,
    // and then those before it cannot unless it starts inside the input too.
    auto next =
        std::lower_bound(outputs.begin(), outputs.end(), Range{input.base, input.end, 0, Access::READ, ""}, before);
    if (next == outputs.begin()) continue;
    const Range& output = *std::prev(next);
    if (output.base != input.base || output.end <= input.begin) continue;
    if (input.access == Access::READ_ALIASED && output.begin == input.begin && output.end == input.end) continue;
    fail(std::string(output.what) + " overlaps " + input.what);
  }
}

bool InstructionReader::writes_inout() const noexcept {
  return std::any_of(written_slots_.begin(), written_slots_.end(), [&](int32_t index) {
    const Slot& slot = program_.slots[static_cast<size_t>(index)];
    return slot.read && slot.write;
  });
}

}  // namespace neurite
