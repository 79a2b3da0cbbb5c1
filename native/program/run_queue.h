// First in, first out: one thread per environment that runs queued programs in call order.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "executor.h"

namespace neurite {

struct QueuedRun {
  std::shared_ptr<const Program> program;
  std::vector<Binding> bindings;  // bound; the memory stays alive until the run is reported
  int64_t steps = 1;
  int64_t id = 0;
  std::vector<int64_t> depends_on;
};

struct Failure {
  int64_t id;
  RunStatus status;
};

class RunQueue {
 public:
  /** `notify` is called on the queue's thread after a run, never while another notification is undelivered. */
  explicit RunQueue(std::function<void()> notify) : notify_(std::move(notify)) {}
  ~RunQueue() { stop(); }
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  Executor& executor() noexcept { return executor_; }

  /** Starts the thread at the first call. */
  void push(QueuedRun run);

  /** Runs on the calling thread once the queue is empty. */
  RunStatus run_now(const Program& program, const std::vector<Binding>& bindings, int64_t steps);

  /** Blocks until at most `depth` runs are unfinished; the id of the last finished one (0: none). */
  int64_t wait(size_t depth);

  struct Completions {
    int64_t last_id;
    std::vector<Failure> failures;
    bool all;  // nothing is queued or running
  };
  Completions take();
  /** Accepts a notification without taking anything; whether nothing is queued or running. */
  bool acknowledge();

  /** Stops the run in progress between two instructions, drops the rest and joins the thread. */
  void stop() noexcept;

 private:
  void thread_main() noexcept;
  RunStatus run_one(const QueuedRun& run) noexcept;

  Executor executor_;
  std::function<void()> notify_;
  std::mutex mutex_;
  std::condition_variable pushed_, finished_;
  std::deque<QueuedRun> queue_;
  std::vector<Failure> failures_;
  std::unordered_set<int64_t> failed_;
  std::deque<int64_t> failed_order_;
  size_t unfinished_ = 0;
  int64_t last_id_ = 0;
  bool notified_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace neurite
