#include "runtime.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "../base/cpu_quota.h"
#include "../base/thread_pool.h"

namespace neurite {
namespace {
std::atomic<const KernelTable*> active_kernels{nullptr};
std::atomic<int64_t> active_memory_limit{0};
std::once_flag pool_sized;
}  // namespace

Runtime& Runtime::instance() {
  static Runtime* const runtime = new Runtime;  // never destroyed: threads may outlive static destruction
  return *runtime;
}

Runtime::Runtime() {
  active_memory_limit = available_memory();
  active_kernels = table_at(0);
  const char* isa = std::getenv("NEURITE_ISA");
  if (isa != nullptr && *isa != '\0') {
    startup_error_ = set_isa(isa);
    if (!startup_error_.empty()) startup_error_ = "NEURITE_ISA=" + std::string(isa) + ": " + startup_error_;
  }
  const char* threads = std::getenv("NEURITE_THREADS");
  if (threads != nullptr && *threads != '\0') {
    char* end = nullptr;
    const long value = std::strtol(threads, &end, 10);
    if (*end != '\0' || value < 1 || value > kMaxThreads) {
      startup_error_ = "NEURITE_THREADS=" + std::string(threads) + ": expected a whole number from 1 to " +
                       std::to_string(kMaxThreads);
      return;
    }
    // The settable bound lowers the size, it does not oversubscribe the machine by itself; configure() can.
    std::call_once(pool_sized, [&] {
      ThreadPool::instance().resize(std::min(static_cast<int>(value), std::max(available_threads(), 1)));
    });
  }
}

const KernelTable& Runtime::kernels() const noexcept { return *active_kernels.load(std::memory_order_acquire); }

int Runtime::threads() const {
  std::call_once(pool_sized, [] { ThreadPool::instance().resize(available_threads()); });
  return ThreadPool::instance().size();
}

int64_t Runtime::memory_limit() const noexcept { return active_memory_limit.load(std::memory_order_relaxed); }

std::string Runtime::set_isa(const std::string& name) {
  const char* why = nullptr;
  const KernelTable* table = select_table(name.c_str(), &why);
  if (table == nullptr) {
    return std::string(why != nullptr ? why : "not usable") + "; usable here: " + usable_isas();
  }
  active_kernels.store(table, std::memory_order_release);
  return "";
}

void Runtime::set_threads(int threads) {
  std::call_once(pool_sized, [] {});
  ThreadPool::instance().resize(threads);
}

void Runtime::set_memory_limit(int64_t bytes) noexcept { active_memory_limit = bytes; }

std::string Runtime::usable_isas() {
  std::string names;
  for (int i = 0; table_at(i) != nullptr; ++i) names += (i == 0 ? "" : ", ") + std::string(table_at(i)->name);
  return names;
}

}  // namespace neurite
