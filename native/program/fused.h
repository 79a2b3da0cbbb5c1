// FUSED: an elementwise expression evaluated block by block, so that intermediates stay in registers and the L1 cache.
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
    int buffer;      // tile buffer of CONVERTED, PERIODIC and STRIDED ones
    int64_t period;  // PERIODIC: elements after which it repeats; a tile is a multiple
  };
  /** Where the result of a micro-operation is kept beside the vector registers, which hold it for the next one. */
  enum class Kept { NOWHERE, BLOCK, TILE, OUTPUT };
  struct Micro {
    int32_t code;
    int32_t operands[3];  // registers
    int arity = 0;
    bool chained = false;  // the first operand is the result of the micro-operation before
    Kept kept = Kept::NOWHERE;
    int32_t at = 0;  // number of the buffer or output
  };
  struct Output {
    Operand memory;
    DType dtype;
    int32_t reg;
    bool direct;
    int fill;  // tile buffer that holds the one value of its register, or -1
  };

  void classify(Input& input) const;
  std::vector<int64_t> last_uses() const;
  void choose_direct_outputs();
  void chain_micros();
  void plan_buffers(InstructionReader& reader);
  void choose_tile();
  int32_t first_micro() const { return static_cast<int32_t>(inputs_.size() + constants_.size()); }
  void run_tiles(RunContext& context, int64_t first, int64_t last, int worker) const noexcept;
  const T* load_tile(const Input& input, const RunContext& context, T* buffer, std::byte* staging, int64_t begin,
                     int64_t count) const noexcept;

  int64_t elements_;
  int64_t tile_ = 0;
  int64_t tiles_per_task_ = 1;
  int tile_buffers_ = 0;
  int block_buffers_ = 0;
  std::vector<Input> inputs_;
  std::vector<T> constants_;
  std::vector<Micro> micros_;
  std::vector<Output> outputs_;
};

}  // namespace neurite
