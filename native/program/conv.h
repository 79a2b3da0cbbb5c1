// The sizes of a convolution, as CONV, CONV_DATA_GRAD and CONV_WEIGHT_GRAD share them.
#pragma once
#include <cstdint>

#include "reader.h"

namespace neurite {

inline constexpr int kConvAxes = 3;  // depth, height, width; fewer dimensions set the leading ones to size 1

/**
 * x[n, in..., c], w[o, c / groups, kernel...], y[n, out..., o]. Along an axis, tap t of output position q meets input
 * position q * stride + t * dilation - pad; what lies outside [0, in) counts as 0.
 */
struct ConvGeometry {
  int64_t n, c, o, groups;
  int64_t in[kConvAxes], kernel[kConvAxes], out[kConvAxes];
  int64_t stride[kConvAxes], pad[kConvAxes], dilation[kConvAxes];
  // Products, checked: positions of one image, taps, channels of a group.
  int64_t in_positions, out_positions, taps, group_c, group_o;

  int64_t x_elements() const noexcept { return n * in_positions * c; }
  int64_t w_elements() const noexcept { return o * group_c * taps; }
  int64_t y_elements() const noexcept { return n * out_positions * o; }
  /** Whether every output position is the product of the input's channels at that position with one matrix. */
  bool is_pointwise() const noexcept {
    bool same = true;
    for (int a = 0; a < kConvAxes; ++a) {
      same = same && kernel[a] == 1 && stride[a] == 1 && pad[a] == 0 && in[a] == out[a];
    }
    return same;
  }
  /** Whether every channel has a filter of its own, of a size that the kernels for that take. */
  bool is_depthwise() const noexcept { return groups == c && groups == o && taps <= kMaxDepthwiseTaps; }
  int64_t position(int axis, int64_t q, int64_t tap) const noexcept {
    return q * stride[axis] + tap * dilation[axis] - pad[axis];
  }
};

/** Reads and checks `n c o groups in[3] kernel[3] out[3] stride[3] pad[3] dilation[3]`. */
ConvGeometry read_conv_geometry(InstructionReader& reader);

struct ConvShape {
  ConvGeometry g;
  Activation act, act_grad;
  Operand x, w, y, bias, aux;  // as the geometry names them: CONV_DATA_GRAD reads y and writes x
};

// Where the geometry is_depthwise().
std::unique_ptr<Instruction> make_depthwise(DType dtype, const ConvShape& shape, bool backward,
                                            InstructionReader& reader);
std::unique_ptr<Instruction> make_depthwise_weight(DType dtype, const ConvGeometry& geometry, Operand x, Operand g,
                                                   Operand dw, InstructionReader& reader);

}  // namespace neurite
