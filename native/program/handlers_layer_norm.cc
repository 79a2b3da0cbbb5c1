// LAYER_NORM and RMS_NORM, forward and backward. Sums over rows are taken in slices that depend on the shape alone,
// then combined by a fixed tree.
#include "norm_parts.h"

namespace neurite {
namespace {

struct LayerNormShape {
  int64_t rows, cols;
  double eps;
  Operand x, weight, bias, y, mean, rstd;
  bool rms;
};

template <class T>
class LayerNorm final : public Instruction {
 public:
  explicit LayerNorm(const LayerNormShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const LayerNormShape& s = shape_;
    if (s.cols == 0) return;
    const LayerNormArgs<T> all{s.cols,
                               s.eps,
                               context.at<const T>(s.x),
                               context.at<const T>(s.weight),
                               context.at<const T>(s.bias),
                               context.at<T>(s.y),
                               context.at<T>(s.mean),
                               context.at<T>(s.rstd),
                               s.rms};
    each_rows(context.team, s.rows, s.cols, [&](int64_t row, int64_t rows) noexcept {
      LayerNormArgs<T> args = all;
      args.x += row * s.cols;
      if (args.y != nullptr) args.y += row * s.cols;
      if (args.mean != nullptr) args.mean += row;
      if (args.rstd != nullptr) args.rstd += row;
      context.table<T>().layer_norm(args, rows);
    });
  }

 private:
  LayerNormShape shape_;
};

struct LayerNormGradShape {
  int64_t rows, cols;
  Operand g, x, mean, rstd, weight, dx, dweight, dbias;
};

template <class T>
class LayerNormGrad final : public Instruction {
 public:
  explicit LayerNormGrad(const LayerNormGradShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const LayerNormGradShape& s = shape_;
    T* const dweight = context.at<T>(s.dweight);
    T* const dbias = context.at<T>(s.dbias);
    const int64_t slices = ceil_div(s.rows, kNormRows);
    if (s.cols == 0) return;
    if (slices == 0) {
      if (dweight != nullptr) std::fill_n(dweight, s.cols, T{0});
      if (dbias != nullptr) std::fill_n(dbias, s.cols, T{0});
      return;
    }
    T* const weights = reinterpret_cast<T*>(context.shared);
    T* const biases = weights + (dweight == nullptr ? 0 : slices * s.cols);
    const LayerNormGradArgs<T> all{s.cols,
                                   context.at<const T>(s.g),
                                   context.at<const T>(s.x),
                                   context.at<const T>(s.mean),
                                   context.at<const T>(s.rstd),
                                   context.at<const T>(s.weight),
                                   context.at<T>(s.dx),
                                   nullptr,
                                   nullptr};
    const int64_t group = std::max<int64_t>(1, kNormTaskElements / (kNormRows * s.cols));
    context.team.parallel_for(ceil_div(slices, group), [&](int64_t task, int) noexcept {
      for (int64_t slice = task * group; slice < std::min(slices, (task + 1) * group); ++slice) {
        const int64_t row = slice * kNormRows, at = row * s.cols;
        LayerNormGradArgs<T> args = all;
        args.g += at;
        args.x += at;
        if (args.mean != nullptr) args.mean += row;
        args.rstd += row;
        if (args.dx != nullptr) args.dx += at;
        if (dweight != nullptr) args.dweight = weights + slice * s.cols;
        if (dbias != nullptr) args.dbias = biases + slice * s.cols;
        context.table<T>().layer_norm_grad(args, std::min(kNormRows, s.rows - row));
      }
    });
    if (dweight != nullptr) fold_slices(context, weights, slices, s.cols, dweight);
    if (dbias != nullptr) fold_slices(context, biases, slices, s.cols, dbias);
  }

 private:
  LayerNormGradShape shape_;
};

std::unique_ptr<Instruction> parse_layer_norm(InstructionReader& reader, bool rms) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const DType dtype = reader.dtype();
  LayerNormShape s{};
  s.rms = rms;
  s.rows = reader.size("rows");
  s.cols = reader.size("cols");
  s.eps = epsilon(reader);
  const int64_t elements = reader.product({s.rows, s.cols});
  s.x = reader.input("x", dtype, elements);
  s.weight = reader.optional("weight", dtype, s.cols, Access::READ);
  if (!rms) s.bias = reader.optional("bias", dtype, s.cols, Access::READ);
  s.y = reader.optional("y", dtype, elements, Access::WRITE);
  if (!rms) s.mean = reader.optional("mean", dtype, s.rows, Access::WRITE);
  s.rstd = reader.optional("rstd", dtype, s.rows, Access::WRITE);
  return make_float<LayerNorm>(dtype, s);
}

std::unique_ptr<Instruction> parse_layer_norm_grad(InstructionReader& reader, bool rms) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  const DType dtype = reader.dtype();
  LayerNormGradShape s{};
  s.rows = reader.size("rows");
  s.cols = reader.size("cols");
  const int64_t elements = reader.product({s.rows, s.cols});
  s.g = reader.input("g", dtype, elements);
  s.x = reader.input("x", dtype, elements);
  if (!rms) s.mean = reader.input("mean", dtype, s.rows);
  s.rstd = reader.input("rstd", dtype, s.rows);
  s.weight = reader.optional("weight", dtype, s.cols, Access::READ);
  s.dx = reader.optional("dx", dtype, elements, Access::WRITE);
  s.dweight = reader.optional("dweight", dtype, s.cols, Access::WRITE);
  if (!rms) s.dbias = reader.optional("dbias", dtype, s.cols, Access::WRITE);
  const int64_t sums = (s.dweight.present() ? 1 : 0) + (s.dbias.present() ? 1 : 0);
  reader.need_shared(bytes_of(reader, reader.product({sums, ceil_div(s.rows, kNormRows), s.cols})));
  return make_float<LayerNormGrad>(dtype, s);
}

}  // namespace

std::unique_ptr<Instruction> parse_LAYER_NORM(InstructionReader& reader) { return parse_layer_norm(reader, false); }
std::unique_ptr<Instruction> parse_RMS_NORM(InstructionReader& reader) { return parse_layer_norm(reader, true); }

std::unique_ptr<Instruction> parse_LAYER_NORM_GRAD(InstructionReader& reader) {
  return parse_layer_norm_grad(reader, false);
}
std::unique_ptr<Instruction> parse_RMS_NORM_GRAD(InstructionReader& reader) {
  return parse_layer_norm_grad(reader, true);
}

}  // namespace neurite
