// CONV and CONV_DATA_GRAD.
#include <algorithm>

#include "../base/checked.h"
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

struct ConvShape {
  ConvGeometry g;
  Activation act, act_grad;
  Operand x, w, y, bias, aux;  // as the geometry names them: CONV_DATA_GRAD reads y and writes x
};

/** Calls body(tap, in, out) for every tap and pair of positions (of one image) that meet at output position `out`. */
template <class Body>
void for_taps_of_output(const ConvGeometry& g, int64_t out, Body body) noexcept {
  const int64_t q[] = {out / (g.out[1] * g.out[2]), out / g.out[2] % g.out[1], out % g.out[2]};
  for (int64_t tap = 0; tap < g.taps; ++tap) {
    const int64_t t[] = {tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1], tap % g.kernel[2]};
    int64_t in = 0;
    bool inside = true;
    for (int a = 0; a < kConvAxes; ++a) {
      const int64_t p = g.position(a, q[a], t[a]);
      inside = inside && p >= 0 && p < g.in[a];
      if (inside) in = in * g.in[a] + p;
    }
    if (inside) body(tap, in);
  }
}

/** The same from the side of the input. */
template <class Body>
void for_taps_of_input(const ConvGeometry& g, int64_t in, Body body) noexcept {
  const int64_t p[] = {in / (g.in[1] * g.in[2]), in / g.in[2] % g.in[1], in % g.in[2]};
  for (int64_t tap = 0; tap < g.taps; ++tap) {
    const int64_t t[] = {tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1], tap % g.kernel[2]};
    int64_t out = 0;
    bool meets = true;
    for (int a = 0; a < kConvAxes; ++a) {
      const int64_t reach = p[a] + g.pad[a] - t[a] * g.dilation[a], q = reach / g.stride[a];
      meets = meets && reach >= 0 && reach % g.stride[a] == 0 && q < g.out[a];
      if (meets) out = out * g.out[a] + q;
    }
    if (meets) body(tap, out);
  }
}

int activation_code(Activation act) {
  return static_cast<int>(act == Activation::RELU   ? Micro::RELU
                          : act == Activation::TANH ? Micro::TANH
                                                    : Micro::SIGMOID);
}

int gradient_code(Activation act) {
  return static_cast<int>(act == Activation::RELU   ? Micro::RELU_GRAD
                          : act == Activation::TANH ? Micro::TANH_GRAD
                                                    : Micro::SIGMOID_GRAD);
}

template <class T>
class Conv final : public Instruction {
 public:
  explicit Conv(const ConvShape& shape, bool backward) : shape_(shape), backward_(backward) {}

  void run(RunContext& context) const noexcept override {
    const ConvGeometry& g = shape_.g;
    const int64_t channels = backward_ ? g.c : g.o, positions = backward_ ? g.in_positions : g.out_positions;
    const int64_t others = backward_ ? g.group_o : g.group_c;
    T* const to = context.at<T>(backward_ ? shape_.x : shape_.y);
    const T* const from = context.at<const T>(backward_ ? shape_.y : shape_.x);
    const T* const w = context.at<const T>(shape_.w);
    const T* const bias = context.at<const T>(shape_.bias);
    const T* const aux = context.at<const T>(shape_.aux);
    const int64_t others_all = others * g.groups, from_positions = backward_ ? g.out_positions : g.in_positions;
    if (channels == 0) return;
    context.team.parallel_for(g.n * positions, [&](int64_t row, int) noexcept {
      const int64_t image = row / positions, position = row % positions;
      T* const y = to + row * channels;
      for (int64_t j = 0; j < channels; ++j) y[j] = T{0};
      const auto add = [&](int64_t tap, int64_t other) {
        const T* const x = from + (image * from_positions + other) * others_all;
        const int64_t per = channels / g.groups;
        for (int64_t j = 0; j < channels; ++j) {
          const int64_t group = j / per;
          T sum = y[j];
          for (int64_t i = 0; i < others; ++i) {
            const int64_t o = backward_ ? group * others + i : j, c = backward_ ? j % per : i;
            sum += x[group * others + i] * w[(o * g.group_c + c) * g.taps + tap];
          }
          y[j] = sum;
        }
      };
      if (others > 0 && backward_) for_taps_of_input(g, position, add);
      if (others > 0 && !backward_) for_taps_of_output(g, position, add);
      const Kernels<T>& kernels = context.table<T>();
      if (bias != nullptr) kernels.micro(static_cast<int>(Micro::ADD), y, y, bias, y, channels);
      if (shape_.act != Activation::IDENTITY) kernels.micro(activation_code(shape_.act), y, y, y, y, channels);
      if (shape_.act_grad != Activation::IDENTITY) {
        kernels.micro(gradient_code(shape_.act_grad), y, y, aux + row * channels, y, channels);
      }
    });
  }

 private:
  ConvShape shape_;
  bool backward_;
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
  return make_float<Conv>(dtype, s, backward);
}

}  // namespace

std::unique_ptr<Instruction> parse_CONV(InstructionReader& reader) { return parse_conv(reader, false); }

std::unique_ptr<Instruction> parse_CONV_DATA_GRAD(InstructionReader& reader) { return parse_conv(reader, true); }

}  // namespace neurite
