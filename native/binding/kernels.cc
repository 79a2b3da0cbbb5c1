#include "kernels.h"

#include <string>

#include "../base/checked.h"
#include "conversions.h"
#include "environment.h"

namespace neurite {
namespace {

constexpr uint32_t kMaxViews = 1 << 16;

bool holds(napi_typedarray_type type, DType dtype) {
  switch (dtype) {
    case DType::FLOAT32: return type == napi_float32_array;
    case DType::FLOAT64: return type == napi_float64_array;
    case DType::INT32: return type == napi_int32_array;
    default: return type == napi_uint8_array;  // uint8 and bool
  }
}

[[noreturn]] void refuse(uint32_t slot, const char* why) {
  throw JsError("ERR_NEURITE_BINDING", "array " + std::to_string(slot) + " " + why);
}

/** The memory of a view; refuses what the program could outgrow or another thread could change meanwhile. */
Binding to_binding(napi_env env, napi_value view, const Slot& slot, uint32_t index) {
  bool is_typed = false;
  check(env, napi_is_typedarray(env, view, &is_typed));
  if (!is_typed) refuse(index, "is not a typed array");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_value buffer;
  check(env, napi_get_typedarray_info(env, view, &type, &length, &data, &buffer, nullptr));
  if (!holds(type, slot.dtype)) refuse(index, "has another element type than its slot");
  bool is_private = false;  // false for a SharedArrayBuffer: a checked index must not change before its use
  check(env, napi_is_arraybuffer(env, buffer, &is_private));
  if (!is_private) refuse(index, "is on shared memory");
  bool detached = false;
  check(env, napi_is_detached_arraybuffer(env, buffer, &detached));
  if (detached) refuse(index, "is detached");
  if (static_cast<int64_t>(length) < slot.elements) refuse(index, "is too short");
  return {static_cast<std::byte*>(data), slot.bytes};
}

void refuse_overlap(const Program& program, const std::vector<Binding>& bindings) {
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    if (!program.slots[i].write) continue;
    const Binding& out = bindings[i];
    for (uint32_t j = 0; j < bindings.size(); ++j) {
      const Binding& other = bindings[j];
      if (j != i && out.data < other.data + other.bytes && other.data < out.data + out.bytes) {
        refuse(i, "is written and shares memory with another");
      }
    }
  }
}

}  // namespace

napi_value run_views(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Environment& environment = Environment::of(env);
  const std::shared_ptr<const Program> program = environment.unwrap(arguments[0]);
  uint32_t count = 0;
  if (napi_get_array_length(env, arguments[1], &count) != napi_ok || count > kMaxViews ||
      count != program->slots.size()) {
    throw JsError("ERR_NEURITE_BINDING", "expected an array of " + std::to_string(program->slots.size()) + " views");
  }
  // A getter could run JavaScript in between, even this function: not the environment's scratch list, and every pointer
  // is taken before the first is used.
  std::vector<napi_value> views(count);
  for (uint32_t i = 0; i < count; ++i) check(env, napi_get_element(env, arguments[1], i, &views[i]));
  std::vector<Binding> bindings(count);
  for (uint32_t i = 0; i < count; ++i) bindings[i] = to_binding(env, views[i], program->slots[i], i);
  refuse_overlap(*program, bindings);
  const RunStatus status = environment.queue().run_now(*program, bindings, 1);
  return status.ok() ? nullptr : to_js(env, status, 0);
}

}  // namespace neurite
