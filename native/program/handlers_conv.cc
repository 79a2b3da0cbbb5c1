// CONV and CONV_DATA_GRAD.
#include <algorithm>
#include <optional>

#include "../base/checked.h"
#include "../kernels/conv_tables.h"
#include "conv.h"

namespace neurite {

ConvGeometry read_conv_geometry(InstructionReader& reader) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  ConvGeometry g{};
  g.n = reader.size("n");
  g.c = reader.size("c");
  g.o = reader.size("o");
  g.groups = reader.choice("groups", 1, kMost);
  for (int64_t& x : g.in) x = reader.size("in");
  for (int64_t& x : g.kernel) x = reader.choice("kernel", 1, kMost);
  for (int64_t& x : g.out) x = reader.size("out");
  for (int64_t& x : g.stride) x = reader.choice("stride", 1, kMost);
  for (int64_t& x : g.pad) x = reader.size("pad");
  for (int64_t& x : g.dilation) x = reader.choice("dilation", 1, kMost);
  if (g.c % g.groups != 0 || g.o % g.groups != 0) {
    reader.fail("groups " + std::to_string(g.groups) + " does not divide " + std::to_string(g.c) + " and " +
                std::to_string(g.o) + " channels");
  }
  g.group_c = g.c / g.groups;
  g.group_o = g.o / g.groups;
  g.in_positions = reader.product({g.in[0], g.in[1], g.in[2]});
  g.out_positions = reader.product({g.out[0], g.out[1], g.out[2]});
  g.taps = reader.product({g.kernel[0], g.kernel[1], g.kernel[2]});
  reader.product({g.n, g.in_positions, g.c, 8});
  reader.product({g.o, g.group_c, g.taps, 8});
  reader.product({g.n, g.out_positions, g.o, 8});
  // The work, so that no count of it overflows.
  reader.product({g.n, std::max<int64_t>(1, g.out_positions), std::max<int64_t>(1, g.o), g.taps,
                  std::max<int64_t>(1, g.group_c), 2});
  return g;
}

namespace {

constexpr int64_t kSerialWork = 400'000;     // multiply-adds below which waking a thread costs more than it gives
constexpr int64_t kTaskWork = 4'000'000;     // and what a task has at most, if it has more than one row
constexpr int64_t kTasksPerThread = 4;       // so that a thread that was interrupted does not hold up the rest
constexpr int64_t kCopyBytes = 256 << 10;    // of a task's copied source rows, and
constexpr int64_t kMostCopyBytes = 1 << 20;  // where the halo is high
constexpr int64_t kWeightBytes = 1 << 20;    // of packed weights that stay in the second-level cache
constexpr int64_t kColumns = 448;            // of a task, where a row is longer: whole tiles of 14, 8 and 4
constexpr int64_t kPackProducts = 4096;      // rows of a panel packed by one task

/** CONV, or with `backward` CONV_DATA_GRAD: the same sums over the taps, seen from the other side. */
template <class T>
class Conv final : public Instruction {
 public:
  Conv(const ConvShape& shape, bool backward, InstructionReader& reader) : shape_(shape) {
    const ConvGeometry& g = shape.g;
    const bool pointwise = g.is_pointwise();
    args_.backward = backward;
    args_.groups = g.groups;
    args_.from_channels = backward ? g.group_o : g.group_c;
    args_.to_channels = backward ? g.group_c : g.group_o;
    args_.act = shape.act;
    args_.act_grad = shape.act_grad;
    images_ = pointwise ? 1 : g.n;
    const int64_t positions = backward ? g.in_positions : g.out_positions;
    out_ = g.n * positions * args_.groups * args_.to_channels;
    if (out_ == 0) return;
    for (int a = 0; a < kConvAxes; ++a) {
      ConvAxis& axis = args_.axes[a];
      axis.from = backward ? g.out[a] : g.in[a];
      axis.to = backward ? g.in[a] : g.out[a];
      if (pointwise) axis.from = axis.to = a == 2 ? g.n * positions : 1;
      axis.kernel = args_.from_channels == 0 ? 1 : g.kernel[a];  // nothing to sum, whatever its size
      axis.stride = g.stride[a];
      axis.dilation = g.dilation[a];
      axis.pad = g.pad[a];
      axis.backward = backward;
    }
    tables_.emplace(args_.axes);
    plan(reader);
  }

  void run(RunContext& context) const noexcept override {
    if (out_ == 0) return;
    const Kernels<T>& kernels = context.table<T>();
    ConvArgs<T> args = args_;
    args.from = context.at<const T>(args.backward ? shape_.y : shape_.x);
    args.weights = context.at<const T>(shape_.w);
    args.packed = reinterpret_cast<T*>(context.shared);
    args.to = context.at<T>(args.backward ? shape_.x : shape_.y);
    args.bias = context.at<const T>(shape_.bias);
    args.aux = context.at<const T>(shape_.aux);
    const int64_t panels = kernels.conv_panels(args);
    const bool serial = work_ < kSerialWork;
    const auto each = [&](int64_t tasks, auto body) noexcept {
      if (serial) {
        for (int64_t task = 0; task < tasks; ++task) body(task, 0);
      } else {
        context.team.parallel_for(tasks, body);
      }
    };
    const int64_t chunks = ceil_div(args.from_channels, pack_channels_);
    each(panels * chunks, [&](int64_t task, int) noexcept {
      const int64_t channel = task % chunks * pack_channels_;
      kernels.conv_pack(args, tables_->rows(), task / chunks,
                        {channel, std::min(args.from_channels, channel + pack_channels_)});
    });

    // Blocks are ordered so that a thread goes through the pictures with the same weights in its cache.
    const ConvAxis* axes = args.axes;
    const int64_t panel_bytes = std::max<int64_t>(1, kernels.conv_packed(args) / panels) * int64_t{sizeof(T)};
    const int64_t weight_blocks = ceil_div(panels * panel_bytes, kWeightBytes);
    int64_t panel_step = ceil_div(panels, std::min(panels, weight_blocks));
    int64_t row_step = rows_;
    const int64_t slabs = images_ * axes[0].to * ceil_div(axes[2].positions, cols_);
    const auto tasks_of = [&]() noexcept {
      return ceil_div(panels, panel_step) * slabs * ceil_div(axes[1].positions, row_step);
    };
    const int64_t wanted = serial || context.team.size() == 1 ? 1 : kTasksPerThread * context.team.size();
    while (tasks_of() < wanted && row_step > 1) row_step = ceil_div(row_step, 2);
    while (tasks_of() < wanted && panel_step > 1) panel_step = ceil_div(panel_step, 2);
    const int64_t row_blocks = ceil_div(axes[1].positions, row_step);
    const int64_t col_blocks = ceil_div(axes[2].positions, cols_);
    each(tasks_of(), [&](int64_t task, int worker) noexcept {
      ConvBlock block;
      block.row = task % row_blocks * row_step;
      block.rows = std::min(row_step, axes[1].positions - block.row);
      task /= row_blocks;
      block.col = task % col_blocks * cols_;
      block.cols = std::min(cols_, axes[2].positions - block.col);
      task /= col_blocks;
      block.depth = task % axes[0].to;
      task /= axes[0].to;
      block.image = task % images_;
      block.panel = task / images_ * panel_step;
      block.panels = std::min(panel_step, panels - block.panel);
      kernels.conv(args, block, context.scratch(worker));
    });
  }

 private:
  /** Blocks of the destination, and the memory they take. */
  void plan(InstructionReader& reader) {
    const ConvAxis* axes = args_.axes;
    const int64_t taps = axes[0].taps * axes[1].taps * axes[2].taps;
    work_ = out_ * std::max<int64_t>(1, taps * args_.from_channels);
    pack_channels_ = std::clamp<int64_t>(kPackProducts / (axes[0].kernel * axes[1].kernel * axes[2].kernel), 1, 256);
    const int64_t length = axes[2].positions, height = axes[1].positions;
    cols_ = length <= kColumns + kColumns / 8 ? length : kColumns;
    const auto source_bytes = [&](int64_t rows) {
      return reader.product({axes[0].taps, rows * axes[1].step + axes[1].high - axes[1].low,
                             cols_ * axes[2].step + axes[2].high - axes[2].low, args_.groups * args_.from_channels,
                             int64_t{sizeof(T)}});
    };
    const int64_t row_work = work_ / (images_ * axes[0].to * height * ceil_div(length, cols_));
    rows_ = height;
    while (rows_ > 1 && (source_bytes(rows_) > kMostCopyBytes || rows_ * row_work > kTaskWork ||
                         (source_bytes(rows_) > kCopyBytes && rows_ > 4 * axes[1].taps))) {
      rows_ = ceil_div(rows_, 2);
    }
    rows_ = ceil_div(height, ceil_div(height, rows_));
    source_bytes(rows_);
    for (int i = 0; const KernelTable* table = table_at(i); ++i) {
      const Kernels<T>& kernels = kernels_of<T>(*table);
      reader.need_worker(kernels.conv_scratch(args_, rows_, cols_));
      reader.need_shared(kernels.conv_packed(args_) * int64_t{sizeof(T)});
    }
  }

  ConvShape shape_;
  ConvArgs<T> args_{};
  int64_t images_, out_, work_ = 0;  // elements of the destination, multiply-adds
  int64_t rows_ = 1, cols_ = 1;      // of a block at most
  int64_t pack_channels_ = 1;
  std::optional<ConvTables> tables_;
};

std::unique_ptr<Instruction> parse_conv(InstructionReader& reader, bool backward) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const DType dtype = reader.dtype();
  const auto last_activation = static_cast<int32_t>(Activation::SIGMOID);
  ConvShape s{};
  s.act = static_cast<Activation>(reader.choice("activation", 0, last_activation));
  s.act_grad = static_cast<Activation>(reader.choice("activationGrad", 0, last_activation));
  s.g = read_conv_geometry(reader);
  const int64_t out = backward ? s.g.x_elements() : s.g.y_elements();
  (backward ? s.y : s.x) = reader.input(backward ? "g" : "x", dtype, backward ? s.g.y_elements() : s.g.x_elements());
  s.w = reader.input("w", dtype, s.g.w_elements());
  (backward ? s.x : s.y) = reader.output(backward ? "dx" : "out", dtype, out);
  s.bias = reader.optional("bias", dtype, backward ? s.g.c : s.g.o, Access::READ);
  s.aux = reader.optional("aux", dtype, out, Access::READ);
  if (s.act_grad != Activation::IDENTITY && !s.aux.present()) reader.fail("activationGrad needs aux");
  if (s.act_grad == Activation::IDENTITY && s.aux.present()) reader.fail("aux without activationGrad");
  if (s.g.is_depthwise()) return make_depthwise(dtype, s, backward, reader);
  return make_float<Conv>(dtype, s, backward, reader);
}

}  // namespace

std::unique_ptr<Instruction> parse_CONV(InstructionReader& reader) { return parse_conv(reader, false); }

std::unique_ptr<Instruction> parse_CONV_DATA_GRAD(InstructionReader& reader) { return parse_conv(reader, true); }

}  // namespace neurite
