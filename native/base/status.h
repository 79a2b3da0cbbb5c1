// What can stop a run. Programs are verified when loaded, so these are the only run-time failures.
#pragma once
#include <cstdint>

namespace neurite {

enum class RunCode : int32_t {
  OK = 0,
  INDEX,       // an index or label outside its range; value = the index
  NON_FINITE,  // CHECK_FINITE met a NaN or infinity; value = it
  SINGULAR,    // a matrix that cannot be factorised; position = matrix, value = row of the pivot
  MEMORY,      // the arena does not fit the limit or the machine; value = bytes asked for
  BINDING,     // the buffers given do not fit the program's slots; position = slot, value = bytes needed
  ABORTED,     // the environment is shutting down
  DEPENDENCY,  // a run this one depends on failed; value = its id
};

struct RunStatus {
  RunCode code = RunCode::OK;
  int64_t instruction = -1;
  int64_t step = 0;
  int64_t position = -1;
  double value = 0;

  bool ok() const noexcept { return code == RunCode::OK; }
};

}  // namespace neurite
