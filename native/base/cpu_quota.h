// How many threads and how much memory this process may really use. `system` stands before /proc and /sys: for tests.
#pragma once

namespace neurite {

/** min(CPUs of the affinity mask, cgroup v1/v2 CPU quota of its group and all above, rounded up), at least 1. */
int available_threads(const char* system = "") noexcept;

/** Bytes of memory this process may use: the machine's, or the cgroup's limit when lower. */
long long available_memory(const char* system = "") noexcept;

}  // namespace neurite
