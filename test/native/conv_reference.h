// Convolutions to try, and all their products in the order of the definition.
#pragma once
#include <cstddef>
#include <cstdint>

namespace check {

struct ConvShape {
  const char* name;
  int64_t n, c, o, groups, in[3], kernel[3], stride[3], pad[3], dilation[3];

  int64_t out(int axis) const {
    return (in[axis] + 2 * pad[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1;
  }
  int64_t inside() const { return in[0] * in[1] * in[2]; }
  int64_t outside() const { return out(0) * out(1) * out(2); }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// body(element of x, of w, of y): x and y have the channels last, w is [o, c / groups, taps].
template <class Body>
void each_product(const ConvShape& s, Body body) {
  const int64_t per_c = s.c / s.groups, per_o = s.o / s.groups, outside = s.outside(), taps = s.taps();
  const int64_t outs[] = {s.out(0), s.out(1), s.out(2)};
  for (int64_t q = 0; q < s.n * outside; ++q) {
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t at[] = {q / (outs[1] * outs[2]) % outs[0], q / outs[2] % outs[1], q % outs[2]};
      const int64_t tap[] = {t / (s.kernel[1] * s.kernel[2]), t / s.kernel[2] % s.kernel[1], t % s.kernel[2]};
      int64_t p = q / outside;
      bool inside = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t x = at[i] * s.stride[i] + tap[i] * s.dilation[i] - s.pad[i];
        inside = inside && x >= 0 && x < s.in[i];
        p = p * s.in[i] + x;
      }
      for (int64_t o = 0; inside && o < s.o; ++o) {
        for (int64_t i = 0; i < per_c; ++i) {
          body(static_cast<size_t>(p * s.c + o / per_o * per_c + i), static_cast<size_t>((o * per_c + i) * taps + t),
               static_cast<size_t>(q * s.o + o));
        }
      }
    }
  }
}

// What both tests try; what one kernel alone treats by itself is in its test.
constexpr ConvShape kConvShapes[] = {
    {"same 3x3", 2, 17, 37, 1, {1, 9, 31}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"strided", 2, 15, 33, 1, {1, 9, 12}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}},
    {"colours", 1, 3, 24, 1, {1, 23, 31}, {1, 7, 7}, {1, 2, 2}, {0, 3, 3}, {1, 1, 1}},
    {"dilated", 1, 18, 34, 1, {1, 9, 10}, {1, 3, 3}, {1, 1, 2}, {0, 2, 3}, {1, 2, 3}},
    {"gaps", 1, 18, 8, 1, {1, 21, 60}, {1, 3, 3}, {1, 1, 1}, {0, 6, 20}, {1, 7, 20}},
    {"pointwise, strided", 3, 23, 17, 1, {1, 7, 8}, {1, 1, 1}, {1, 2, 3}, {0, 0, 1}, {1, 1, 1}},
    {"stride beyond the kernel", 1, 5, 6, 1, {1, 20, 20}, {1, 2, 2}, {1, 5, 3}, {0, 1, 1}, {1, 1, 1}},
    {"grouped", 2, 24, 20, 4, {1, 6, 7}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"depthwise", 2, 35, 35, 35, {1, 9, 10}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"depthwise, strided, two of each", 1, 17, 34, 17, {1, 8, 11}, {1, 3, 5}, {1, 2, 2}, {0, 1, 2}, {1, 1, 1}},
    {"volume", 2, 9, 12, 1, {3, 4, 5}, {3, 2, 3}, {2, 1, 1}, {2, 1, 1}, {1, 1, 1}},
    {"kernel beyond the input", 1, 9, 7, 1, {1, 2, 3}, {1, 5, 7}, {1, 1, 1}, {0, 4, 6}, {1, 1, 1}},
};

template <size_t N, class Body>
void each_shape(const ConvShape (&own)[N], Body body) {
  for (const ConvShape& shape : kConvShapes) body(shape);
  for (const ConvShape& shape : own) body(shape);
}

}  // namespace check
