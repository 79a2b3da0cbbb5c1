// Every unary function over a sweep of all floats: the stated bound in ulp, limits, and position in the vector.
#include <algorithm>
#include <limits>

#include "check.h"
#include "math_functions.h"

using namespace neurite;
using namespace math;

SUITE(math_sweep) {
  check::each_table([](const KernelTable& t) {
    for (const Function& f : functions) {
      std::vector<float> x, y(4096);
      int wrong = 0;
      const auto flush = [&] {
        t.f32.micro(static_cast<int>(f.code), y.data(), x.data(), nullptr, nullptr, static_cast<int64_t>(x.size()));
        for (size_t i = 0; i < x.size(); ++i) {
          if (!close(f, x[i], y[i]) && ++wrong <= 3) {
            CHECK(false, "%s %s(%a) = %.9g, want %.9g", t.name, f.name, static_cast<double>(x[i]),
                  static_cast<double>(y[i]), f.reference(static_cast<double>(x[i])));
          }
        }
        x.clear();
      };
      for (uint64_t u = 0; u <= 0xFFFFFFFFu; u += 8209) {
        const uint32_t word = static_cast<uint32_t>(u);
        float v;
        std::memcpy(&v, &word, 4);
        x.push_back(v);
        if (x.size() == y.size()) flush();
      }
      for (float v :
           {0.0f,      -0.0f,      INFINITY, -INFINITY, NAN,         3.4028235e38f, -3.4028235e38f, 3.4028e38f,
            kSmallest, -1.0f,      1.0f,     0.5f,      -0.5f,       1.5f,          2.5f,           88.72283f,
            88.72284f, -87.33655f, 65536.0f, 65540.0f,  16777217.0f, 1e30f}) {
        x.push_back(v);
      }
      flush();
      CHECK(wrong == 0, "%s %s: %d wrong of 2^32 / 8209", t.name, f.name, wrong);
    }
  });
}

SUITE(math_odd_zero) {
  check::each_table([](const KernelTable& t) {
    for (Micro code : {Micro::SIN, Micro::TAN, Micro::TANH, Micro::EXPM1, Micro::LOG1P, Micro::ERF, Micro::SQRT,
                       Micro::FLOOR, Micro::CEIL, Micro::ROUND, Micro::TRUNC}) {
      const float x = -0.0f;
      float y = 1;
      t.f32.micro(static_cast<int>(code), &y, &x, nullptr, nullptr, 1);
      CHECK(y == 0 && std::signbit(y), "%s micro %d keeps -0", t.name, static_cast<int>(code));
    }
  });
}

SUITE(math_pow) {
  check::each_table([](const KernelTable& t) {
    const float special[] = {0.0f,  -0.0f, 1,      -1,       2,         -2,  3,           -3,     0.5f,
                             -0.5f, 1e30f, 1e-30f, INFINITY, -INFINITY, NAN, 16777215.0f, 0.999f, 1.001f};
    check::Values values(11);
    std::vector<float> x, y;
    for (float a : special) {
      for (float b : special) {
        x.push_back(a);
        y.push_back(b);
      }
    }
    for (int i = 0; i < 200000; ++i) {
      const double a = values.unit(), b = values.unit();
      const int mode = i % 4;
      x.push_back(static_cast<float>(mode == 0   ? std::exp(80 * a)
                                     : mode == 1 ? 1 + a / 200
                                     : mode == 2 ? -20 * std::fabs(a)
                                                 : 1.5 + a));
      y.push_back(static_cast<float>(mode == 0   ? 2 * b
                                     : mode == 1 ? 9000 * b
                                     : mode == 2 ? std::nearbyint(20 * b)
                                                 : 90 * b));
    }
    std::vector<float> z(x.size());
    t.f32.micro(static_cast<int>(Micro::POW), z.data(), x.data(), y.data(), nullptr, static_cast<int64_t>(x.size()));
    const Function f{"pow", Micro::POW, nullptr, 2.6};
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
      const float want = static_cast<float>(exact);
      bool ok = std::isnan(want) ? std::isnan(z[i]) : denormal(exact) ? std::fabs(z[i]) <= kSmallest : want == z[i];
      if (!ok && std::isfinite(want) && std::isfinite(z[i])) {
        ok = std::fabs(static_cast<double>(z[i]) - exact) <= f.ulps * ulp(want);
      }
      if (!ok) ok = std::fabs(exact) > 3.4028225e38 && std::fabs(exact) < 3.402825e38;
      CHECK(ok, "%s pow(%a, %a) = %.9g, want %.9g", t.name, static_cast<double>(x[i]), static_cast<double>(y[i]),
            static_cast<double>(z[i]), exact);
      if (want == 0 && exact == 0)
        CHECK(std::signbit(want) == std::signbit(z[i]), "%s pow(%g, %g): sign of 0", t.name, static_cast<double>(x[i]),
              static_cast<double>(y[i]));
    }
  });
}

// Relative bounds cannot hold where 1 + erf cancels; the sum's roundings count in units of |x|, those of the gradient
// in |g|.
template <class T>
void gelu(const char* name, const Kernels<T>& kernels) {
  const double root_half = std::sqrt(0.5), peak = root_half / std::sqrt(std::acos(-1.0)),
               eps = std::numeric_limits<T>::epsilon();
  check::Values values(31);
  std::vector<T> x, g;
  for (double v : {0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 5.0, -5.0, 14.0, -14.0, 1e4, -1e4, double{INFINITY},
                   -double{INFINITY}, double{NAN}})
    x.push_back(static_cast<T>(v));
  for (int i = 0; i < 20000; ++i) x.push_back(static_cast<T>(8 * values.unit()));
  for (size_t i = 0; i < x.size(); ++i) g.push_back(static_cast<T>(3 * values.unit()));
  std::vector<T> y(x.size()), dx(x.size());
  const int64_t n = static_cast<int64_t>(x.size());
  kernels.micro(static_cast<int>(Micro::GELU), y.data(), x.data(), nullptr, nullptr, n);
  kernels.micro(static_cast<int>(Micro::GELU_GRAD), dx.data(), g.data(), x.data(), nullptr, n);
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(x[i]), gradient = static_cast<double>(g[i]);
    const double twice = 1 + std::erf(v * root_half);
    const double want = 0.5 * v * twice, slope = gradient * (0.5 * twice + v * peak * std::exp(-0.5 * v * v));
    const auto near = [](double a, double b, double bound) {
      return a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= bound;
    };
    CHECK(near(static_cast<double>(y[i]), want, 2 * eps * std::fabs(v)), "%s gelu(%g) = %.17g, want %.17g", name, v,
          static_cast<double>(y[i]), want);
    CHECK(near(static_cast<double>(dx[i]), slope, 4 * eps * std::fabs(gradient)),
          "%s gelu grad (%g, %g) = %.17g, want %.17g", name, gradient, v, static_cast<double>(dx[i]), slope);
  }
}

SUITE(math_gelu) {
  check::each_table([](const KernelTable& t) { gelu(t.name, t.f32); });
  gelu("float64", float64_kernels());
}
