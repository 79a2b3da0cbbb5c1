// CONV, CONV_DATA_GRAD and CONV_WEIGHT_GRAD where every channel has a filter of its own.
#include <algorithm>

#include "../base/checked.h"
#include "conv.h"

namespace neurite {
namespace {

constexpr int64_t kSerialWork = 400'000;  // multiply-adds below which waking a thread costs more than it gives
constexpr int64_t kTaskWork = 250'000;    // and what a task should have: they wait for memory most of the time
constexpr int64_t kMaxSlices = 32;        // of the weight gradient
static_assert(kMaxSlices <= kReduceRows);

template <class T>
DepthwiseArgs<T> depthwise_args(const ConvGeometry& g, bool backward) noexcept {
  DepthwiseArgs<T> args{};
  args.backward = backward;
  args.c = g.c;
  for (int i = 0; i < kConvAxes; ++i) {
    args.from_size[i] = backward ? g.out[i] : g.in[i];
    args.to_size[i] = backward ? g.in[i] : g.out[i];
    args.kernel[i] = g.kernel[i];
    args.stride[i] = g.stride[i];
    args.pad[i] = g.pad[i];
    args.dilation[i] = g.dilation[i];
  }
  return args;
}

/** CONV, or with `backward` CONV_DATA_GRAD. */
template <class T>
class Depthwise final : public Instruction {
 public:
  Depthwise(const ConvShape& shape, bool backward, InstructionReader& reader)
      : shape_(shape), args_(depthwise_args<T>(shape.g, backward)) {
    args_.act = shape.act;
    args_.act_grad = shape.act_grad;
    rows_ = shape.g.n * args_.to_size[0] * args_.to_size[1];
    row_work_ = args_.to_size[2] * shape.g.c * shape.g.taps;
    reader.need_shared(shape.g.w_elements() * static_cast<int64_t>(sizeof(T)));
  }

  void run(RunContext& context) const noexcept override {
    const ConvGeometry& g = shape_.g;
    if (rows_ * row_work_ == 0) return;
    DepthwiseArgs<T> args = args_;
    T* const weights = reinterpret_cast<T*>(context.shared);  // [tap][channel]
    const T* const w = context.at<const T>(shape_.w);
    for (int64_t channel = 0; channel < g.c; ++channel) {
      for (int64_t tap = 0; tap < g.taps; ++tap) weights[tap * g.c + channel] = w[channel * g.taps + tap];
    }
    args.weights = weights;
    args.from = context.at<const T>(args.backward ? shape_.y : shape_.x);
    args.to = context.at<T>(args.backward ? shape_.x : shape_.y);
    args.bias = context.at<const T>(shape_.bias);
    args.aux = context.at<const T>(shape_.aux);
    const Kernels<T>& kernels = context.table<T>();
    if (context.team.size() == 1 || rows_ * row_work_ < kSerialWork) return kernels.depthwise(args, {0, rows_});
    const int64_t step = std::max<int64_t>(1, kTaskWork / row_work_);
    context.team.parallel_for(ceil_div(rows_, step), [&](int64_t task, int) noexcept {
      kernels.depthwise(args, {task * step, std::min(rows_, (task + 1) * step)});
    });
  }

 private:
  ConvShape shape_;
  DepthwiseArgs<T> args_;
  int64_t rows_, row_work_;  // of the destination, multiply-adds of each
};

/** Slices of rows by the shape alone, each with sums of its own that are added in ascending order. */
template <class T>
class DepthwiseWeight final : public Instruction {
 public:
  DepthwiseWeight(const ConvGeometry& g, Operand x, Operand y, Operand dw, InstructionReader& reader)
      : geometry_(g), args_(depthwise_args<T>(g, false)), x_(x), y_(y), dw_(dw) {
    rows_ = g.n * g.out[0] * g.out[1];
    work_ = rows_ * g.out[2] * g.w_elements();
    slices_ = std::clamp<int64_t>(std::min(work_ / kTaskWork, rows_), 1, kMaxSlices);
    reader.need_shared(reader.product({slices_, g.w_elements(), static_cast<int64_t>(sizeof(T))}));
  }

  void run(RunContext& context) const noexcept override {
    const ConvGeometry& g = geometry_;
    const int64_t size = g.w_elements();
    if (size == 0) return;
    DepthwiseArgs<T> args = args_;
    args.from = context.at<const T>(x_);
    const T* const y = context.at<const T>(y_);
    T* const sums = reinterpret_cast<T*>(context.shared);  // [slice][tap][channel]
    T* const dw = context.at<T>(dw_);
    const Kernels<T>& kernels = context.table<T>();
    context.team.parallel_for(slices_, [&](int64_t slice, int) noexcept {
      kernels.depthwise_weight(args, y, {rows_ * slice / slices_, rows_ * (slice + 1) / slices_}, sums + slice * size);
    });
    kernels.reduce_rows(static_cast<int>(Reduction::SUM), sums, slices_, size, size, sums);
    for (int64_t channel = 0; channel < g.c; ++channel) {
      for (int64_t tap = 0; tap < g.taps; ++tap) dw[channel * g.taps + tap] = sums[tap * g.c + channel];
    }
  }

 private:
  ConvGeometry geometry_;
  DepthwiseArgs<T> args_;
  Operand x_, y_, dw_;
  int64_t rows_, work_, slices_;
};

}  // namespace

std::unique_ptr<Instruction> make_depthwise(DType dtype, const ConvShape& shape, bool backward,
                                            InstructionReader& reader) {
  return make_float<Depthwise>(dtype, shape, backward, reader);
}

std::unique_ptr<Instruction> make_depthwise_weight(DType dtype, const ConvGeometry& geometry, Operand x, Operand g,
                                                   Operand dw, InstructionReader& reader) {
  return make_float<DepthwiseWeight>(dtype, geometry, x, g, dw, reader);
}

}  // namespace neurite
