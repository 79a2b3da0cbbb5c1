// SORT: rows in order. An element becomes an integer that orders as it does, with its position below it, so that the
// order is total: equal elements keep theirs, and no sorting algorithm can change a bit of the result.
#include <algorithm>
#include <bit>
#include <utility>

#include "../base/checked.h"
#include "reader.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 8 << 10;
constexpr int64_t kRadixFrom = 256;  // shorter rows are sorted by comparison
constexpr int64_t kKeys = 64;        // made at a time where not all are kept
constexpr int64_t kFew = 32;         // kept in order

// The smallest key first; -0 and +0 are equal and NaN comes last. No branch asks for the sign, which cannot be
// foreseen.
uint32_t ordered(int32_t x) noexcept { return static_cast<uint32_t>(x) ^ 0x80000000u; }
uint32_t ordered(float x) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(x), size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return ~0u;
  if (size == 0) return 0x80000000u;
  return bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u);
}
uint64_t ordered(double x) noexcept {
  const uint64_t bits = std::bit_cast<uint64_t>(x), sign = uint64_t{1} << 63, size = bits & ~sign;
  if (size > 0x7ff0000000000000u) return ~uint64_t{0};
  if (size == 0) return sign;
  return bits ^ (static_cast<uint64_t>(static_cast<int64_t>(bits) >> 63) | sign);
}

struct Narrow {
  using Key = uint32_t;
  uint64_t both;
  Narrow() = default;
  Narrow(Key key, uint32_t index) noexcept : both(uint64_t{key} << 32 | index) {}
  Key key() const noexcept { return static_cast<Key>(both >> 32); }
  uint32_t index() const noexcept { return static_cast<uint32_t>(both); }
  bool operator<(const Narrow& other) const noexcept { return both < other.both; }
};
struct Wide {
  using Key = uint64_t;
  Key key_;
  uint32_t index_;
  Wide() = default;
  Wide(Key key, uint32_t index) noexcept : key_(key), index_(index) {}
  Key key() const noexcept { return key_; }
  uint32_t index() const noexcept { return index_; }
  bool operator<(const Wide& other) const noexcept {
    return key_ != other.key_ ? key_ < other.key_ : index_ < other.index_;
  }
};
template <class T>
using Entry = std::conditional_t<sizeof(T) == 8, Wide, Narrow>;

/** Sorts by the bytes of the key, lowest first; entries come in the order of their index. Returns where they are. */
template <class E>
E* radix_sort(E* from, E* to, int64_t n) noexcept {
  constexpr int bytes = sizeof(typename E::Key);
  int64_t count[bytes][256] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (int b = 0; b < bytes; ++b) ++count[b][from[i].key() >> (8 * b) & 255];
  }
  for (int b = 0; b < bytes; ++b) {
    if (count[b][from[0].key() >> (8 * b) & 255] == n) continue;
    int64_t sum = 0;
    for (int64_t& c : count[b]) sum += std::exchange(c, sum);
    for (int64_t i = 0; i < n; ++i) to[count[b][from[i].key() >> (8 * b) & 255]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

/** The first k of n entries in order, into `best`; key(i) is that of entry i. */
template <class E, class F>
void select_first(E* best, int64_t k, int64_t n, F key) noexcept {
  // A few are kept in order, without a branch on where a new one goes; more in a heap.
  const bool few = k <= kFew;
  for (int64_t i = 0; i < k; ++i) best[i] = E(key(i), static_cast<uint32_t>(i));
  few ? std::sort(best, best + k) : std::make_heap(best, best + k);
  const E& last = best[few ? k - 1 : 0];
  typename E::Key keys[kKeys];
  for (int64_t begin = k; begin < n; begin += kKeys) {
    const int64_t count = std::min(kKeys, n - begin);
    for (int64_t i = 0; i < count; ++i) keys[i] = key(begin + i);
    for (int64_t i = 0; i < count; ++i) {
      if (keys[i] >= last.key()) continue;  // equal ones came earlier
      E entry(keys[i], static_cast<uint32_t>(begin + i));
      if (few) {
        for (int64_t j = 0; j < k; ++j) {
          const E old = best[j];
          const bool before = entry < old;
          best[j] = before ? entry : old;
          entry = before ? old : entry;
        }
      } else {
        std::pop_heap(best, best + k);
        best[k - 1] = entry;
        std::push_heap(best, best + k);
      }
    }
  }
  if (!few) std::sort_heap(best, best + k);
}

struct SortShape {
  int64_t rows, cols, k;
  bool descending;
  Operand in, values, indices;
};

template <class T>
class Sort final : public Instruction {
 public:
  using E = Entry<T>;
  explicit Sort(const SortShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const int64_t step = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, shape_.cols));
    if (shape_.k == 0) return;
    context.team.parallel_for(ceil_div(shape_.rows, step), [&](int64_t task, int worker) noexcept {
      const int64_t last = std::min(shape_.rows, (task + 1) * step);
      for (int64_t row = task * step; row < last; ++row) {
        sort_row(context, row, reinterpret_cast<E*>(context.scratch(worker)));
      }
    });
  }

 private:
  void sort_row(RunContext& context, int64_t row, E* entries) const noexcept {
    const auto& [rows, n, k, descending, in, out, at] = shape_;
    const T* x = context.at<const T>(in) + row * n;
    const auto key = [x, turn = descending ? ~typename E::Key{0} : 0](int64_t i) { return ordered(x[i]) ^ turn; };
    if (k <= n / 8) {
      select_first(entries, k, n, key);
    } else {
      for (int64_t i = 0; i < n; ++i) entries[i] = E(key(i), static_cast<uint32_t>(i));
      if (n < kRadixFrom) {
        std::sort(entries, entries + n);
      } else {
        entries = radix_sort(entries, entries + n, n);
      }
    }
    T* values = context.at<T>(out);
    int32_t* indices = context.at<int32_t>(at);
    for (int64_t i = 0; i < k; ++i) {
      if (values != nullptr) values[row * k + i] = x[entries[i].index()];
      if (indices != nullptr) indices[row * k + i] = static_cast<int32_t>(entries[i].index());
    }
  }

  SortShape shape_;
};

}  // namespace

std::unique_ptr<Instruction> parse_SORT(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64, DType::INT32});
  SortShape s{};
  s.rows = reader.size("rows");
  s.cols = reader.size("cols");
  s.k = reader.size("k");
  if (s.k > s.cols) reader.fail("k is larger than cols");
  s.descending = reader.flag("descending");
  s.in = reader.input("in", reader.dtype(), reader.product({s.rows, s.cols}));
  const int64_t kept = reader.product({s.rows, s.k});
  s.values = reader.optional("values", reader.dtype(), kept, Access::WRITE);
  s.indices = reader.optional("indices", DType::INT32, kept, Access::WRITE);
  if (!s.values.present() && !s.indices.present()) reader.fail("has neither values nor indices");
  const int64_t entry = reader.dtype() == DType::FLOAT64 ? sizeof(Wide) : sizeof(Narrow);
  if (kept > 0) reader.need_worker(reader.product({2, s.cols, entry}));
  if (reader.dtype() == DType::INT32) return std::make_unique<Sort<int32_t>>(s);
  return make_float<Sort>(reader.dtype(), s);
}

}  // namespace neurite
