#include "fused.h"

#include <algorithm>
#include <numeric>

#include "../base/checked.h"
#include "view.h"

namespace neurite {
namespace {

constexpr int64_t kTileBytes = 12 << 10;  // what the buffers of a tile may take of L1
constexpr int64_t kMaxTile = 4096;
constexpr int64_t kTaskCost = 64 << 10;  // in units of one simple operation on one element: about 10 microseconds
constexpr int32_t kMaxInputs = 64;
constexpr int32_t kMaxConstants = 64;
constexpr int32_t kMaxMicros = 256;
constexpr int32_t kMaxOutputs = 64;

template <class T>
constexpr DType dtype_of() {
  if constexpr (sizeof(T) == 8) return DType::FLOAT64;
  return std::is_same_v<T, float> ? DType::FLOAT32 : DType::INT32;
}

/** Rough cost of a micro-operation; only the size of tasks depends on it. */
int64_t micro_cost(int32_t code) {
  switch (static_cast<Micro>(code)) {
    case Micro::GELU_GRAD:
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
    case Micro::GELU:
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
    Micro& to = micros_.emplace_back();
    to.code = micro.code;
    while (to.arity < 3 && micro.operands[to.arity] >= 0) ++to.arity;
    std::copy_n(micro.operands, 3, to.operands);
  }
  for (const FusedPlan::Output& output : plan.outputs)
    outputs_.push_back({output.memory, output.dtype, output.reg, false, -1});
  choose_direct_outputs();
  chain_micros();
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

/** The last micro-operation that reads each register, or -1. */
template <class T>
std::vector<int64_t> Fused<T>::last_uses() const {
  std::vector<int64_t> last(static_cast<size_t>(first_micro()) + micros_.size(), -1);
  for (size_t i = 0; i < micros_.size(); ++i) {
    for (int o = 0; o < micros_[i].arity; ++o) {
      last[static_cast<size_t>(micros_[i].operands[o])] = static_cast<int64_t>(i);
    }
  }
  return last;
}

template <class T>
void Fused<T>::choose_direct_outputs() {
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
    if (output.reg < first_micro() || output.dtype != dtype_of<T>()) continue;
    const int64_t position = output.reg - first_micro();
    Micro& micro = micros_[static_cast<size_t>(position)];
    if (micro.kept == Kept::OUTPUT) continue;  // already written to another output
    // Writing straight to memory must not destroy an input in the same place that a later micro-operation reads.
    bool safe = true;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].source == Source::DIRECT && inputs_[i].memory == output.memory && last[i] > position) safe = false;
    }
    if (!safe) continue;
    micro.kept = Kept::OUTPUT;
    micro.at = static_cast<int32_t>(o);
    output.direct = true;
  }
}

/** Finds results that the next micro-operation takes from the vector registers, and the others that need memory. */
template <class T>
void Fused<T>::chain_micros() {
  const auto keep = [&](int32_t reg, Kept where) {
    if (reg < first_micro()) return;
    Micro& micro = micros_[static_cast<size_t>(reg - first_micro())];
    if (micro.kept != Kept::OUTPUT && micro.kept != Kept::TILE) micro.kept = where;
  };
  for (size_t i = 0; i < micros_.size(); ++i) {
    Micro& micro = micros_[i];
    const int32_t previous = i == 0 ? -1 : first_micro() + static_cast<int32_t>(i) - 1;
    const auto code = static_cast<neurite::Micro>(micro.code);
    const bool commutes = code == neurite::Micro::ADD || code == neurite::Micro::MUL;
    if (commutes && micro.operands[1] == previous) std::swap(micro.operands[0], micro.operands[1]);
    micro.chained = micro.operands[0] == previous;
    for (int o = micro.chained ? 1 : 0; o < micro.arity; ++o) keep(micro.operands[o], Kept::BLOCK);
  }
  for (const Output& output : outputs_) {
    if (!output.direct) keep(output.reg, Kept::TILE);
  }
}

template <class T>
void Fused<T>::plan_buffers(InstructionReader& reader) {
  for (Input& input : inputs_) {
    if (input.source != Source::DIRECT && input.source != Source::SCALAR) input.buffer = tile_buffers_++;
  }
  // Results of one block share buffers: one is free again after its last reader, which may write its result over it.
  const std::vector<int64_t> last = last_uses();
  std::vector<int> free;
  for (size_t i = 0; i < micros_.size(); ++i) {
    Micro& micro = micros_[i];
    int32_t* const end = micro.operands + micro.arity;
    for (int32_t* reg = micro.operands; reg != end; ++reg) {
      if (std::find(micro.operands, reg, *reg) != reg || *reg < first_micro()) continue;
      if (last[static_cast<size_t>(*reg)] != static_cast<int64_t>(i)) continue;
      const Micro& from = micros_[static_cast<size_t>(*reg - first_micro())];
      if (from.kept == Kept::BLOCK) free.push_back(from.at);
    }
    if (micro.kept == Kept::TILE) micro.at = tile_buffers_++;
    if (micro.kept != Kept::BLOCK) continue;
    if (free.empty()) {
      micro.at = block_buffers_++;
    } else {
      micro.at = free.back();
      free.pop_back();
    }
  }
  for (Output& output : outputs_) {
    const auto reg = static_cast<size_t>(output.reg);
    const bool scalar = reg < inputs_.size() ? inputs_[reg].source == Source::SCALAR : output.reg < first_micro();
    if (scalar) output.fill = tile_buffers_++;
  }
  choose_tile();
  // One more tile of the widest element stages strided inputs of another dtype.
  reader.need_worker(tile_ * (tile_buffers_ * static_cast<int64_t>(sizeof(T)) + 8) +
                     block_buffers_ * kChainBlock * static_cast<int64_t>(sizeof(T)));
}

/** Whole blocks, and whole periods of the inputs that repeat where that is possible. */
template <class T>
void Fused<T>::choose_tile() {
  const int64_t most = kTileBytes / (std::max(1, tile_buffers_) * static_cast<int64_t>(sizeof(T)));
  tile_ = std::clamp(most / kChainBlock * kChainBlock, kChainBlock, kMaxTile);
  for (const Input& input : inputs_) {
    if (input.source != Source::PERIODIC || input.period > tile_) continue;
    const int64_t both = std::lcm(input.period, kChainBlock);
    const int64_t unit = both <= tile_ ? both : input.period;
    tile_ = tile_ / unit * unit;
    break;
  }
  for (Input& input : inputs_) {
    if (input.source == Source::PERIODIC && tile_ % input.period != 0) input.source = Source::STRIDED;
  }
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

template <class T>
void Fused<T>::run_tiles(RunContext& context, int64_t first, int64_t last, int worker) const noexcept {
  const Kernels<T>& kernels = context.table<T>();
  T* const buffers = reinterpret_cast<T*>(context.scratch(worker));
  T* const blocks = buffers + tile_buffers_ * tile_;
  std::byte* const staging = reinterpret_cast<std::byte*>(blocks + block_buffers_ * kChainBlock);
  const auto buffer = [&](int i) { return buffers + i * tile_; };
  const int64_t widest = std::min(tile_, elements_ - first * tile_);
  const size_t computed = inputs_.size() + constants_.size();
  T values[kMaxInputs];  // of inputs that are one value
  ChainOperand<const T> regs[kMaxInputs + kMaxConstants + kMaxMicros];
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    if (input.source == Source::SCALAR) {
      kernels.load(&values[i], context.at<std::byte>(input.memory), input.dtype, 1);
      regs[i] = {&values[i], 0, true};
    } else if (input.source == Source::PERIODIC) {
      T* const tile = buffer(input.buffer);
      const int64_t once = std::min(input.period, widest);
      kernels.load(tile, context.at<std::byte>(input.memory), input.dtype, once);
      for (int64_t k = once; k < widest; k += input.period) {
        std::memcpy(tile + k, tile, static_cast<size_t>(std::min(input.period, widest - k)) * sizeof(T));
      }
      regs[i] = {tile, -1, false};
    }
  }
  for (size_t i = 0; i < constants_.size(); ++i) regs[inputs_.size() + i] = {&constants_[i], 0, true};
  for (const Output& output : outputs_) {
    if (output.fill >= 0) std::fill_n(buffer(output.fill), widest, *regs[output.reg].data);
  }
  const auto result = [&](const Micro& micro, int64_t begin) -> ChainOperand<T> {
    switch (micro.kept) {
      case Kept::BLOCK: return {blocks + micro.at * kChainBlock, 0, false};
      case Kept::TILE: return {buffer(micro.at), -1, false};
      case Kept::OUTPUT: return {context.at<T>(outputs_[static_cast<size_t>(micro.at)].memory) + begin, -1, false};
      default: return {nullptr, 0, false};
    }
  };
  ChainStep<T> steps[kMaxMicros];
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t begin = tile * tile_;
    const int64_t count = std::min(tile_, elements_ - begin);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = inputs_[i];
      if (input.source == Source::DIRECT) {
        regs[i] = {context.at<T>(input.memory) + begin, -1, false};
      } else if (input.source == Source::CONVERTED || input.source == Source::STRIDED) {
        regs[i] = {load_tile(input, context, buffer(input.buffer), staging, begin, count), -1, false};
      }
    }
    for (size_t i = 0; i < micros_.size(); ++i) {
      const Micro& micro = micros_[i];
      const auto operand = [&](int o) -> ChainOperand<const T> {
        const bool memory = o < micro.arity && !(o == 0 && micro.chained);
        return memory ? regs[micro.operands[o]] : ChainOperand<const T>{nullptr, 0, false};
      };
      steps[i] = {micro.code, operand(0), operand(1), operand(2), result(micro, begin)};
      regs[computed + i] = {steps[i].out.data, steps[i].out.moves, false};
    }
    kernels.chain(steps, static_cast<int>(micros_.size()), count);
    for (const Output& output : outputs_) {
      if (output.direct) continue;
      std::byte* out = context.at<std::byte>(output.memory) + begin * dtype_bytes(output.dtype);
      kernels.store(out, output.dtype, output.fill >= 0 ? buffer(output.fill) : regs[output.reg].data, count);
    }
  }
}

template class Fused<float>;
template class Fused<double>;
template class Fused<int32_t>;

namespace {

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
