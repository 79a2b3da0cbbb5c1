// JavaScript values to C++ and back, and the exceptions that become JavaScript errors in guard().
#pragma once
#include <node_api.h>

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "../program/executor.h"
#include "../program/run_queue.h"

namespace neurite {

/** Becomes a JavaScript Error with `code`. */
class JsError : public std::exception {
 public:
  JsError(const char* code, std::string message) : code_(code), message_(std::move(message)) {}
  const char* code() const noexcept { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  const char* code_;
  std::string message_;
};

/** A JavaScript exception is already pending. */
class PendingException : public std::exception {};

/** @throws PendingException or JsError when a Node-API call failed. */
void check(napi_env env, napi_status status);

/** Arguments of a call; missing ones are undefined. */
template <size_t N>
struct Arguments {
  napi_value values[N];
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = N;
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
  }
  napi_value operator[](size_t i) const noexcept { return values[i]; }
};

napi_value undefined(napi_env env);
napi_value to_js(napi_env env, double value);
napi_value to_js(napi_env env, const std::string& text);
napi_value to_js(napi_env env, const std::vector<Failure>& failures);
/** What stopped a run; `id` is added for a queued one (0: none). */
napi_value to_js(napi_env env, const RunStatus& status, int64_t id);
void set(napi_env env, napi_value object, const char* name, napi_value value);
napi_value get(napi_env env, napi_value object, const char* name);
bool is_undefined(napi_env env, napi_value value);

/** A whole number in [low, high]. @throws JsError naming `what`. */
int64_t to_integer(napi_env env, napi_value value, const char* what, int64_t low, int64_t high);
std::string to_text(napi_env env, napi_value value, const char* what);
/** A copy of an Int32Array: what is verified must not change afterwards. */
std::vector<int32_t> to_words(napi_env env, napi_value value);
std::vector<int64_t> to_ids(napi_env env, napi_value value);
/** Memory of an ArrayBuffer, or of a Uint8Array on one. */
Binding to_binding(napi_env env, napi_value value, uint32_t position);
void to_bindings(napi_env env, napi_value array, std::vector<Binding>& out);
/** `array` with undefined where a slot stays open. Fills a fresh array with the buffers that were given. */
napi_value to_fixed_bindings(napi_env env, napi_value array, std::vector<Binding>& out, std::vector<size_t>& open);

/** Throws ERR_NEURITE_BINDING when the buffers do not fit. */
void require_bound(const RunStatus& status, size_t given);

}  // namespace neurite
