// COPY and PLACE: strided windows in and out of dense tensors, by element width.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "../base/checked.h"
#include "view.h"

namespace neurite {
namespace {

constexpr int64_t kTaskElements = 32 << 10;
constexpr int64_t kBlock = 32;  // edge of the square that a transpose moves at once: both sides stay in L1

/** The dimension that is contiguous in the window when the last is not, or -1. */
int contiguous_dim(const View& view) {
  if (view.rank < 2 || view.strides[view.rank - 1] == 1) return -1;
  for (int i = 0; i < view.rank - 1; ++i) {
    if (view.strides[i] == 1 && view.dims[i] >= 8 && view.dims[view.rank - 1] >= 8) return i;
  }
  return -1;
}

/** The window seen from dimension `dim` and the last one: the other dimensions are walked plane by plane. */
struct Planes {
  int64_t count = 1, rows, cols;
  int64_t row_stride, col_stride;  // in the window
  int64_t dense_row_stride;        // in the dense side, where columns are contiguous
  View window, dense;              // the other dimensions

  Planes(const View& view, int dim) {
    rows = view.dims[dim];
    cols = view.dims[view.rank - 1];
    row_stride = view.strides[dim];
    col_stride = view.strides[view.rank - 1];
    int64_t dense_stride = 1;
    int64_t dense_strides[kMaxRank] = {};
    for (int i = view.rank - 1; i >= 0; --i) {
      dense_strides[i] = dense_stride;
      dense_stride *= view.dims[i];
    }
    dense_row_stride = dense_strides[dim];
    for (int i = 0; i < view.rank - 1; ++i) {
      if (i == dim) continue;
      window.dims[window.rank] = dense.dims[dense.rank] = view.dims[i];
      window.strides[window.rank++] = view.strides[i];
      dense.strides[dense.rank++] = dense_strides[i];
      count *= view.dims[i];
    }
  }
};

class Copy final : public Instruction {
 public:
  Copy(const View& view, DType dtype, const Operand& in, const Operand& out)
      : view_(view), dtype_(dtype), in_(in), out_(out), elements_(view.elements()) {
    coalesce({&view_, 1});
    transposed_ = elements_ == 0 ? -1 : contiguous_dim(view_);
  }

  void run(RunContext& context) const noexcept override {
    if (elements_ == 0) return;
    with_width(dtype_, [&](auto* type) {
      using W = std::remove_pointer_t<decltype(type)>;
      const W* in = context.at<const W>(in_);
      W* out = context.at<W>(out_);
      if (transposed_ >= 0) {
        transpose(context.team, in, out);
      } else {
        context.team.parallel_for(ceil_div(elements_, kTaskElements), [&](int64_t task, int) noexcept {
          const int64_t begin = task * kTaskElements;
          gather_window(out + begin, in, view_, begin, std::min(kTaskElements, elements_ - begin));
        });
      }
    });
  }

 private:
  template <class W>
  void transpose(Team& team, const W* in, W* out) const noexcept {
    const Planes planes(view_, transposed_);
    const int64_t strips = ceil_div(planes.rows, kBlock);
    const int64_t group = std::max<int64_t>(1, kTaskElements / (planes.cols * std::min(kBlock, planes.rows)));
    const int64_t units = planes.count * strips;
    team.parallel_for(ceil_div(units, group), [&](int64_t task, int) noexcept {
      for (int64_t unit = task * group; unit < std::min(units, (task + 1) * group); ++unit) {
        const int64_t plane = unit / strips;
        const W* from = in + Cursor(planes.window, plane).offset;
        W* to = out + Cursor(planes.dense, plane).offset;
        const int64_t first = unit % strips * kBlock;
        const int64_t last = std::min(planes.rows, first + kBlock);
        for (int64_t column = 0; column < planes.cols; column += kBlock) {
          const int64_t end = std::min(planes.cols, column + kBlock);
          for (int64_t i = first; i < last; ++i) {
            for (int64_t j = column; j < end; ++j) {
              to[i * planes.dense_row_stride + j] = from[i * planes.row_stride + j * planes.col_stride];
            }
          }
        }
      }
    });
  }

  View view_;
  DType dtype_;
  Operand in_, out_;
  int64_t elements_;
  int transposed_;
};

class Place final : public Instruction {
 public:
  Place(const View& view, DType dtype, const Operand& in, const Operand& out)
      : view_(view), dtype_(dtype), in_(in), out_(out), elements_(view.elements()) {
    coalesce({&view_, 1});
  }

  void run(RunContext& context) const noexcept override {
    if (elements_ == 0) return;
    with_width(dtype_, [&](auto* type) {
      using W = std::remove_pointer_t<decltype(type)>;
      const W* in = context.at<const W>(in_);
      W* out = context.at<W>(out_);
      context.team.parallel_for(ceil_div(elements_, kTaskElements), [&](int64_t task, int) noexcept {
        const int64_t begin = task * kTaskElements;
        scatter(out, in + begin, begin, std::min(kTaskElements, elements_ - begin));
      });
    });
  }

 private:
  template <class W>
  void scatter(W* out, const W* in, int64_t begin, int64_t n) const noexcept {
    if (view_.rank == 0) {
      *out = *in;
      return;
    }
    Cursor cursor(view_, begin);
    const int last = view_.rank - 1;
    while (n > 0) {
      const int64_t run = std::min(n, view_.dims[last] - cursor.index[last]);
      W* to = out + cursor.offset;
      if (view_.strides[last] == 1) {
        std::memcpy(to, in, static_cast<size_t>(run) * sizeof(W));
      } else {
        for (int64_t i = 0; i < run; ++i) to[i * view_.strides[last]] = in[i];
      }
      in += run;
      n -= run;
      cursor.advance(view_, run);
    }
  }

  View view_;
  DType dtype_;
  Operand in_, out_;
  int64_t elements_;
};

/** Whether no two indices of the window name the same element: each stride steps over all that smaller ones reach. */
bool is_injective(const View& view) {
  std::vector<std::pair<int64_t, int64_t>> steps;  // |stride|, dim
  for (int i = 0; i < view.rank; ++i) {
    if (view.dims[i] > 1) steps.emplace_back(std::abs(view.strides[i]), view.dims[i]);
  }
  std::sort(steps.begin(), steps.end());
  int64_t reach = 0;
  for (const auto& [stride, dim] : steps) {
    if (stride <= reach) return false;
    reach += stride * (dim - 1);
  }
  return true;
}

}  // namespace

std::unique_ptr<Instruction> parse_COPY(InstructionReader& reader) {
  View view;
  view.rank = reader.choice("rank", 0, kMaxRank);
  reader.view_dims(view);
  const int32_t word = reader.word("in");
  view.offset = reader.size("offset");
  reader.view_strides(view);
  const Operand in = reader.window(word, "in", reader.dtype(), view, Access::READ);
  const Operand out = reader.output("out", reader.dtype(), view.elements());
  return std::make_unique<Copy>(view, reader.dtype(), in, out);
}

std::unique_ptr<Instruction> parse_PLACE(InstructionReader& reader) {
  View view;
  view.rank = reader.choice("rank", 0, kMaxRank);
  reader.view_dims(view);
  const Operand in = reader.input("in", reader.dtype(), view.elements());
  const int32_t word = reader.word("out");
  const int64_t elements = reader.size("outElements");
  view.offset = reader.size("offset");
  reader.view_strides(view);
  const Operand out = reader.window(word, "out", reader.dtype(), view, Access::WRITE);
  int64_t low = view.offset;
  int64_t high = view.offset;
  for (int i = 0; i < view.rank; ++i) (view.strides[i] < 0 ? low : high) += (view.dims[i] - 1) * view.strides[i];
  if (view.elements() > 0 && (low < 0 || high >= elements)) reader.fail("region leaves out");
  if (view.elements() > 0 && !is_injective(view)) reader.fail("region names an element of out twice");
  return std::make_unique<Place>(view, reader.dtype(), in, out);
}

}  // namespace neurite
