#include "cpu_quota.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace neurite {
namespace {

int affinity_cpus() noexcept {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__linux__)
struct CloseFile {
  void operator()(FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

/** Reads up to two numbers of a cgroup file ("max" reads as none); the number read. */
int read_numbers(const std::string& path, double (&out)[2]) noexcept {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return 0;
  return std::max(0, std::fscanf(file.get(), "%lf %lf", &out[0], &out[1]));
}

/** Calls visit(directory) for this process's cgroup of `controller` ("" is v2) and each of its parents. */
template <class Visit>
void visit_cgroups(const std::string& system, const char* controller, Visit visit) {
  const File file(std::fopen((system + "/proc/self/cgroup").c_str(), "re"));
  if (!file) return;
  char line[4096];
  const std::string wanted(controller);
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    std::string text(line);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    const size_t first = text.find(':');
    const size_t second = first == std::string::npos ? first : text.find(':', first + 1);
    if (second == std::string::npos) continue;
    // Controllers, each between commas: "cpu" must not match "cpuset".
    std::string names(1, ',');
    names.append(text, first + 1, second - first - 1).push_back(',');
    std::string name(1, ',');
    name.append(wanted).push_back(',');
    if (wanted.empty() ? names != name : names.find(name) == std::string::npos) continue;
    std::string root = system + "/sys/fs/cgroup";
    if (!wanted.empty()) root.append("/").append(wanted);
    std::string path = text.substr(second + 1);
    for (;;) {
      visit(root + (path == "/" ? "" : path));
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos || path == "/" || path.empty()) break;
      path.resize(std::max<size_t>(slash, 1));
    }
  }
}

double cgroup_cpus(const std::string& system) {
  double cpus = std::numeric_limits<double>::infinity();
  double numbers[2];
  visit_cgroups(system, "", [&](const std::string& directory) {
    if (read_numbers(directory + "/cpu.max", numbers) == 2 && numbers[0] > 0 && numbers[1] > 0) {
      cpus = std::min(cpus, numbers[0] / numbers[1]);
    }
  });
  visit_cgroups(system, "cpu", [&](const std::string& directory) {
    double period[2];
    if (read_numbers(directory + "/cpu.cfs_quota_us", numbers) >= 1 &&
        read_numbers(directory + "/cpu.cfs_period_us", period) >= 1 && numbers[0] > 0 && period[0] > 0) {
      cpus = std::min(cpus, numbers[0] / period[0]);
    }
  });
  return cpus;
}

double cgroup_memory(const std::string& system) {
  double bytes = std::numeric_limits<double>::infinity();
  double numbers[2];
  const auto lower = [&](const std::string& path) {
    if (read_numbers(path, numbers) >= 1 && numbers[0] > 0) bytes = std::min(bytes, numbers[0]);
  };
  visit_cgroups(system, "", [&](const std::string& directory) { lower(directory + "/memory.max"); });
  visit_cgroups(system, "memory", [&](const std::string& directory) { lower(directory + "/memory.limit_in_bytes"); });
  return bytes;
}
#endif

}  // namespace

int available_threads([[maybe_unused]] const char* system) noexcept {
  int threads = affinity_cpus();
#if defined(__linux__)
  try {
    const double quota = cgroup_cpus(system);
    if (quota < threads) threads = static_cast<int>(quota + 0.999);
  } catch (...) {
    // No memory for a path: the affinity mask stands.
  }
#endif
  return std::max(1, threads);
}

long long available_memory([[maybe_unused]] const char* system) noexcept {
#if defined(_WIN32)
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (!GlobalMemoryStatusEx(&status)) return std::numeric_limits<long long>::max();
  return static_cast<long long>(status.ullTotalPhys);
#else
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  double bytes = pages > 0 && page > 0 ? static_cast<double>(pages) * static_cast<double>(page) : 9e18;
#if defined(__linux__)
  try {
    bytes = std::min(bytes, cgroup_memory(system));
  } catch (...) {
    // As above: the machine's memory stands.
  }
#endif
  return static_cast<long long>(bytes);
#endif
}

}  // namespace neurite
