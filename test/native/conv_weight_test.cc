// Weight gradient of convolution against a double reference, on shapes that meet every way of cutting and copying.
#include <algorithm>
#include <cstdlib>

#include "check.h"
#include "conv_reference.h"

using namespace neurite;
using check::Values;

namespace {

// Beside those of conv_reference.h.
constexpr check::ConvShape kShapes[] = {
    {"images in a block", 5, 16, 16, 1, {1, 5, 5}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"parts of a row", 1, 2, 5, 1, {1, 3, 1300}, {1, 2, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"rows of the kernel beside each other", 2, 1, 9, 1, {1, 12, 11}, {1, 5, 5}, {1, 1, 1}, {0, 2, 2}, {1, 1, 1}},
    {"the same, one tap across", 2, 4, 9, 1, {1, 12, 5}, {1, 5, 1}, {1, 2, 1}, {0, 2, 0}, {1, 1, 1}},
    {"the same, gaps across", 1, 1, 4, 1, {1, 7, 50}, {1, 3, 3}, {1, 1, 1}, {0, 1, 20}, {1, 2, 20}},
    {"dilated, few channels", 2, 2, 20, 1, {1, 9, 10}, {1, 3, 3}, {1, 1, 1}, {0, 2, 2}, {1, 2, 2}},
    {"many panels", 1, 15, 300, 1, {1, 4, 3}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}},
};

template <class T>
struct Problem {
  ConvWeightArgs<T> args{};
  std::vector<T> x, g;
  std::vector<double> want, scale;
  int64_t pixels, row;  // of g, of dw

  explicit Problem(const check::ConvShape& s) {
    args.n = s.n;
    args.c = s.c;
    args.o = s.o;
    args.groups = s.groups;
    for (int i = 0; i < 3; ++i) {
      args.in[i] = s.in[i];
      args.kernel[i] = s.kernel[i];
      args.stride[i] = s.stride[i];
      args.pad[i] = s.pad[i];
      args.dilation[i] = s.dilation[i];
      args.out[i] = s.out(i);
    }
    pixels = s.n * s.outside();
    row = s.c / s.groups * s.taps();
    Values values(static_cast<uint64_t>(pixels + row));
    x = values.many<T>(s.n * s.inside() * s.c);
    g = values.many<T>(pixels * s.o);
    args.x = x.data();
    args.g = g.data();
    want.assign(static_cast<size_t>(s.o * row), 0);
    scale = want;
    check::each_product(s, [&](size_t from, size_t w, size_t y) {
      const double product = static_cast<double>(x[from]) * static_cast<double>(g[y]);
      want[w] += product;
      scale[w] += std::fabs(product);
    });
  }
};

// Panels are asked for `step` at a time; scratch is as long as it must be and full of NaN.
template <class T>
std::vector<T> run(const Kernels<T>& kernels, const Problem<T>& p, int64_t step) {
  const ConvWeightSizes sizes = kernels.conv_weight_sizes(p.args);
  std::vector<T> sums(static_cast<size_t>(sizes.sums), static_cast<T>(NAN)), dw(p.want.size(), static_cast<T>(NAN));
  const auto bytes = static_cast<size_t>((sizes.scratch + 63) / 64 * 64);
  void* const scratch = std::aligned_alloc(64, bytes);
  std::memset(scratch, 0xFF, bytes);
  for (int64_t panel = 0; panel < sizes.panels; panel += step) {
    kernels.conv_weight(p.args, {0, sizes.blocks}, {panel, std::min(sizes.panels, panel + step)}, sums.data(), scratch);
  }
  std::free(scratch);
  const int64_t columns = step * 5;
  for (int64_t q = 0; q < p.row; q += columns) {
    kernels.conv_weight_write(p.args, {q, std::min(p.row, q + columns)}, sums.data(), dw.data());
  }
  return dw;
}

template <class T>
void all(const char* isa, const Kernels<T>& kernels) {
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  check::each_shape(kShapes, [&](const check::ConvShape& shape) {
    const Problem<T> p(shape);
    const std::vector<T> got = run(kernels, p, 1 << 20);
    for (size_t i = 0; i < got.size(); ++i) {
      // A product and a sum are rounded for each pixel (float64: in the reference as well).
      const double tolerance = 2 * eps * static_cast<double>(p.pixels) * p.scale[i] * (sizeof(T) == 4 ? 1 : 2);
      CHECK(std::fabs(static_cast<double>(got[i]) - p.want[i]) <= tolerance,
            "%s, %s: dw[%zu] = %.9g, want %.9g +- %.2g", isa, shape.name, i, static_cast<double>(got[i]), p.want[i],
            tolerance);
    }
    CHECK(check::same_bits(run(kernels, p, 1), got), "%s, %s: asking for a panel at a time changes the bits", isa,
          shape.name);
  });
}

}  // namespace

SUITE(conv_weight) {
  check::each_table([](const KernelTable& t) { all(t.name, t.f32); });
  all("float64", float64_kernels());
}
