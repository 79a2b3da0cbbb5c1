#include "run_queue.h"

#include <new>

namespace neurite {
namespace {
// Ids of failed runs that later runs may still name; JavaScript knows the older ones.
constexpr size_t kRememberedFailures = 65536;
}  // namespace

void RunQueue::push(QueuedRun run) {
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { thread_main(); });
    queue_.push_back(std::move(run));
    ++unfinished_;
  }
  pushed_.notify_one();
}

int64_t RunQueue::wait(size_t depth) {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&] { return unfinished_ <= depth; });
  return last_id_;
}

RunStatus RunQueue::run_now(const Program& program, const std::vector<Binding>& bindings, int64_t steps) {
  wait(0);
  return executor_.run(program, bindings, steps, stopping_);
}

RunQueue::Completions RunQueue::take() {
  const std::lock_guard lock(mutex_);
  notified_ = false;
  return {last_id_, std::exchange(failures_, {}), unfinished_ == 0};
}

bool RunQueue::acknowledge() {
  const std::lock_guard lock(mutex_);
  notified_ = false;
  return unfinished_ == 0;
}

void RunQueue::stop() noexcept {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    queue_.clear();
  }
  pushed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

RunStatus RunQueue::run_one(const QueuedRun& run) noexcept {
  RunStatus status;
  for (const int64_t id : run.depends_on) {
    if (failed_.count(id) == 0) continue;
    status.code = RunCode::DEPENDENCY;
    status.value = static_cast<double>(id);
    return status;
  }
  try {
    return executor_.run(*run.program, run.bindings, run.steps, stopping_);
  } catch (const std::bad_alloc&) {
    status.code = RunCode::MEMORY;
    return status;
  }
}

void RunQueue::thread_main() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    pushed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const QueuedRun run = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const RunStatus status = run_one(run);
    lock.lock();
    if (stopping_) return;
    last_id_ = run.id;
    --unfinished_;
    if (!status.ok()) {
      failures_.push_back({run.id, status});
      failed_.insert(run.id);
      failed_order_.push_back(run.id);
      if (failed_order_.size() > kRememberedFailures) {
        failed_.erase(failed_order_.front());
        failed_order_.pop_front();
      }
    }
    finished_.notify_all();
    if (notified_) continue;
    notified_ = true;
    lock.unlock();
    notify_();
    lock.lock();
  }
}

}  // namespace neurite
