// The one thread pool of the process: resident workers that spin briefly, then park. A Team is the right to use it for
// one run; a run that finds the pool taken works alone. What is computed never depends on who computes it.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace neurite {

inline constexpr int kMaxThreads = 256;

class ThreadPool {
 public:
  /** Created at first use and never destroyed: workers may be parked in it while the process exits. */
  static ThreadPool& instance();

  /** Threads of a team, the caller included. */
  int size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /** Waits for the run that uses the pool, then sets its size. Workers never exit: surplus ones stay parked. */
  void resize(int threads);

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

 private:
  friend class Team;
  using TaskFunction = void (*)(void* context, int64_t task, int worker) noexcept;

  // Tasks are dealt out in contiguous slices, one a thread, so that the same thread meets the same data every step;
  // a thread that finishes its slice takes from the others.
  struct alignas(64) Slice {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  ThreadPool();
  void start_workers(int workers);
  void worker_main(int worker) noexcept;
  void run(int64_t tasks, TaskFunction function, void* context) noexcept;
  void take_tasks(int worker) noexcept;
  bool wait_for_job(uint32_t& seen) noexcept;

  std::mutex use_;  // held by the Team that owns the pool
  std::atomic<int> size_{1};
  int workers_ = 0;

  // generation (high 16 bits) | open | threads inside: a worker may join an open job, the caller closes it and waits
  // only for those that joined, so a worker that is slow to wake delays nobody.
  alignas(64) std::atomic<uint32_t> state_{0};
  alignas(64) std::atomic<uint32_t> wake_{0};
  std::atomic<int> parked_{0};

  TaskFunction function_ = nullptr;
  void* context_ = nullptr;
  int slices_used_ = 0;
  std::unique_ptr<Slice[]> slices_;
};

class Team {
 public:
  /** Takes the pool if it is free and has more than one thread. */
  Team() noexcept;
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  /** Worker numbers passed to tasks are in [0, size()). */
  int size() const noexcept { return size_; }

  /** Calls task(index, worker) for every index in [0, tasks), in any order, and returns when all are done. */
  template <class Task>
  void parallel_for(int64_t tasks, Task&& task) noexcept {
    using Function = std::remove_reference_t<Task>;
    if (size_ == 1 || tasks <= 1) {
      for (int64_t i = 0; i < tasks; ++i) task(i, 0);
      return;
    }
    pool_->run(
        tasks, [](void* context, int64_t i, int worker) noexcept { (*static_cast<Function*>(context))(i, worker); },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  ThreadPool* pool_ = nullptr;
  int size_ = 1;
};

}  // namespace neurite
