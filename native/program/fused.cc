#include "fused.h"

#include <algorithm>

#include "../base/checked.h"
#include "../base/prefetch.h"
#include "view.h"

namespace neurite {
namespace {

constexpr int64_t kTileBytes = 12 << 10;  // what a tile's registers may take of L1, beside the next tile's lines
constexpr int64_t kMinTile = 64;
constexpr int64_t kMaxTile = 4096;
constexpr int64_t kTaskCost = 64 << 10;  // in units of one simple operation on one element: about 10 microseconds
constexpr int kMaxRegisters = 64 + 64 + 256;

template <class T>
constexpr DType dtype_of() {
  if constexpr (sizeof(T) == 8) return DType::FLOAT64;
  return std::is_same_v<T, float> ? DType::FLOAT32 : DType::INT32;
}

/** Rough cost of a micro-operation; only the size of tasks depends on it. */
int64_t micro_cost(int32_t code) {
  switch (static_cast<Micro>(code)) {
    case Micro::POW: return 24;
    case Micro::EXP:
    case Micro::EXPM1:
    case Micro::LOG:
    case Micro::LOG1P:
    case Micro::SIN:
    case Micro::COS:
    case Micro::TAN:
    case Micro::TANH:
    case Micro::SIGMOID:
    case Micro::ERF:
    case Micro::SOFTPLUS: return 8;
    case Micro::DIV:
    case Micro::SQRT:
    case Micro::RSQRT:
    case Micro::RECIPROCAL: return 3;
    default: return 1;
  }
}

}  // namespace

template <class T>
Fused<T>::Fused(const FusedPlan& plan, InstructionReader& reader) : elements_(plan.elements) {
  if (elements_ == 0) return;
  std::vector<View> views;
  for (const FusedPlan::Input& input : plan.inputs) views.push_back(input.view);
  coalesce(views);
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    Input input{plan.inputs[i].memory, plan.inputs[i].dtype, Source::STRIDED, views[i], -1, 0};
    classify(input);
    inputs_.push_back(input);
  }
  for (const double value : plan.constants) constants_.push_back(static_cast<T>(value));
  for (const FusedPlan::Micro& micro : plan.micros) {
    const auto operand = [&](int i) { return micro.operands[i] < 0 ? micro.operands[0] : micro.operands[i]; };
    micros_.push_back({micro.code, operand(0), operand(1), operand(2), 0});
  }
  for (const FusedPlan::Output& output : plan.outputs)
    outputs_.push_back({output.memory, output.dtype, output.reg, false});
  choose_direct_outputs();
  plan_buffers(reader);

  int64_t cost = static_cast<int64_t>(inputs_.size() + outputs_.size());
  for (const Micro& micro : micros_) cost += micro_cost(micro.code);
  tiles_per_task_ = std::max<int64_t>(1, kTaskCost / (cost * tile_));
}

template <class T>
void Fused<T>::classify(Input& input) const {
  View& view = input.view;
  if (is_dense(view)) {
    input.source = input.dtype == dtype_of<T>() ? Source::DIRECT : Source::CONVERTED;
    return;
  }
  int zeros = 0;  // leading dimensions that repeat
  while (zeros < view.rank && view.strides[zeros] == 0) ++zeros;
  if (zeros == view.rank) {
    input.source = Source::SCALAR;
    return;
  }
  View tail = view;
  tail.rank = view.rank - zeros;
  std::copy_n(view.dims + zeros, tail.rank, tail.dims);
  std::copy_n(view.strides + zeros, tail.rank, tail.strides);
  if (zeros > 0 && is_dense(tail) && tail.elements() <= kMaxTile) {
    input.source = Source::PERIODIC;
    input.period = tail.elements();
  }
}

template <class T>
std::vector<int64_t> Fused<T>::last_uses() const {
  const size_t first_micro = inputs_.size() + constants_.size();
  std::vector<int64_t> last(first_micro + micros_.size(), -1);
  for (size_t i = 0; i < micros_.size(); ++i) {
    for (const int32_t reg : {micros_[i].a, micros_[i].b, micros_[i].c}) {
      last[static_cast<size_t>(reg)] = static_cast<int64_t>(i);
    }
  }
  return last;
}

template <class T>
void Fused<T>::choose_direct_outputs() {
  const auto first_micro = static_cast<int32_t>(inputs_.size() + constants_.size());
  const std::vector<int64_t> last = last_uses();
  for (Input& input : inputs_) {
    // An input that is itself an output is stored last, when an output in its place may have been written already.
    const auto reg = static_cast<int32_t>(&input - inputs_.data());
    const bool stored = std::any_of(outputs_.begin(), outputs_.end(), [&](const Output& o) { return o.reg == reg; });
    const bool replaced =
        std::any_of(outputs_.begin(), outputs_.end(), [&](const Output& o) { return o.memory == input.memory; });
    if (input.source == Source::DIRECT && stored && replaced) input.source = Source::CONVERTED;
  }
  for (size_t o = 0; o < outputs_.size(); ++o) {
    Output& output = outputs_[o];
    if (output.reg < first_micro || output.dtype != dtype_of<T>()) continue;
    Micro& micro = micros_[static_cast<size_t>(output.reg - first_micro)];
    if (micro.buffer < 0) continue;  // already written to another output
    // Writing straight to memory must not destroy an input in the same place that a later micro-operation reads.
    const int64_t position = output.reg - first_micro;
    bool safe = true;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].source == Source::DIRECT && inputs_[i].memory == output.memory && last[i] > position) safe = false;
    }
    if (!safe) continue;
    micro.buffer = -1 - static_cast<int32_t>(o);
    output.direct = true;
  }
}

template <class T>
void Fused<T>::plan_buffers(InstructionReader& reader) {
  for (Input& input : inputs_) {
    if (input.source != Source::DIRECT) input.buffer = buffers_++;
  }
  for (size_t i = 0; i < constants_.size(); ++i) constant_buffers_.push_back(buffers_++);

  // Micro results share buffers: one is free again after its last reader, which may write its result over it.
  const auto first_micro = static_cast<int32_t>(inputs_.size() + constants_.size());
  std::vector<int64_t> last = last_uses();
  for (const Output& output : outputs_) {
    if (!output.direct) last[static_cast<size_t>(output.reg)] = std::numeric_limits<int64_t>::max();
  }
  std::vector<int> free;
  for (size_t i = 0; i < micros_.size(); ++i) {
    Micro& micro = micros_[i];
    int32_t operands[3] = {micro.a, micro.b, micro.c};
    std::sort(operands, operands + 3);
    for (int32_t* reg = operands; reg != std::unique(operands, operands + 3); ++reg) {
      if (*reg < first_micro || last[static_cast<size_t>(*reg)] != static_cast<int64_t>(i)) continue;
      const int32_t buffer = micros_[static_cast<size_t>(*reg - first_micro)].buffer;
      if (buffer >= 0) free.push_back(buffer);
    }
    if (micro.buffer < 0) continue;
    if (free.empty()) {
      micro.buffer = buffers_++;
    } else {
      micro.buffer = free.back();
      free.pop_back();
    }
    if (last[static_cast<size_t>(first_micro) + i] < 0) free.push_back(micro.buffer);  // nobody reads it
  }

  const auto streams = static_cast<int64_t>(inputs_.size() + outputs_.size()) + buffers_;
  const int64_t tile = kTileBytes / (streams * static_cast<int64_t>(sizeof(T)));
  tile_ = std::clamp(tile / kMinTile * kMinTile, kMinTile, kMaxTile);
  for (const Input& input : inputs_) {
    if (input.source != Source::PERIODIC || input.period > tile_) continue;
    tile_ = tile_ / input.period * input.period;
    break;
  }
  for (Input& input : inputs_) {
    if (input.source == Source::PERIODIC && tile_ % input.period != 0) input.source = Source::STRIDED;
  }
  // One more tile of the widest element stages strided inputs of another dtype.
  reader.need_worker(tile_ * (buffers_ * static_cast<int64_t>(sizeof(T)) + 8));
}

template <class T>
void Fused<T>::run(RunContext& context) const noexcept {
  const int64_t tiles = elements_ == 0 ? 0 : ceil_div(elements_, tile_);
  const int64_t tasks = ceil_div(tiles, tiles_per_task_);
  context.team.parallel_for(tasks, [&](int64_t task, int worker) noexcept {
    run_tiles(context, task * tiles_per_task_, std::min(tiles, (task + 1) * tiles_per_task_), worker);
  });
}

template <class T>
const T* Fused<T>::load_tile(const Input& input, const RunContext& context, T* buffer, std::byte* staging,
                             int64_t begin, int64_t count) const noexcept {
  const Kernels<T>& kernels = context.table<T>();
  const std::byte* base = context.at<std::byte>(input.memory);
  const int64_t width = dtype_bytes(input.dtype);
  const bool same = input.dtype == dtype_of<T>();
  if (input.source == Source::CONVERTED) {
    kernels.load(buffer, base + begin * width, input.dtype, count);
    return buffer;
  }
  const View& view = input.view;
  const Cursor cursor(view, begin);
  const int64_t rest = view.dims[view.rank - 1] - cursor.index[view.rank - 1];
  const int64_t stride = view.strides[view.rank - 1];
  if (stride == 1 && rest >= count) {
    const std::byte* at = base + cursor.offset * width;
    if (same) return reinterpret_cast<const T*>(at);
    kernels.load(buffer, at, input.dtype, count);
    return buffer;
  }
  std::byte* raw = same ? reinterpret_cast<std::byte*>(buffer) : staging;
  with_width(input.dtype, [&](auto* type) {
    using W = std::remove_pointer_t<decltype(type)>;
    gather_window(reinterpret_cast<W*>(raw), reinterpret_cast<const W*>(base), view, begin, count);
  });
  if (!same) kernels.load(buffer, raw, input.dtype, count);
  return buffer;
}

/** Memory would rest while all but the first and last micro-operation work on registers; so the next tile comes then.
 */
template <class T>
void Fused<T>::fetch_tile(const RunContext& context, int64_t begin) const noexcept {
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t end = std::min(elements_, begin + tile_);
  for (const Input& input : inputs_) {
    if (input.source != Source::DIRECT) continue;
    const T* const from = context.at<T>(input.memory);
    for (int64_t i = begin; i < end; i += line) NEURITE_PREFETCH(from + i);
  }
  for (const Output& output : outputs_) {
    if (!output.direct) continue;
    const T* const to = context.at<T>(output.memory);
    for (int64_t i = begin; i < end; i += line) NEURITE_PREFETCH_WRITE(to + i);
  }
}

template <class T>
void Fused<T>::run_tiles(RunContext& context, int64_t first, int64_t last, int worker) const noexcept {
  const Kernels<T>& kernels = context.table<T>();
  T* const buffers = reinterpret_cast<T*>(context.scratch(worker));
  std::byte* const staging = reinterpret_cast<std::byte*>(buffers + buffers_ * tile_);
  const auto buffer = [&](int i) { return buffers + i * tile_; };
  const int64_t widest = std::min(tile_, elements_ - first * tile_);
  const T* regs[kMaxRegisters];
  size_t reg = 0;
  for (const Input& input : inputs_) {
    if (input.source == Source::SCALAR) {
      T value;
      kernels.load(&value, context.at<std::byte>(input.memory), input.dtype, 1);
      std::fill_n(buffer(input.buffer), widest, value);
      regs[reg] = buffer(input.buffer);
    } else if (input.source == Source::PERIODIC) {
      T* const tile = buffer(input.buffer);
      const int64_t once = std::min(input.period, widest);
      kernels.load(tile, context.at<std::byte>(input.memory), input.dtype, once);
      for (int64_t i = once; i < widest; i += input.period) {
        std::memcpy(tile + i, tile, static_cast<size_t>(std::min(input.period, widest - i)) * sizeof(T));
      }
      regs[reg] = tile;
    }
    ++reg;
  }
  for (size_t i = 0; i < constants_.size(); ++i) {
    std::fill_n(buffer(constant_buffers_[i]), widest, constants_[i]);
    regs[reg++] = buffer(constant_buffers_[i]);
  }
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t begin = tile * tile_;
    const int64_t count = std::min(tile_, elements_ - begin);
    if (micros_.size() > 1) fetch_tile(context, begin + count);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = inputs_[i];
      if (input.source == Source::DIRECT) {
        regs[i] = context.at<T>(input.memory) + begin;
      } else if (input.source == Source::CONVERTED || input.source == Source::STRIDED) {
        regs[i] = load_tile(input, context, buffer(input.buffer), staging, begin, count);
      }
    }
    size_t result = reg;
    for (const Micro& micro : micros_) {
      T* const out = micro.buffer >= 0 ? buffer(micro.buffer)
                                       : context.at<T>(outputs_[static_cast<size_t>(-1 - micro.buffer)].memory) + begin;
      kernels.micro(micro.code, out, regs[micro.a], regs[micro.b], regs[micro.c], count);
      regs[result++] = out;
    }
    for (const Output& output : outputs_) {
      if (output.direct) continue;
      std::byte* out = context.at<std::byte>(output.memory) + begin * dtype_bytes(output.dtype);
      kernels.store(out, output.dtype, regs[output.reg], count);
    }
  }
}

template class Fused<float>;
template class Fused<double>;
template class Fused<int32_t>;

namespace {

constexpr int32_t kMaxInputs = 64;
constexpr int32_t kMaxConstants = 64;
constexpr int32_t kMaxMicros = 256;
constexpr int32_t kMaxOutputs = 64;

struct MicroInfo {
  int arity;
  bool integer;
};

MicroInfo micro_info(int32_t code) {
  switch (static_cast<Micro>(code)) {
#define NEURITE_MICRO(name, code, arity, integer) \
  case Micro::name: return {arity, integer};
#include "opcodes.inc"
  }
  return {0, false};
}

FusedPlan::Micro parse_micro(InstructionReader& reader, int32_t registers) {
  FusedPlan::Micro micro{reader.word("micro-operation"), {}};
  const MicroInfo info = micro_info(micro.code);
  if (info.arity == 0) reader.fail("unknown micro-operation " + std::to_string(micro.code));
  if (reader.dtype() == DType::INT32 && !info.integer) {
    reader.fail("micro-operation " + std::to_string(micro.code) + " does not exist for INT32");
  }
  for (int i = 0; i < 3; ++i) {
    micro.operands[i] =
        i < info.arity ? reader.choice("register", 0, registers - 1) : reader.choice("unused operand", -1, -1);
  }
  return micro;
}

}  // namespace

std::unique_ptr<Instruction> parse_FUSED(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  FusedPlan plan;
  // The counts stand between rank and dims.
  const int32_t rank = reader.choice("rank", 0, kMaxRank);
  const int32_t inputs = reader.choice("number of inputs", 0, kMaxInputs);
  const int32_t constants = reader.choice("number of constants", 0, kMaxConstants);
  const int32_t micros = reader.choice("number of micro-operations", 0, kMaxMicros);
  const int32_t outputs = reader.choice("number of outputs", 1, kMaxOutputs);
  View dims;
  dims.rank = rank;
  reader.view_dims(dims);
  plan.elements = dims.elements();
  for (int32_t i = 0; i < inputs; ++i) {
    const int32_t word = reader.word("input");
    FusedPlan::Input input{{}, reader.dtype_word("input"), dims};
    input.view.offset = reader.size("input offset");
    reader.view_strides(input.view);
    const Access access = is_dense(input.view) ? Access::READ_ALIASED : Access::READ;
    input.memory = reader.window(word, "input", input.dtype, input.view, access);
    plan.inputs.push_back(input);
  }
  for (int32_t i = 0; i < constants; ++i) {
    const double value = reader.f64("constant");
    if (reader.dtype() == DType::INT32 && !(value >= -2147483648.0 && value <= 2147483647.0)) {
      reader.fail("constant " + std::to_string(value) + " does not fit INT32");
    }
    plan.constants.push_back(value);
  }
  for (int32_t i = 0; i < micros; ++i) plan.micros.push_back(parse_micro(reader, inputs + constants + i));
  for (int32_t i = 0; i < outputs; ++i) {
    FusedPlan::Output output;
    const int32_t word = reader.word("output");
    output.dtype = reader.dtype_word("output");
    output.reg = reader.choice("output register", 0, inputs + constants + micros - 1);
    output.memory = reader.operand(word, "output", output.dtype, plan.elements, Access::WRITE);
    plan.outputs.push_back(output);
  }
  switch (reader.dtype()) {
    case DType::FLOAT64: return std::make_unique<Fused<double>>(plan, reader);
    case DType::INT32: return std::make_unique<Fused<int32_t>>(plan, reader);
    default: return std::make_unique<Fused<float>>(plan, reader);
  }
}

}  // namespace neurite
