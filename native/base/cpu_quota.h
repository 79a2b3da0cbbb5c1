// How many threads this process may really use.
#pragma once

namespace neurite {

/** min(CPUs of the affinity mask, cgroup v1/v2 CPU quota rounded up), at least 1. */
int available_threads() noexcept;

/** Bytes of memory this process may use: the machine's, or the cgroup's limit when lower. */
long long available_memory() noexcept;

}  // namespace neurite
