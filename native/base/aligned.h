// One owned block of raw memory, 64-byte aligned; large blocks are 2 MiB aligned and ask for huge pages.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace neurite {

inline constexpr int64_t kAlign = 64;

/**
 * Asks the system to back the memory that lies in a block by huge pages where whole ones fit. Only a wish, and for
 * memory not touched yet: a smaller page stays until the system finds time. Nothing where there are none.
 */
void prefer_huge_pages(void* block, int64_t bytes) noexcept;

class AlignedBuffer {
 public:
  AlignedBuffer() noexcept = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer() { release(); }

  /** Replaces the block by one of at least `bytes`; contents are not kept. False, and empty, when there is no memory.
   */
  bool allocate(int64_t bytes) noexcept;
  void release() noexcept;

  std::byte* data() const noexcept { return data_; }
  int64_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace neurite
