#include "conversions.h"

#include <cmath>

namespace neurite {
namespace {

constexpr int64_t kMaxId = int64_t{1} << 53;

const char* code_name(RunCode code) {
  switch (code) {
    case RunCode::OK: return "ok";
    case RunCode::INDEX: return "index";
    case RunCode::NON_FINITE: return "nonFinite";
    case RunCode::SINGULAR: return "singular";
    case RunCode::MEMORY: return "memory";
    case RunCode::BINDING: return "binding";
    case RunCode::ABORTED: return "aborted";
    case RunCode::DEPENDENCY: return "dependency";
  }
  return "unknown";
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string describe(const RunStatus& status) {
  const std::string at = " at position " + std::to_string(status.position);
  switch (status.code) {
    case RunCode::INDEX: return "index " + number(status.value) + at + " is out of range";
    case RunCode::NON_FINITE: return "value " + number(status.value) + at + " is not finite";
    case RunCode::SINGULAR: return "matrix" + at + " has no usable pivot in row " + number(status.value);
    case RunCode::MEMORY:
      return "the program needs " + number(status.value) +
             " bytes of working memory, more than the limit or the machine has";
    case RunCode::ABORTED: return "the environment is shutting down";
    case RunCode::DEPENDENCY: return "run " + number(status.value) + ", which this one depends on, failed";
    default: return code_name(status.code);
  }
}

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

uint32_t array_length(napi_env env, napi_value value, const char* what) {
  bool is_array = false;
  check(env, napi_is_array(env, value, &is_array));
  if (!is_array) throw JsError("ERR_NEURITE_ARGUMENT", std::string(what) + ": expected an array");
  uint32_t length = 0;
  check(env, napi_get_array_length(env, value, &length));
  return length;
}

}  // namespace

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  if (status == napi_pending_exception || (napi_is_exception_pending(env, &pending) == napi_ok && pending)) {
    throw PendingException();
  }
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw JsError("ERR_NEURITE_ARGUMENT",
                info != nullptr && info->error_message != nullptr ? info->error_message : "Node-API call failed");
}

napi_value undefined(napi_env env) {
  napi_value out;
  check(env, napi_get_undefined(env, &out));
  return out;
}

napi_value to_js(napi_env env, double value) {
  napi_value out;
  check(env, napi_create_double(env, value, &out));
  return out;
}

napi_value to_js(napi_env env, const std::string& text) {
  napi_value out;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &out));
  return out;
}

napi_value to_js(napi_env env, const RunStatus& status, int64_t id) {
  napi_value out;
  check(env, napi_create_object(env, &out));
  if (id != 0) set(env, out, "id", to_js(env, static_cast<double>(id)));
  set(env, out, "code", to_js(env, std::string(code_name(status.code))));
  set(env, out, "instruction", to_js(env, static_cast<double>(status.instruction)));
  set(env, out, "step", to_js(env, static_cast<double>(status.step)));
  set(env, out, "position", to_js(env, static_cast<double>(status.position)));
  set(env, out, "value", to_js(env, status.value));
  if (status.code == RunCode::DEPENDENCY) set(env, out, "cause", to_js(env, status.value));
  set(env, out, "message", to_js(env, describe(status)));
  return out;
}

napi_value to_js(napi_env env, const std::vector<Failure>& failures) {
  napi_value out;
  check(env, napi_create_array_with_length(env, failures.size(), &out));
  for (uint32_t i = 0; i < failures.size(); ++i) {
    check(env, napi_set_element(env, out, i, to_js(env, failures[i].status, failures[i].id)));
  }
  return out;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

napi_value get(napi_env env, napi_value object, const char* name) {
  napi_value out;
  check(env, napi_get_named_property(env, object, name, &out));
  return out;
}

bool is_undefined(napi_env env, napi_value value) { return type_of(env, value) == napi_undefined; }

int64_t to_integer(napi_env env, napi_value value, const char* what, int64_t low, int64_t high) {
  double number_value = std::nan("");
  napi_get_value_double(env, value, &number_value);  // not a number: stays NaN and is refused below
  if (!(number_value >= static_cast<double>(low) && number_value <= static_cast<double>(high)) ||
      number_value != std::floor(number_value)) {
    throw JsError("ERR_NEURITE_ARGUMENT", std::string(what) + ": got " + number(number_value) +
                                              ", expected a whole number from " + std::to_string(low) + " to " +
                                              std::to_string(high));
  }
  return static_cast<int64_t>(number_value);
}

std::string to_text(napi_env env, napi_value value, const char* what) {
  if (type_of(env, value) != napi_string)
    throw JsError("ERR_NEURITE_ARGUMENT", std::string(what) + ": expected a string");
  size_t length = 0;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length + 1, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  return text;
}

std::vector<int32_t> to_words(napi_env env, napi_value value) {
  bool is_typed = false;
  check(env, napi_is_typedarray(env, value, &is_typed));
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (is_typed) check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != napi_int32_array) throw JsError("ERR_NEURITE_ARGUMENT", "program: expected an Int32Array");
  const auto* words = static_cast<const int32_t*>(data);
  return {words, words + length};
}

std::vector<int64_t> to_ids(napi_env env, napi_value value) {
  std::vector<int64_t> ids;
  if (is_undefined(env, value)) return ids;
  const uint32_t length = array_length(env, value, "dependsOn");
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    check(env, napi_get_element(env, value, i, &element));
    ids.push_back(to_integer(env, element, "dependsOn", 1, kMaxId));
  }
  return ids;
}

Binding to_binding(napi_env env, napi_value value, uint32_t position) {
  void* data = nullptr;
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, value, &data, &bytes) != napi_ok) {
    napi_typedarray_type type = napi_int8_array;
    if (napi_get_typedarray_info(env, value, &type, &bytes, &data, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array) {
      throw JsError("ERR_NEURITE_ARGUMENT", "buffers[" + std::to_string(position) + "]: expected an ArrayBuffer");
    }
  }
  return {static_cast<std::byte*>(data), static_cast<int64_t>(bytes)};
}

void to_bindings(napi_env env, napi_value array, std::vector<Binding>& out) {
  const uint32_t length = array_length(env, array, "buffers");
  out.clear();
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    check(env, napi_get_element(env, array, i, &element));
    out.push_back(to_binding(env, element, i));
  }
}

napi_value to_fixed_bindings(napi_env env, napi_value array, std::vector<Binding>& out, std::vector<size_t>& open) {
  const uint32_t length = array_length(env, array, "buffers");
  napi_value copy;
  check(env, napi_create_array_with_length(env, length, &copy));
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    check(env, napi_get_element(env, array, i, &element));
    check(env, napi_set_element(env, copy, i, element));
    if (is_undefined(env, element)) {
      out.push_back({nullptr, 0});
      open.push_back(i);
    } else {
      out.push_back(to_binding(env, element, i));
    }
  }
  return copy;
}

void require_bound(const RunStatus& status, size_t given) {
  if (status.ok()) return;
  std::string message;
  if (status.position < 0) {
    message = "got " + std::to_string(given) + " buffers, expected " + number(status.value);
  } else {
    const std::string slot = "buffer " + std::to_string(status.position);
    message = status.value < 0 ? slot + " shares memory with another and one of the two is written"
                               : slot + " is too small: its slot takes " + number(status.value) +
                                     " bytes from the first 64-byte boundary on";
  }
  throw JsError("ERR_NEURITE_BINDING", message);
}

}  // namespace neurite
