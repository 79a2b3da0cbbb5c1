// CONV_WEIGHT_GRAD: slices of the output pixels by the shape alone, each summed into a part of its own; the parts are
// added in ascending order.
#include <algorithm>

#include "../base/checked.h"
#include "conv.h"

namespace neurite {
namespace {

constexpr int64_t kMaxSlices = 16;
constexpr int64_t kSlicePixels = 2048;     // that pay for a part and for adding it
constexpr int64_t kSliceWork = 1'000'000;  // multiply-adds
constexpr int64_t kTasksPerThread = 4;     // so that a thread that was interrupted does not hold up the rest
constexpr int64_t kSumColumns = 4096;      // elements of a part, and of a row of dw, that are one task
constexpr int64_t kWriteColumns = 256;
static_assert(kMaxSlices <= kReduceRows);

template <class T>
class ConvWeightGrad final : public Instruction {
 public:
  ConvWeightGrad(const ConvGeometry& geometry, Operand x, Operand g, Operand dw, InstructionReader& reader)
      : geometry_(geometry), x_(x), g_(g), dw_(dw) {
    const ConvGeometry& s = geometry_;
    if (s.w_elements() == 0) return;
    pixels_ = s.n * s.out_positions;
    if (s.in_positions == 0) pixels_ = 0;
    if (pixels_ == 0) return;
    const int64_t work = pixels_ * s.w_elements();
    wanted_ = std::clamp<int64_t>(std::min(pixels_ / kSlicePixels, work / kSliceWork), 1, kMaxSlices);
    for (int i = 0; const KernelTable* table = table_at(i); ++i) {
      const ConvWeightSizes sizes = kernels_of<T>(*table).conv_weight_sizes(arguments());
      reader.need_worker(sizes.scratch);
      reader.need_shared(reader.product({slices(sizes), sizes.sums, static_cast<int64_t>(sizeof(T))}));
    }
  }

  void run(RunContext& context) const noexcept override {
    const ConvGeometry& s = geometry_;
    T* const dw = context.at<T>(dw_);
    if (pixels_ == 0) {
      std::fill_n(dw, s.w_elements(), T{0});
      return;
    }
    const Kernels<T>& kernels = context.table<T>();
    ConvWeightArgs<T> args = arguments();
    args.x = context.at<const T>(x_);
    args.g = context.at<const T>(g_);
    const ConvWeightSizes sizes = kernels.conv_weight_sizes(args);
    T* const sums = reinterpret_cast<T*>(context.shared);
    const int64_t slices = this->slices(sizes), threads = context.team.size();
    // Every chunk of panels copies the input again.
    const int64_t chunks = threads == 1 ? 1 : std::min(sizes.panels, ceil_div(kTasksPerThread * threads, slices));
    context.team.parallel_for(slices * chunks, [&](int64_t task, int worker) noexcept {
      const int64_t slice = task / chunks, chunk = task % chunks;
      kernels.conv_weight(args, part(sizes.blocks, slice, slices), part(sizes.panels, chunk, chunks),
                          sums + slice * sizes.sums, context.scratch(worker));
    });
    if (slices > 1) {
      context.team.parallel_for(ceil_div(sizes.sums, kSumColumns), [&](int64_t task, int) noexcept {
        T* const first = sums + task * kSumColumns;
        kernels.reduce_rows(static_cast<int>(Reduction::SUM), first, slices, sizes.sums,
                            std::min(kSumColumns, sizes.sums - task * kSumColumns), first);
      });
    }
    const int64_t row = s.group_c * s.taps;
    context.team.parallel_for(ceil_div(row, kWriteColumns), [&](int64_t task, int) noexcept {
      kernels.conv_weight_write(args, {task * kWriteColumns, std::min(row, (task + 1) * kWriteColumns)}, sums, dw);
    });
  }

 private:
  static Range part(int64_t n, int64_t i, int64_t parts) noexcept { return {n * i / parts, n * (i + 1) / parts}; }

  int64_t slices(const ConvWeightSizes& sizes) const noexcept { return std::min(wanted_, sizes.blocks); }

  ConvWeightArgs<T> arguments() const noexcept {
    const ConvGeometry& s = geometry_;
    ConvWeightArgs<T> args{};
    args.n = s.n;
    args.c = s.c;
    args.o = s.o;
    args.groups = s.groups;
    for (int i = 0; i < kConvAxes; ++i) {
      args.in[i] = s.in[i];
      args.kernel[i] = s.kernel[i];
      args.out[i] = s.out[i];
      args.stride[i] = s.stride[i];
      args.pad[i] = s.pad[i];
      args.dilation[i] = s.dilation[i];
    }
    return args;
  }

  ConvGeometry geometry_;
  Operand x_, g_, dw_;
  int64_t pixels_ = 0;  // of the output
  int64_t wanted_ = 1;  // slices
};

}  // namespace

std::unique_ptr<Instruction> parse_CONV_WEIGHT_GRAD(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const DType dtype = reader.dtype();
  const ConvGeometry geometry = read_conv_geometry(reader);
  const Operand x = reader.input("x", dtype, geometry.x_elements());
  const Operand g = reader.input("g", dtype, geometry.y_elements());
  const Operand dw = reader.output("dw", dtype, geometry.w_elements());
  if (geometry.is_depthwise()) return make_depthwise_weight(dtype, geometry, x, g, dw, reader);
  return make_float<ConvWeightGrad>(dtype, geometry, x, g, dw, reader);
}

}  // namespace neurite
