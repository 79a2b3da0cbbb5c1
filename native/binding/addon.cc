// The addon's functions. Every one runs inside guard(), the only place where C++ exceptions become JavaScript errors.
#include <node_api.h>

#include <new>

#include "../base/aligned.h"
#include "../base/cpu_features.h"
#include "../program/runtime.h"
#include "conversions.h"
#include "environment.h"
#include "kernels.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace neurite {
namespace {

constexpr int64_t kMaxSteps = 2147483647;
constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "gcc " __VERSION__;
#else
constexpr const char* kCompiler = "msvc";
#endif

using Function = napi_value (*)(napi_env, napi_callback_info);

template <Function function>
napi_value guard(napi_env env, napi_callback_info info) noexcept {
  try {
    return function(env, info);
  } catch (const PendingException&) {
  } catch (const JsError& error) {
    napi_throw_error(env, error.code(), error.what());
  } catch (const ProgramError& error) {
    napi_throw_error(env, "ERR_NEURITE_PROGRAM", error.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_NEURITE_MEMORY", "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NEURITE", error.what());
  }
  return nullptr;
}

napi_value info(napi_env env, napi_callback_info) {
  napi_value out;
  check(env, napi_create_object(env, &out));
  const Runtime& runtime = Runtime::instance();
  const CpuFeatures& cpu = cpu_features();
  set(env, out, "version", to_js(env, std::string(NEURITE_VERSION)));
  set(env, out, "isa", to_js(env, std::string(runtime.kernels().name)));
  napi_value isas;
  check(env, napi_create_array(env, &isas));
  for (int i = 0; const KernelTable* table = table_at(i); ++i) {
    check(env, napi_set_element(env, isas, static_cast<uint32_t>(i), to_js(env, std::string(table->name))));
  }
  set(env, out, "isas", isas);
  set(env, out, "threads", to_js(env, runtime.threads()));
  set(env, out, "vendor", to_js(env, std::string(cpu.vendor)));
  set(env, out, "cpu", to_js(env, std::string(cpu.brand)));
  set(env, out, "compiler", to_js(env, std::string(kCompiler)));
  return out;
}

napi_value configure(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const napi_value threads = get(env, arguments[0], "threads");
  const napi_value isa = get(env, arguments[0], "isa");
  const napi_value limit = get(env, arguments[0], "memoryLimit");
  // Everything is checked before anything is changed.
  const int64_t new_threads = is_undefined(env, threads) ? 0 : to_integer(env, threads, "threads", 1, kMaxThreads);
  const int64_t new_limit = is_undefined(env, limit) ? 0 : to_integer(env, limit, "memoryLimit", 1, kMaxSafeInteger);
  Runtime& runtime = Runtime::instance();
  if (!is_undefined(env, isa)) {
    const std::string name = to_text(env, isa, "isa");
    const std::string why = runtime.set_isa(name);
    if (!why.empty()) throw JsError("ERR_NEURITE_ISA", "isa '" + name + "': " + why);
  }
  if (new_threads != 0) runtime.set_threads(static_cast<int>(new_threads));
  if (new_limit != 0) runtime.set_memory_limit(new_limit);
  return nullptr;
}

napi_value load(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  return Environment::of(env).wrap(Program::load(to_words(env, arguments[0])));
}

napi_value run(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Environment& environment = Environment::of(env);
  const std::shared_ptr<const Program>& program = environment.unwrap(arguments[0]);
  std::vector<Binding>& bindings = environment.scratch_bindings();
  to_bindings(env, arguments[1], bindings);
  const int64_t steps = to_integer(env, arguments[2], "steps", 1, kMaxSteps);
  require_bound(Executor::bind(*program, bindings, steps), bindings.size());
  const RunStatus status = environment.queue().run_now(*program, bindings, steps);
  return status.ok() ? nullptr : to_js(env, status, 0);
}

napi_value frame(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Environment& environment = Environment::of(env);
  const std::shared_ptr<const Program>& program = environment.unwrap(arguments[0]);
  std::vector<Binding> bindings;
  std::vector<size_t> open;
  const napi_value buffers = to_fixed_bindings(env, arguments[1], bindings, open);
  if (bindings.size() != program->slots.size()) {
    RunStatus wrong;
    wrong.code = RunCode::BINDING;
    wrong.value = static_cast<double>(program->slots.size());
    require_bound(wrong, bindings.size());
  }
  Frame frame(program, std::move(bindings), std::move(open));
  require_bound(frame.status(), program->slots.size());
  return environment.wrap(std::move(frame), buffers);
}

napi_value run_frame(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Environment& environment = Environment::of(env);
  Frame& frame = environment.unwrap_frame(arguments[0]);
  std::vector<Binding>& open = environment.scratch_bindings();
  to_bindings(env, arguments[1], open);
  require_bound(frame.bind(open), open.size());
  const RunStatus status = environment.queue().run_now(frame.program(), frame.bindings(), 1);
  return status.ok() ? nullptr : to_js(env, status, 0);
}

napi_value enqueue(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Environment& environment = Environment::of(env);
  QueuedRun run;
  run.program = environment.unwrap(arguments[0]);
  to_bindings(env, arguments[1], run.bindings);
  run.steps = to_integer(env, arguments[2], "steps", 1, kMaxSteps);
  run.id = to_integer(env, arguments[3], "id", 1, kMaxSafeInteger);
  run.depends_on = to_ids(env, arguments[4]);
  require_bound(Executor::bind(*run.program, run.bindings, run.steps), run.bindings.size());
  environment.push(std::move(run));
  return nullptr;
}

napi_value on_complete(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  napi_valuetype type;
  check(env, napi_typeof(env, arguments[0], &type));
  if (type != napi_function) throw JsError("ERR_NEURITE_ARGUMENT", "onComplete: expected a function");
  Environment::of(env).on_complete(arguments[0]);
  return nullptr;
}

napi_value wait(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const int64_t depth = to_integer(env, arguments[0], "depth", 0, kMaxSafeInteger);
  return to_js(env, static_cast<double>(Environment::of(env).queue().wait(static_cast<size_t>(depth))));
}

napi_value take_completions(napi_env env, napi_callback_info) {
  const RunQueue::Completions done = Environment::of(env).take();
  napi_value out;
  check(env, napi_create_object(env, &out));
  set(env, out, "lastId", to_js(env, static_cast<double>(done.last_id)));
  set(env, out, "failures", to_js(env, done.failures));
  return out;
}

/** Memory of the one argument, an ArrayBuffer. */
std::pair<void*, size_t> buffer_argument(napi_env env, napi_callback_info info, const char* function) {
  const Arguments<1> arguments(env, info);
  void* data = nullptr;
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, arguments[0], &data, &bytes) != napi_ok) {
    throw JsError("ERR_NEURITE_ARGUMENT", std::string(function) + ": expected an ArrayBuffer");
  }
  return {data, bytes};
}

napi_value align_offset(napi_env env, napi_callback_info info) {
  const auto address = reinterpret_cast<uintptr_t>(buffer_argument(env, info, "alignOffset").first);
  return to_js(env, static_cast<double>((kAlign - address % kAlign) % kAlign));
}

napi_value prefer_huge_pages(napi_env env, napi_callback_info info) {
  const auto [data, bytes] = buffer_argument(env, info, "preferHugePages");
  neurite::prefer_huge_pages(data, static_cast<int64_t>(bytes));
  return nullptr;
}

napi_value arena_bytes(napi_env env, napi_callback_info) {
  return to_js(env, static_cast<double>(Environment::of(env).queue().executor().arena_bytes()));
}

napi_value trim_arena(napi_env env, napi_callback_info) {
  RunQueue& queue = Environment::of(env).queue();
  queue.wait(0);
  queue.executor().trim();
  return nullptr;
}

// Pool threads outlive every environment; the code they stand in must not be unloaded with the last worker.
void stay_loaded() noexcept {
#if defined(_WIN32)
  HMODULE self;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCSTR>(&stay_loaded), &self);
#else
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &self) != 0) dlopen(self.dli_fname, RTLD_LAZY | RTLD_NODELETE);
#endif
}

template <Function function>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value value;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, guard<function>, nullptr, &value));
  set(env, exports, name, value);
}

napi_value initialize(napi_env env, napi_callback_info) {
  stay_loaded();
  const std::string& problem = Runtime::instance().startup_error();
  if (!problem.empty()) {
    throw JsError(problem.rfind("NEURITE_ISA", 0) == 0 ? "ERR_NEURITE_ISA" : "ERR_NEURITE_ARGUMENT", problem);
  }
  napi_value exports;
  check(env, napi_create_object(env, &exports));
  Environment::create(env);
  define<info>(env, exports, "info");
  define<configure>(env, exports, "configure");
  define<load>(env, exports, "load");
  define<run>(env, exports, "run");
  define<run_views>(env, exports, "runViews");
  define<frame>(env, exports, "frame");
  define<run_frame>(env, exports, "runFrame");
  define<enqueue>(env, exports, "enqueue");
  define<on_complete>(env, exports, "onComplete");
  define<wait>(env, exports, "wait");
  define<take_completions>(env, exports, "takeCompletions");
  define<align_offset>(env, exports, "alignOffset");
  define<prefer_huge_pages>(env, exports, "preferHugePages");
  define<arena_bytes>(env, exports, "arenaBytes");
  define<trim_arena>(env, exports, "trimArena");
  return exports;
}

}  // namespace
}  // namespace neurite

NAPI_MODULE_INIT() {
  (void)exports;
  return neurite::guard<neurite::initialize>(env, nullptr);
}
