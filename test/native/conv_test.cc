// Convolution and its data gradient against a double reference, on shapes that meet every way of reading the source,
// whole and cut into blocks.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "../../native/kernels/conv_tables.h"
#include "check.h"
#include "conv_reference.h"

using namespace neurite;
using check::Values;

namespace {

// Beside those of conv_reference.h.
constexpr check::ConvShape kShapes[] = {
    {"one pixel", 1, 1, 1, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}},
    {"valid", 2, 33, 16, 1, {1, 6, 17}, {1, 3, 3}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}},
    {"stride 3", 1, 3, 15, 1, {1, 13, 14}, {1, 3, 2}, {1, 3, 3}, {0, 1, 0}, {1, 1, 1}},
    {"grey", 2, 1, 32, 1, {1, 11, 15}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
    {"stride and dilation with a common divisor", 1, 5, 7, 1, {1, 11, 13}, {1, 3, 4}, {1, 4, 2}, {0, 3, 2}, {1, 2, 4}},
    {"gaps, few channels", 1, 2, 8, 1, {1, 21, 60}, {1, 3, 3}, {1, 1, 1}, {0, 6, 20}, {1, 7, 20}},
    {"pixels a page apart", 1, 1024, 3, 1, {1, 3, 9}, {1, 1, 2}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}},
    {"the same every second", 1, 512, 5, 1, {1, 3, 15}, {1, 1, 1}, {1, 1, 2}, {0, 0, 0}, {1, 1, 1}},
    {"grouped in wide panels", 1, 6, 140, 2, {1, 3, 5}, {1, 2, 2}, {1, 1, 1}, {0, 1, 0}, {1, 1, 1}},
};

struct Scratch {
  unsigned char* memory;
  int64_t bytes, size;
  explicit Scratch(int64_t n) : bytes(n), size((n + 127) / 64 * 64) {
    memory = static_cast<unsigned char*>(std::aligned_alloc(64, static_cast<size_t>(size)));
    std::memset(memory, 0xFF, static_cast<size_t>(size));  // NaN: what is not copied must not be used
  }
  ~Scratch() {
    bool clean = true;
    for (int64_t i = bytes; i < size; ++i) clean = clean && memory[i] == 0xFF;
    CHECK(clean, "a kernel wrote past its scratch");
    std::free(memory);
  }
};

template <class T>
struct Problem {
  const check::ConvShape& s;
  ConvArgs<T> args{};
  std::vector<T> from, weights, to, bias, aux;
  std::vector<double> want, scale, count;
  int64_t channels;  // of the destination

  Problem(const check::ConvShape& shape, bool backward) : s(shape) {
    const int64_t per_c = s.c / s.groups, per_o = s.o / s.groups;
    for (int i = 0; i < 3; ++i) {
      ConvAxis& a = args.axes[i];
      a.from = backward ? s.out(i) : s.in[i];
      a.to = backward ? s.in[i] : s.out(i);
      a.kernel = s.kernel[i];
      a.stride = s.stride[i];
      a.dilation = s.dilation[i];
      a.pad = s.pad[i];
      a.backward = backward;
    }
    const int64_t in = s.inside(), out = s.outside(), taps = s.taps();
    args.backward = backward;
    args.groups = s.groups;
    args.from_channels = backward ? per_o : per_c;
    args.to_channels = backward ? per_c : per_o;
    channels = backward ? s.c : s.o;
    Values values(static_cast<uint64_t>(in + taps + (backward ? 1 : 0)));
    from = values.many<T>(s.n * (backward ? out * s.o : in * s.c));
    weights = values.many<T>(s.o * per_c * taps);
    to = values.many<T>(s.n * (backward ? in * s.c : out * s.o));
    bias = values.many<T>(channels);
    aux = values.many<T>(static_cast<int64_t>(to.size()));
    args.from = from.data();
    args.weights = weights.data();
    args.to = to.data();
    want.assign(to.size(), 0);
    scale = count = want;
    check::each_product(s, [&](size_t x, size_t w, size_t y) {
      const size_t source = backward ? y : x, target = backward ? x : y;
      const double product = static_cast<double>(from[source]) * static_cast<double>(weights[w]);
      want[target] += product;
      scale[target] += std::fabs(product);
      count[target] += 1;
    });
  }

  /** In blocks of so many rows, columns and panels. */
  void run(const Kernels<T>& kernels, int64_t rows, int64_t cols, int64_t panels) {
    const ConvTables tables(args.axes);
    const ConvAxis* a = args.axes;
    Scratch packed(kernels.conv_packed(args) * static_cast<int64_t>(sizeof(T)));
    args.packed = reinterpret_cast<T*>(packed.memory);
    const int64_t all = kernels.conv_panels(args);
    for (int64_t p = 0; p < all; ++p) {
      for (int64_t i = 0; i < args.from_channels; i += 5) {
        kernels.conv_pack(args, tables.rows(), p, {i, std::min(args.from_channels, i + 5)});
      }
    }
    rows = std::min(rows, a[1].positions);
    cols = std::min(cols, a[2].positions);
    const int64_t bytes = kernels.conv_scratch(args, rows, cols);
    for (int64_t image = 0; image < s.n * a[0].to; ++image) {
      for (int64_t p = 0; p < all; p += panels) {
        for (int64_t m = 0; m < a[1].positions; m += rows) {
          for (int64_t j = 0; j < a[2].positions; j += cols) {
            Scratch scratch(bytes);
            const ConvBlock block{image / a[0].to,
                                  image % a[0].to,
                                  m,
                                  std::min(rows, a[1].positions - m),
                                  j,
                                  std::min(cols, a[2].positions - j),
                                  p,
                                  std::min(panels, all - p)};
            kernels.conv(args, block, scratch.memory);
          }
        }
      }
    }
  }
};

double activated(Activation act, double x) {
  switch (act) {
    case Activation::RELU: return std::max(x, 0.0);
    case Activation::TANH: return std::tanh(x);
    case Activation::SIGMOID: return 1 / (1 + std::exp(-x));
    default: return x;
  }
}
double slope(Activation act, double y) {
  switch (act) {
    case Activation::RELU: return y > 0 ? 1 : 0;
    case Activation::TANH: return (1 - y) * (1 + y);
    case Activation::SIGMOID: return y * (1 - y);
    default: return 1;
  }
}

template <class T>
void against_reference(const char* isa, const Kernels<T>& kernels) {
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  constexpr int64_t kAll = int64_t{1} << 30;
  int number = 0;
  check::each_shape(kShapes, [&](const check::ConvShape& shape) {
    for (const bool backward : {false, true}) {
      Problem<T> p(shape, backward);
      for (int epilogue = 0; epilogue < 2; ++epilogue) {
        const int act = epilogue == 0 ? 0 : number % 4, grad = epilogue == 0 ? 0 : number / 4 % 4;
        p.args.act = static_cast<Activation>(act);
        p.args.act_grad = static_cast<Activation>(grad);
        p.args.bias = epilogue == 0 ? nullptr : p.bias.data();
        p.args.aux = grad == 0 ? nullptr : p.aux.data();
        std::fill(p.to.begin(), p.to.end(), T(7));
        p.run(kernels, kAll, kAll, kAll);
        double worst = 0;
        for (size_t i = 0; i < p.to.size(); ++i) {
          double sum = p.want[i], scale = p.scale[i];
          if (p.args.bias != nullptr) {
            const double b = static_cast<double>(p.bias[i % static_cast<size_t>(p.channels)]);
            sum += b;
            scale += std::fabs(b);
          }
          const double k = slope(p.args.act_grad, static_cast<double>(p.aux[i]));
          const double want = activated(p.args.act, sum) * k;
          // As in gemm_test: each product and sum is rounded, then up to 8 roundings of the epilogue.
          const double bound = eps * ((2 * p.count[i] + 2) * scale + 8 * std::fabs(want)) * (1 + std::fabs(k)) + 1e-300;
          worst = std::max(worst, std::fabs(static_cast<double>(p.to[i]) - want) / bound);
        }
        CHECK(worst <= 1, "%s %s %s act %d grad %d: %.3g times the bound", isa, shape.name,
              backward ? "backward" : "forward", act, grad, worst);
        const std::vector<T> whole = p.to;
        for (const auto& [rows, cols, panels] : {std::array<int64_t, 3>{1, 3, 1}, {2, 17, 2}}) {
          std::fill(p.to.begin(), p.to.end(), T(7));
          p.run(kernels, rows, cols, panels);
          CHECK(check::same_bits(p.to, whole), "%s %s %s: blocks of %lldx%lld change the bits", isa, shape.name,
                backward ? "backward" : "forward", (long long)rows, (long long)cols);
        }
        ++number;
      }
    }
  });
}

}  // namespace

SUITE(conv) {
  check::each_table([](const KernelTable& t) { against_reference(t.name, t.f32); });
  against_reference("float64", float64_kernels());
}
