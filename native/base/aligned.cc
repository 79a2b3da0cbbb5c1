#include "aligned.h"

#include <cstdlib>

#include "checked.h"

#if defined(_WIN32)
#include <malloc.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif

namespace neurite {
namespace {
constexpr int64_t kHugePage = int64_t{2} << 20;
}

void prefer_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] int64_t bytes) noexcept {
#if defined(__linux__)
  const auto start = round_up(static_cast<int64_t>(reinterpret_cast<uintptr_t>(block)), kHugePage);
  const auto end = static_cast<int64_t>(reinterpret_cast<uintptr_t>(block)) + bytes;
  const int64_t whole = (end - start) / kHugePage * kHugePage;
  if (whole > 0) madvise(reinterpret_cast<void*>(start), static_cast<size_t>(whole), MADV_HUGEPAGE);
#endif
}

bool AlignedBuffer::allocate(int64_t bytes) noexcept {
  release();
  if (bytes <= 0) return true;
  const int64_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlign;
  const int64_t size = round_up(bytes, alignment);
#if defined(_WIN32)
  void* block = _aligned_malloc(static_cast<size_t>(size), static_cast<size_t>(alignment));
#else
  void* block = nullptr;
  if (posix_memalign(&block, static_cast<size_t>(alignment), static_cast<size_t>(size)) != 0) block = nullptr;
#endif
  if (block == nullptr) return false;
  if (alignment == kHugePage) prefer_huge_pages(block, size);
  data_ = static_cast<std::byte*>(block);
  bytes_ = size;
  return true;
}

void AlignedBuffer::release() noexcept {
#if defined(_WIN32)
  _aligned_free(data_);
#else
  std::free(data_);
#endif
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace neurite
