// Reads the words of one instruction and checks every one of them.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "instruction.h"
#include "program.h"

namespace neurite {

inline constexpr int32_t kNone = std::numeric_limits<int32_t>::min();
inline constexpr int kMaxRank = 8;

/** Shape and element strides of a window on memory. */
struct View {
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};
  int64_t offset = 0;

  int64_t elements() const noexcept {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
};

enum class Access {
  READ,
  READ_ALIASED,  // an output may be exactly this range
  WRITE,
  UPDATE,  // read and written in place
};

class InstructionReader {
 public:
  /** `written[s]`: an earlier instruction wrote slot s. */
  InstructionReader(Program& program, std::span<const int32_t> words, const std::vector<bool>& written);

  Opcode opcode() const noexcept { return static_cast<Opcode>(words_[0]); }
  DType dtype() const noexcept { return dtype_; }
  /** @throws ProgramError when the instruction does not compute in one of these. */
  void expect_dtype(std::initializer_list<DType> allowed) const;

  int32_t word(const char* what);
  int64_t size(const char* what);
  bool flag(const char* what);
  double f64(const char* what);
  int32_t choice(const char* what, int32_t first, int32_t last);
  DType dtype_word(const char* what);
  /** Reads view.rank dimensions. */
  void view_dims(View& view);
  /** Strides and offset are read apart, because instructions order them differently. */
  void view_strides(View& view);

  /** Product of sizes. @throws ProgramError when it does not fit int64. */
  int64_t product(std::initializer_list<int64_t> sizes) const;

  /** The memory an operand word names, checked to hold elements [0, elements) of dtype. */
  Operand operand(int32_t word, const char* what, DType dtype, int64_t elements, Access access);
  Operand input(const char* what, DType dtype, int64_t elements, Access access = Access::READ) {
    return operand(word(what), what, dtype, elements, access);
  }
  Operand output(const char* what, DType dtype, int64_t elements) {
    return operand(word(what), what, dtype, elements, Access::WRITE);
  }
  /** Absent when the word is NONE. */
  Operand optional(const char* what, DType dtype, int64_t elements, Access access);
  /** A strided window; view.offset is in elements of the operand. */
  Operand window(int32_t word, const char* what, DType dtype, const View& view, Access access);

  void need_shared(int64_t bytes);
  void need_worker(int64_t bytes);

  [[noreturn]] void fail(const std::string& reason) const;

  /** Checks that all words were read and that no output overlaps anything it must not. */
  void finish();

  bool writes_inout() const noexcept;
  const std::vector<int32_t>& written_slots() const noexcept { return written_slots_; }

 private:
  struct Range {
    int32_t base;
    int64_t begin, end;
    Access access;
    const char* what;
  };

  Operand access(int32_t word, const char* what, DType dtype, int64_t first, int64_t last, Access access);

  Program& program_;
  std::span<const int32_t> words_;
  const std::vector<bool>& written_;
  size_t position_ = 3;
  DType dtype_;
  std::vector<Range> ranges_;
  std::vector<int32_t> written_slots_;
};

}  // namespace neurite
