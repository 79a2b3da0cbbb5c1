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
#if defined(__linux__)
  if (alignment == kHugePage) madvise(block, static_cast<size_t>(size), MADV_HUGEPAGE);
#endif
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
