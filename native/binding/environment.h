// What one JavaScript environment (the main thread or a worker) owns: its run queue, arena and completion callback.
#pragma once
#include <node_api.h>

#include <memory>
#include <unordered_set>
#include <vector>

#include "../program/run_queue.h"

namespace neurite {

/** Programs that JavaScript objects of one environment hold: tells a program from any other wrapped object. */
struct ProgramHandle {
  std::shared_ptr<const Program> program;
  std::shared_ptr<std::unordered_set<const void*>> live;
};

/** The same for frames. */
struct FrameHandle {
  Frame frame;
  std::shared_ptr<std::unordered_set<const void*>> live;
};

class Environment {
 public:
  /** Attaches a new one to `env`; Node deletes it when the environment ends. */
  static Environment& create(napi_env env);
  static Environment& of(napi_env env);

  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  napi_value wrap(std::shared_ptr<const Program> program);
  const std::shared_ptr<const Program>& unwrap(napi_value object) const;
  /** `buffers` is kept alive, and out of reach, by the object. */
  napi_value wrap(Frame frame, napi_value buffers);
  Frame& unwrap_frame(napi_value object) const;

  RunQueue& queue() noexcept { return queue_; }
  std::vector<Binding>& scratch_bindings() noexcept { return bindings_; }

  /** Queues a run and keeps the event loop alive until it is reported. */
  void push(QueuedRun run);
  void on_complete(napi_value callback);
  /** Hands over what finished since the last call; lets the event loop end when nothing is left. */
  RunQueue::Completions take();

 private:
  explicit Environment(napi_env env);
  void open_channel();
  template <class Handle>
  napi_value wrap(std::unique_ptr<Handle> handle);
  void close() noexcept;
  void release_loop();
  static void deliver(napi_env env, napi_value, void* context, void*) noexcept;

  napi_env env_;
  napi_threadsafe_function channel_ = nullptr;
  napi_ref callback_ = nullptr;
  bool referenced_ = false;
  int64_t delivered_ = 0;
  std::shared_ptr<std::unordered_set<const void*>> live_;
  std::shared_ptr<std::unordered_set<const void*>> live_frames_;
  std::vector<Binding> bindings_;
  RunQueue queue_;
};

}  // namespace neurite
