// Optimizers bit for bit against the formula order that native/kernels/optim.inl.h documents.
#include "check.h"

using namespace neurite;
using check::Values;

namespace {

template <class T>
void sgd(const char* name, const Kernels<T>& kernels) {
  for (int variant = 0; variant < 32; ++variant) {
    const bool nesterov = variant & 1, maximize = variant & 2, first = variant & 4, velocity = variant & 8,
               decay = variant & 16;
    const SgdArgs args = {0.1, 0.9, nesterov ? 0.0 : 0.25, decay ? 0.01 : 0.0, nesterov, maximize, first};
    for (int64_t n : {1, 7, 16, 33, 100}) {
      Values values(static_cast<uint64_t>(variant + 1));
      std::vector<T> w = values.many<T>(n), g = values.many<T>(n), v = values.many<T>(n), w1 = w, v1 = v;
      kernels.sgd(args, n, w.data(), g.data(), velocity ? v.data() : nullptr);
      for (size_t i = 0; i < w.size(); ++i) {
        T d = maximize ? -g[i] : g[i];
        if (decay) d = d + T(args.weight_decay) * w1[i];
        if (velocity) {
          v1[i] = first ? d : T(args.momentum) * v1[i] + T(1 - args.dampening) * d;
          d = nesterov ? d + T(args.momentum) * v1[i] : v1[i];
        }
        w1[i] = w1[i] - T(args.lr) * d;
      }
      CHECK(check::same_bits(w, w1) && check::same_bits(v, v1), "%s sgd variant %d, n %lld", name, variant,
            (long long)n);
    }
  }
}

template <class T>
void adam(const char* name, const Kernels<T>& kernels) {
  for (int variant = 0; variant < 8; ++variant) {
    const bool decoupled = variant & 1, maximize = variant & 2, decay = variant & 4;
    for (int64_t n : {1, 7, 16, 33, 100}) {
      Values values(static_cast<uint64_t>(variant + 1));
      std::vector<T> w = values.many<T>(n), g = values.many<T>(n), m(w.size()), v(w.size()), w1 = w, m1 = m, v1 = v;
      for (int step = 1; step <= 3; ++step) {
        const AdamArgs args = {1e-3,
                               0.9,
                               0.999,
                               1e-8,
                               decay ? 0.02 : 0.0,
                               decoupled,
                               maximize,
                               1 - std::pow(0.9, step),
                               1 - std::pow(0.999, step)};
        kernels.adam(args, n, w.data(), g.data(), m.data(), v.data());
        for (size_t i = 0; i < w.size(); ++i) {
          T d = maximize ? -g[i] : g[i];
          if (decay && decoupled) w1[i] = w1[i] * T(1 - args.lr * args.weight_decay);
          if (decay && !decoupled) d = d + T(args.weight_decay) * w1[i];
          m1[i] = m1[i] + T(1 - args.beta1) * (d - m1[i]);
          v1[i] = T(args.beta2) * v1[i] + (T(1 - args.beta2) * d) * d;
          const T root = std::sqrt(v1[i]) * T(1 / std::sqrt(args.bias_correction2)) + T(args.eps);
          w1[i] = w1[i] - (T(args.lr / args.bias_correction1) * m1[i]) / root;
        }
        CHECK(check::same_bits(w, w1) && check::same_bits(m, m1) && check::same_bits(v, v1),
              "%s adam variant %d step %d, n %lld", name, variant, step, (long long)n);
      }
    }
  }
  // One step of size lr against the sign of the gradient, whatever its scale (Kingma and Ba 2015, section 2.1).
  const AdamArgs args = {0.5, 0.9, 0.999, 1e-8, 0, false, false, 0.1, 0.001};
  T w[2] = {1, 1}, g[2] = {T(1e-3), T(-40)}, m[2] = {0, 0}, v[2] = {0, 0};
  kernels.adam(args, 2, w, g, m, v);
  CHECK(std::fabs(double(w[0]) - 0.5) < 1e-4 && std::fabs(double(w[1]) - 1.5) < 1e-4, "%s adam: the first step is lr",
        name);
}

template <class T>
T sign_of(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

/** What GradientArgs do to a gradient, in the documented order. */
template <class T>
T shaped(const GradientArgs& args, bool maximize, T g, T w) {
  if (args.scale != 1) g = g * T(args.scale);
  g = std::min(std::max(g, T(-args.clip_value)), T(args.clip_value));
  if (maximize) g = -g;
  return args.l1 != 0 ? g + T(args.l1) * sign_of(w) : g;
}

template <class T>
void adaptive(const char* name, const Kernels<T>& kernels) {
  for (int variant = 0; variant < 32; ++variant) {
    const bool centered = variant & 1, moving = variant & 2, maximize = variant & 4, decay = variant & 8;
    const GradientArgs gradient = variant & 16 ? GradientArgs{0.5, 0.125, 0.01} : GradientArgs{};
    for (int64_t n : {1, 7, 16, 33, 100}) {
      Values values(static_cast<uint64_t>(variant + 1));
      std::vector<T> w = values.many<T>(n), g = values.many<T>(n), v(w.size(), T(2)), avg(w.size()), buf = w;
      std::vector<T> w1 = w, v1 = v, avg1 = avg, buf1 = buf, sum = v, sum1 = v, w2 = w, w3 = w;
      const RmspropArgs rms = {0.01, 0.9, 1e-3, 0.5, decay ? 0.02 : 0.0, maximize, gradient};
      const AdagradArgs ada = {0.01, 1e-3, decay ? 0.02 : 0.0, maximize, gradient};
      kernels.rmsprop(rms, n, w.data(), g.data(), v.data(), centered ? avg.data() : nullptr,
                      moving ? buf.data() : nullptr);
      kernels.adagrad(ada, n, w2.data(), g.data(), sum.data());
      for (size_t i = 0; i < w.size(); ++i) {
        T d = shaped(gradient, maximize, g[i], w1[i]);
        if (decay) d = d + T(0.02) * w1[i];
        v1[i] = T(0.9) * v1[i] + (T(1 - 0.9) * d) * d;
        T spread = v1[i];
        if (centered) {
          avg1[i] = avg1[i] + T(1 - 0.9) * (d - avg1[i]);
          spread = v1[i] - avg1[i] * avg1[i];
        }
        T move = d / (std::sqrt(spread) + T(1e-3));
        if (moving) buf1[i] = move = T(0.5) * buf1[i] + move;
        w1[i] = w1[i] - T(0.01) * move;
        sum1[i] = sum1[i] + d * d;
        w3[i] = w3[i] - T(0.01) * (d / (std::sqrt(sum1[i]) + T(1e-3)));
      }
      CHECK(check::same_bits(w, w1) && check::same_bits(v, v1) && check::same_bits(avg, avg1) &&
                check::same_bits(buf, buf1),
            "%s rmsprop variant %d, n %lld", name, variant, (long long)n);
      CHECK(check::same_bits(w2, w3) && check::same_bits(sum, sum1), "%s adagrad variant %d, n %lld", name, variant,
            (long long)n);
    }
  }
}

// A NaN gradient stays one through the clamp, and a scale of NaN reaches every weight.
template <class T>
void not_numbers(const char* name, const Kernels<T>& kernels) {
  for (bool in_scale : {false, true}) {
    SgdArgs args = {0.1, 0, 0, 0, false, false, true};
    args.gradient = {in_scale ? double{NAN} : 1.0, 0.5, 0};
    T w[3] = {1, 1, 1}, g[3] = {T(2), in_scale ? T(1) : T(NAN), T(-2)};
    kernels.sgd(args, 3, w, g, nullptr);
    CHECK(std::isnan(w[1]) && std::isnan(w[0]) == in_scale, "%s sgd with NaN", name);
    CHECK(in_scale || (w[0] == T(1) - T(0.1) * T(0.5) && w[2] == T(1) + T(0.1) * T(0.5)), "%s sgd clips", name);
  }
}

}  // namespace

SUITE(optimizers) {
  check::each_table([](const KernelTable& t) {
    sgd(t.name, t.f32);
    adam(t.name, t.f32);
    adaptive(t.name, t.f32);
    not_numbers(t.name, t.f32);
  });
  sgd("float64", float64_kernels());
  adam("float64", float64_kernels());
  adaptive("float64", float64_kernels());
  not_numbers("float64", float64_kernels());
}
