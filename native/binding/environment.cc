#include "environment.h"

#include "conversions.h"

namespace neurite {

Environment::Environment(napi_env env)
    : env_(env),
      live_(std::make_shared<std::unordered_set<const void*>>()),
      live_frames_(std::make_shared<std::unordered_set<const void*>>()),
      queue_([this] {
        // Refused only while the environment closes; nobody is left to tell then.
        napi_call_threadsafe_function(channel_, nullptr, napi_tsfn_nonblocking);
      }) {}

Environment& Environment::create(napi_env env) {
  std::unique_ptr<Environment> owned(new Environment(env));
  owned->open_channel();
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
  check(env, napi_set_instance_data(env, owned.get(), finalize, nullptr));
  return *owned.release();
}

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::open_channel() {
  napi_value name;
  check(env_, napi_create_string_utf8(env_, "neurite", NAPI_AUTO_LENGTH, &name));
  check(env_, napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                              &Environment::deliver, &channel_));
  check(env_, napi_unref_threadsafe_function(env_, channel_));
  // Hooks run last in, first out: the queue's thread is joined before the channel it calls goes away.
  check(env_, napi_add_env_cleanup_hook(env_, [](void* self) { static_cast<Environment*>(self)->close(); }, this));
}

void Environment::close() noexcept {
  queue_.stop();
  napi_release_threadsafe_function(channel_, napi_tsfn_abort);
}

template <class Handle>
napi_value Environment::wrap(std::unique_ptr<Handle> handle) {
  napi_value object;
  check(env_, napi_create_object(env_, &object));
  handle->live->insert(handle.get());
  const auto finalize = [](napi_env, void* data, void*) {
    const std::unique_ptr<Handle> dead(static_cast<Handle*>(data));
    dead->live->erase(data);
  };
  const napi_status status = napi_wrap(env_, object, handle.get(), finalize, nullptr, nullptr);
  if (status != napi_ok) handle->live->erase(handle.get());
  check(env_, status);
  handle.release();
  return object;
}

napi_value Environment::wrap(std::shared_ptr<const Program> program) {
  return wrap(std::make_unique<ProgramHandle>(ProgramHandle{std::move(program), live_}));
}

napi_value Environment::wrap(Frame frame, napi_value buffers) {
  const napi_value object = wrap(std::make_unique<FrameHandle>(FrameHandle{std::move(frame), live_frames_}));
  // A property that nothing can replace, holding an array that nothing can change: as long as the frame is reachable,
  // so is the memory it points to, and no reference has to be counted.
  check(env_, napi_object_freeze(env_, buffers));
  napi_property_descriptor property{"buffers", nullptr, nullptr, nullptr, nullptr, buffers, napi_default, nullptr};
  check(env_, napi_define_properties(env_, object, 1, &property));
  return object;
}

Frame& Environment::unwrap_frame(napi_value object) const {
  void* data = nullptr;
  if (napi_unwrap(env_, object, &data) != napi_ok || live_frames_->count(data) == 0) {
    throw JsError("ERR_NEURITE_ARGUMENT", "frame: expected what frame() returned");
  }
  return static_cast<FrameHandle*>(data)->frame;
}

const std::shared_ptr<const Program>& Environment::unwrap(napi_value object) const {
  void* data = nullptr;
  if (napi_unwrap(env_, object, &data) != napi_ok || live_->count(data) == 0) {
    throw JsError("ERR_NEURITE_ARGUMENT", "program: expected what load() returned");
  }
  return static_cast<const ProgramHandle*>(data)->program;
}

void Environment::push(QueuedRun run) {
  queue_.push(std::move(run));
  if (referenced_) return;
  referenced_ = true;
  check(env_, napi_ref_threadsafe_function(env_, channel_));
}

void Environment::on_complete(napi_value callback) {
  if (callback_ != nullptr) check(env_, napi_delete_reference(env_, callback_));
  callback_ = nullptr;
  check(env_, napi_create_reference(env_, callback, 1, &callback_));
}

RunQueue::Completions Environment::take() {
  RunQueue::Completions done = queue_.take();
  if (done.all) release_loop();
  return done;
}

void Environment::release_loop() {
  if (!referenced_) return;
  referenced_ = false;
  check(env_, napi_unref_threadsafe_function(env_, channel_));
}

void Environment::deliver(napi_env env, napi_value, void* context, void*) noexcept {
  if (env == nullptr) return;  // the environment is closing
  Environment& self = *static_cast<Environment*>(context);
  try {
    if (self.callback_ == nullptr) {
      // Nobody listens: what happened stays until takeCompletions(), but does not keep the process alive.
      if (self.queue_.acknowledge()) self.release_loop();
      return;
    }
    const RunQueue::Completions done = self.take();
    if (done.last_id == self.delivered_ && done.failures.empty()) return;
    self.delivered_ = done.last_id;
    napi_value callback;
    check(env, napi_get_reference_value(env, self.callback_, &callback));
    const napi_value arguments[] = {to_js(env, static_cast<double>(done.last_id)), to_js(env, done.failures)};
    check(env, napi_call_function(env, undefined(env), callback, 2, arguments, nullptr));
  } catch (const PendingException&) {
    // Node reports what the callback threw as an uncaught exception.
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NEURITE", error.what());
  }
}

}  // namespace neurite
