// SOFTMAX, LOG_SOFTMAX, their gradients and SOFTMAX_CE over rows.
#include "norm_parts.h"

namespace neurite {
namespace {

struct SoftmaxShape {
  int64_t rows, cols;
  Operand in, out;
  bool log;
};

template <class T>
class Softmax final : public Instruction {
 public:
  explicit Softmax(const SoftmaxShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const SoftmaxShape& s = shape_;
    if (s.cols == 0) return;
    const T* x = context.at<const T>(s.in);
    T* y = context.at<T>(s.out);
    each_rows(context.team, s.rows, s.cols, [&](int64_t row, int64_t rows) noexcept {
      const int64_t at = row * s.cols;
      context.table<T>().softmax(x + at, rows, s.cols, y + at, s.log);
    });
  }

 private:
  SoftmaxShape shape_;
};

std::unique_ptr<Instruction> parse(InstructionReader& reader, bool log) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SoftmaxShape shape{};
  shape.log = log;
  shape.rows = reader.size("rows");
  shape.cols = reader.size("cols");
  const int64_t elements = reader.product({shape.rows, shape.cols});
  shape.in = reader.input("in", reader.dtype(), elements);
  shape.out = reader.output("out", reader.dtype(), elements);
  return make_float<Softmax>(reader.dtype(), shape);
}

struct SoftmaxGradShape {
  int64_t rows, cols;
  Operand g, y, dx;
  bool log;
};

template <class T>
class SoftmaxGrad final : public Instruction {
 public:
  explicit SoftmaxGrad(const SoftmaxGradShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const SoftmaxGradShape& s = shape_;
    if (s.cols == 0) return;
    const T* g = context.at<const T>(s.g);
    const T* y = context.at<const T>(s.y);
    T* dx = context.at<T>(s.dx);
    each_rows(context.team, s.rows, s.cols, [&](int64_t row, int64_t rows) noexcept {
      const int64_t at = row * s.cols;
      context.table<T>().softmax_grad(g + at, y + at, rows, s.cols, dx + at, s.log);
    });
  }

 private:
  SoftmaxGradShape shape_;
};

std::unique_ptr<Instruction> parse_grad(InstructionReader& reader, bool log) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SoftmaxGradShape shape{};
  shape.log = log;
  shape.rows = reader.size("rows");
  shape.cols = reader.size("cols");
  const int64_t elements = reader.product({shape.rows, shape.cols});
  shape.g = reader.input("g", reader.dtype(), elements);
  shape.y = reader.input("y", reader.dtype(), elements);
  shape.dx = reader.output("dx", reader.dtype(), elements);
  return make_float<SoftmaxGrad>(reader.dtype(), shape);
}

struct SoftmaxCeShape {
  int64_t rows, cols;
  Operand x, labels, loss, grad;
};

template <class T>
class SoftmaxCe final : public Instruction {
 public:
  explicit SoftmaxCe(const SoftmaxCeShape& shape) : shape_(shape) {}
  void run(RunContext& context) const noexcept override {
    const SoftmaxCeShape& s = shape_;
    const int32_t* labels = context.at<const int32_t>(s.labels);
    for (int64_t i = 0; i < s.rows; ++i) {
      if (labels[i] < 0 || labels[i] >= s.cols) return context.fail(RunCode::INDEX, i, labels[i]);
    }
    const T* x = context.at<const T>(s.x);
    T* loss = context.at<T>(s.loss);
    T* grad = context.at<T>(s.grad);
    each_rows(context.team, s.rows, s.cols, [&](int64_t row, int64_t rows) noexcept {
      const int64_t at = row * s.cols;
      context.table<T>().softmax_ce(x + at, labels + row, rows, s.cols, loss == nullptr ? nullptr : loss + row,
                                    grad == nullptr ? nullptr : grad + at);
    });
  }

 private:
  SoftmaxCeShape shape_;
};

}  // namespace

std::unique_ptr<Instruction> parse_SOFTMAX(InstructionReader& reader) { return parse(reader, false); }
std::unique_ptr<Instruction> parse_LOG_SOFTMAX(InstructionReader& reader) { return parse(reader, true); }

std::unique_ptr<Instruction> parse_SOFTMAX_GRAD(InstructionReader& reader) { return parse_grad(reader, false); }

std::unique_ptr<Instruction> parse_LOG_SOFTMAX_GRAD(InstructionReader& reader) { return parse_grad(reader, true); }

std::unique_ptr<Instruction> parse_SOFTMAX_CE(InstructionReader& reader) {
  reader.expect_dtype({DType::FLOAT32, DType::FLOAT64});
  SoftmaxCeShape shape{};
  shape.rows = reader.size("rows");
  shape.cols = reader.size("cols");
  const int64_t elements = reader.product({shape.rows, shape.cols});
  shape.x = reader.input("x", reader.dtype(), elements);
  shape.labels = reader.input("labels", DType::INT32, shape.rows);
  shape.loss = reader.optional("loss", reader.dtype(), shape.rows, Access::WRITE);
  shape.grad = reader.optional("grad", reader.dtype(), elements, Access::WRITE);
  if (!shape.loss.present() && !shape.grad.present()) reader.fail("has neither loss nor grad");
  return make_float<SoftmaxCe>(reader.dtype(), shape);
}

}  // namespace neurite
