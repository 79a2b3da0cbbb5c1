#include "executor.h"

#include <algorithm>

#include "../base/checked.h"
#include "../base/denormals.h"
#include "runtime.h"

namespace neurite {
namespace {

int64_t needed_bytes(const Slot& slot, int64_t steps) {
  return checked_mul(slot.bytes, slot.stepped ? steps : 1).value_or(std::numeric_limits<int64_t>::max());
}

/** Replaces the pointer of slot `i` by the aligned one; a status when the buffer is too small. */
RunStatus align(const Program& program, size_t i, Binding& binding, int64_t steps) {
  RunStatus status;
  const int64_t needed = needed_bytes(program.slots[i], steps);
  const auto address = reinterpret_cast<uintptr_t>(binding.data);
  const auto skip = static_cast<int64_t>((kAlign - address % kAlign) % kAlign);
  if (needed > 0 && (binding.data == nullptr || binding.bytes - skip < needed)) {
    status.code = RunCode::BINDING;
    status.position = static_cast<int64_t>(i);
    status.value = static_cast<double>(needed);
    return status;
  }
  if (needed > 0) binding = {binding.data + skip, needed};
  return status;
}

RunStatus shares_memory(size_t slot) {
  RunStatus status;
  status.code = RunCode::BINDING;
  status.position = static_cast<int64_t>(slot);
  status.value = -1;
  return status;
}

/**
 * Refuses written memory that another slot also names: a checked index must not change before its use. Looks at the
 * slots for which `use(i)`, whose bindings are aligned.
 */
template <class Use>
RunStatus check_shared(const Program& program, const std::vector<Binding>& bindings, int64_t steps, Use use) {
  struct Range {
    const std::byte *begin, *end;
    size_t slot;
  };
  thread_local std::vector<Range> ranges;
  ranges.clear();
  for (size_t i = 0; i < bindings.size(); ++i) {
    const int64_t bytes = needed_bytes(program.slots[i], steps);
    if (bytes > 0 && use(i)) ranges.push_back({bindings[i].data, bindings[i].data + bytes, i});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const Range* longest = nullptr;  // of the ranges so far, the one that reaches furthest
  const Range* longest_written = nullptr;
  for (const Range& range : ranges) {
    const bool written = program.slots[range.slot].write;
    const Range* other = written ? longest : longest_written;
    if (other != nullptr && other->end > range.begin) return shares_memory(range.slot);
    if (longest == nullptr || range.end > longest->end) longest = &range;
    if (written && (longest_written == nullptr || range.end > longest_written->end)) longest_written = &range;
  }
  return {};
}

}  // namespace

Frame::Frame(std::shared_ptr<const Program> program, std::vector<Binding> bindings, std::vector<size_t> open)
    : program_(std::move(program)), bindings_(std::move(bindings)), open_(std::move(open)) {
  bound_.assign(bindings_.size(), true);
  for (const size_t slot : open_) bound_[slot] = false;
  for (size_t i = 0; i < bindings_.size() && status_.ok(); ++i) {
    if (bound_[i]) status_ = align(*program_, i, bindings_[i], 1);
  }
  if (status_.ok()) status_ = check_shared(*program_, bindings_, 1, [&](size_t i) { return bound_[i]; });
}

RunStatus Frame::bind(const std::vector<Binding>& given) noexcept {
  RunStatus status;
  if (given.size() != open_.size()) {
    status.code = RunCode::BINDING;
    status.value = static_cast<double>(open_.size());
    return status;
  }
  for (const size_t slot : open_) bound_[slot] = false;
  for (size_t k = 0; k < open_.size(); ++k) {
    const size_t i = open_[k];
    bindings_[i] = given[k];
    status = align(*program_, i, bindings_[i], 1);
    if (!status.ok()) return status;
    const Slot& slot = program_->slots[i];
    const std::byte* const begin = bindings_[i].data;
    const std::byte* const end = begin + slot.bytes;
    for (size_t j = 0; j < bindings_.size() && slot.bytes > 0; ++j) {
      const Slot& other = program_->slots[j];
      if (!bound_[j] || !(slot.write || other.write)) continue;
      if (bindings_[j].data < end && begin < bindings_[j].data + other.bytes) return shares_memory(i);
    }
    bound_[i] = true;
  }
  return status;
}

RunStatus Executor::bind(const Program& program, std::vector<Binding>& bindings, int64_t steps) {
  RunStatus status;
  if (bindings.size() != program.slots.size()) {
    status.code = RunCode::BINDING;
    status.value = static_cast<double>(program.slots.size());
    return status;
  }
  for (size_t i = 0; i < bindings.size(); ++i) {
    status = align(program, i, bindings[i], steps);
    if (!status.ok()) return status;
  }
  return check_shared(program, bindings, steps, [](size_t) { return true; });
}

bool Executor::reserve(int64_t bytes, RunStatus& status) noexcept {
  if (bytes <= arena_.bytes()) return true;
  if (bytes <= Runtime::instance().memory_limit() && arena_.allocate(bytes)) {
    arena_size_ = arena_.bytes();
    return true;
  }
  arena_size_ = arena_.bytes();
  status.code = RunCode::MEMORY;
  status.value = static_cast<double>(bytes);
  return false;
}

void Executor::trim() noexcept {
  arena_.release();
  arena_size_ = 0;
}

RunStatus Executor::run(const Program& program, const std::vector<Binding>& bindings, int64_t steps,
                        const std::atomic<bool>& abort) {
  RunStatus status;
  Runtime& runtime = Runtime::instance();
  runtime.threads();  // the first run starts the pool
  const FlushDenormals flush;
  Team team;
  const int64_t scratch = program.shared_bytes + program.worker_bytes * team.size();
  if (!reserve(program.arena_bytes + scratch, status)) return status;
  bases_.assign(1, arena_.data());
  for (const Binding& binding : bindings) bases_.push_back(binding.data);
  std::byte* const shared = arena_.data() + program.arena_bytes;
  RunContext context{
      bases_.data(), runtime.kernels(), team, shared, shared + program.shared_bytes, program.worker_bytes, {}};
  for (int64_t step = 0; step < steps; ++step) {
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      if (abort.load(std::memory_order_relaxed)) {
        context.status.code = RunCode::ABORTED;
      } else {
        program.instructions[i]->run(context);
      }
      if (!context.status.ok()) {
        context.status.instruction = static_cast<int64_t>(i);
        context.status.step = step;
        return context.status;
      }
    }
    if (!program.stepped) continue;
    for (size_t i = 0; i < program.slots.size(); ++i) {
      if (program.slots[i].stepped && bases_[i + 1] != nullptr) bases_[i + 1] += program.slots[i].bytes;
    }
  }
  return status;
}

}  // namespace neurite
