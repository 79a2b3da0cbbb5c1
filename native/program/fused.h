// FUSED: an elementwise expression evaluated tile by tile, so that intermediates stay in the L1 cache.
#pragma once
#include <vector>

#include "instruction.h"
#include "reader.h"

namespace neurite {

/** What the parser hands to the interpreter: registers are inputs, constants, micro results, in that order. */
struct FusedPlan {
  struct Input {
    Operand memory;  // of element 0 of the window
    DType dtype;
    View view;
  };
  struct Micro {
    int32_t code;
    int32_t operands[3];  // -1: unused
  };
  struct Output {
    Operand memory;
    DType dtype;
    int32_t reg;
  };
  int64_t elements = 0;
  std::vector<Input> inputs;
  std::vector<double> constants;
  std::vector<Micro> micros;
  std::vector<Output> outputs;
};

/** The interpreter with registers of type T: float, double or int32_t. */
template <class T>
class Fused final : public Instruction {
 public:
  Fused(const FusedPlan& plan, InstructionReader& reader);
  void run(RunContext& context) const noexcept override;

 private:
  enum class Source { DIRECT, CONVERTED, SCALAR, PERIODIC, STRIDED };
  struct Input {
    Operand memory;
    DType dtype;
    Source source;
    View view;
    int buffer;      // tile buffer, or -1 when DIRECT
    int64_t period;  // PERIODIC: elements after which it repeats; a tile is a multiple
  };
  struct Micro {
    int32_t code;
    int32_t a, b, c;
    int32_t buffer;  // tile buffer of the result, or -1 - (output written directly)
  };
  struct Output {
    Operand memory;
    DType dtype;
    int32_t reg;
    bool direct;
  };

  void classify(Input& input) const;
  void plan_buffers(InstructionReader& reader);
  std::vector<int64_t> last_uses() const;
  void choose_direct_outputs();
  void fetch_tile(const RunContext& context, int64_t begin) const noexcept;
  void run_tiles(RunContext& context, int64_t first, int64_t last, int worker) const noexcept;
  const T* load_tile(const Input& input, const RunContext& context, T* buffer, std::byte* staging, int64_t begin,
                     int64_t count) const noexcept;

  int64_t elements_;
  int64_t tile_ = 0;
  int64_t tiles_per_task_ = 1;
  int buffers_ = 0;
  std::vector<Input> inputs_;
  std::vector<T> constants_;
  std::vector<int> constant_buffers_;
  std::vector<Micro> micros_;
  std::vector<Output> outputs_;
};

}  // namespace neurite
