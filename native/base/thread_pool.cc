#include "thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "cpu_quota.h"
#include "denormals.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace neurite {
namespace {

constexpr uint32_t kOpen = 1u << 15;
constexpr uint32_t kInside = kOpen - 1;
constexpr uint32_t kGeneration = 1u << 16;
// Long enough to bridge the serial instructions between two parallel ones, short enough not to be noticed.
constexpr auto kSpin = std::chrono::microseconds(40);

void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/** Spins until ready() or the spin time is over; whether ready() came true. */
template <class Ready>
bool spin_until(Ready ready) noexcept {
  // The clock is read every 32 pauses: bounded by time, because a pause is 10 cycles on one CPU and 140 on another.
  const auto give_up = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  return ready();
}

}  // namespace

ThreadPool& ThreadPool::instance() {
  static ThreadPool* const pool = new ThreadPool;
  return *pool;
}

ThreadPool::ThreadPool() : slices_(std::make_unique<Slice[]>(kMaxThreads)) {}

void ThreadPool::resize(int threads) {
  const std::lock_guard lock(use_);
  threads = std::clamp(threads, 1, kMaxThreads);
  start_workers(threads - 1);
  size_.store(std::min(threads, workers_ + 1), std::memory_order_relaxed);
}

void ThreadPool::start_workers(int workers) {
  try {
    for (; workers_ < workers; ++workers_) {
      std::thread([this, worker = workers_ + 1] { worker_main(worker); }).detach();
    }
  } catch (const std::system_error&) {
    // The system gives no more threads: the pool is as large as it got.
  }
}

bool ThreadPool::wait_for_job(uint32_t& seen) noexcept {
  const auto joinable = [&] {
    const uint32_t state = state_.load(std::memory_order_acquire);
    return (state & kOpen) != 0 && state / kGeneration != seen;
  };
  if (!spin_until(joinable)) {
    const uint32_t ticket = wake_.load();
    parked_.fetch_add(1);
    // The order matters: announce, look again, sleep. The caller opens the job, then looks for parked workers.
    if (!joinable()) wake_.wait(ticket);
    parked_.fetch_sub(1);
  }
  uint32_t state = state_.load(std::memory_order_acquire);
  while ((state & kOpen) != 0 && state / kGeneration != seen) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) {
      seen = state / kGeneration;
      return true;
    }
  }
  return false;
}

void ThreadPool::worker_main(int worker) noexcept {
  const FlushDenormals flush;
  uint32_t seen = ~0u;
  for (;;) {
    if (!wait_for_job(seen)) continue;
    if (worker < slices_used_) take_tasks(worker);
    const uint32_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
    if ((before & (kOpen | kInside)) == 1) state_.notify_one();  // last one out of a closed job
  }
}

void ThreadPool::take_tasks(int worker) noexcept {
  for (int turn = 0; turn < slices_used_; ++turn) {
    Slice& slice = slices_[static_cast<size_t>((worker + turn) % slices_used_)];
    for (;;) {
      if (slice.next.load(std::memory_order_relaxed) >= slice.end) break;
      const int64_t task = slice.next.fetch_add(1, std::memory_order_relaxed);
      if (task >= slice.end) break;
      function_(context_, task, worker);
    }
  }
}

void ThreadPool::run(int64_t tasks, TaskFunction function, void* context) noexcept {
  function_ = function;
  context_ = context;
  slices_used_ = static_cast<int>(std::min<int64_t>(size_.load(std::memory_order_relaxed), tasks));
  for (int i = 0; i < slices_used_; ++i) {
    Slice& slice = slices_[static_cast<size_t>(i)];
    slice.next.store(tasks * i / slices_used_, std::memory_order_relaxed);
    slice.end = tasks * (i + 1) / slices_used_;
  }
  // Nobody is inside here: the previous job was closed and left by all.
  const uint32_t state = (state_.load(std::memory_order_relaxed) & ~(kGeneration - 1)) + kGeneration;
  state_.store(state | kOpen);
  if (parked_.load() > 0) {
    wake_.fetch_add(1);
    wake_.notify_all();
  }
  take_tasks(0);
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  const auto empty = [&] { return (state_.load(std::memory_order_acquire) & kInside) == 0; };
  if (spin_until(empty)) return;
  for (;;) {
    const uint32_t now = state_.load(std::memory_order_acquire);
    if ((now & kInside) == 0) return;
    state_.wait(now);
  }
}

Team::Team() noexcept {
  ThreadPool& pool = ThreadPool::instance();
  if (pool.size() == 1 || !pool.use_.try_lock()) return;
  pool_ = &pool;
  size_ = pool.size();
}

Team::~Team() {
  if (pool_ != nullptr) pool_->use_.unlock();
}

}  // namespace neurite
