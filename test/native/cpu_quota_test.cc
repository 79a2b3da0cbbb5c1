// What control groups allow, read from files laid out as the kernel's.
#include "../../native/base/cpu_quota.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "check.h"

#if defined(__linux__)
using namespace neurite;
namespace fs = std::filesystem;

namespace {

/** A folder with the given files under it, gone at the end. */
class System {
 public:
  explicit System(std::initializer_list<std::pair<const char*, const char*>> files) {
    char name[] = "/tmp/neurite-quota-XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();
    root_ = name;
    for (const auto& [path, text] : files) {
      fs::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
      std::ofstream(root_ + path) << text;
    }
  }
  ~System() { fs::remove_all(root_); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  const char* root() const { return root_.c_str(); }

 private:
  std::string root_;
};

}  // namespace

SUITE(cpu_quota) {
  const System nothing({});
  const int free = available_threads(nothing.root());
  const long long memory = available_memory(nothing.root());
  CHECK(free >= 1 && memory > 0, "without control groups the machine's: %d, %lld", free, memory);

  const struct {
    const char* what;
    int threads;  // at most: fewer where the affinity mask says so
    long long bytes;
    System system;
  } cases[] = {
      {"v2, a CPU and a half", 2, 1 << 20,
       System({{"/proc/self/cgroup", "0::/a/b\n"},
               {"/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"},
               {"/sys/fs/cgroup/a/b/memory.max", "1048576\n"}})},
      {"v2, a parent has less than the group", 1, 4096,
       System({{"/proc/self/cgroup", "0::/a/b\n"},
               {"/sys/fs/cgroup/a/cpu.max", "50000 100000\n"},
               {"/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n"},
               {"/sys/fs/cgroup/a/memory.max", "4096\n"},
               {"/sys/fs/cgroup/a/b/memory.max", "max\n"}})},
      {"v2, no limit", free, memory,
       System({{"/proc/self/cgroup", "0::/\n"},
               {"/sys/fs/cgroup/cpu.max", "max 100000\n"},
               {"/sys/fs/cgroup/memory.max", "max\n"}})},
      {"v1, one CPU beside other controllers", 1, 8192,
       System({{"/proc/self/cgroup", "9:cpuset:/x\n4:cpu,cpuacct:/job\n3:memory:/job\n0::/\n"},
               {"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "100000\n"},
               {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"},
               {"/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "8192\n"}})},
      {"v1 in a container, which sees its group as the root", 1, memory,
       System({{"/proc/self/cgroup", "4:cpu,cpuacct:/docker/0123\n"},
               {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "20000\n"},
               {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}})},
      {"v1, no limit", free, memory,
       System({{"/proc/self/cgroup", "4:cpu:/\n"},
               {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
               {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}})},
      {"v1, a quota of cpuset's group is not the CPU's", free, memory,
       System({{"/proc/self/cgroup", "9:cpuset:/x\n"},
               {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "100000\n"},
               {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}})},
      {"files that say nothing", free, memory,
       System({{"/proc/self/cgroup", "\n::\nno colons\n0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "0 0\n"}})},
  };
  for (const auto& c : cases) {
    const int threads = std::min(free, c.threads);
    CHECK(available_threads(c.system.root()) == threads, "%s: %d threads, want %d", c.what,
          available_threads(c.system.root()), threads);
    CHECK(available_memory(c.system.root()) == c.bytes, "%s: %lld bytes, want %lld", c.what,
          available_memory(c.system.root()), c.bytes);
  }
}
#endif
