// The rules of OPTIM bit for bit against the order of operations that native/kernels/optim.inl.h has, one element at a
// time.
#include <limits>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

template <class T>
T sign_of(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

/** One element: the rule on weight w, gradient d and slots x. */
template <class T>
T step(const OptimArgs& a, T w, T d, T* x) {
  T c[kRuleScalars];
  for (int i = 0; i < kRuleScalars; ++i) c[i] = T(a.s[i]);
  const auto root = [&](T v, T eps) { return a.variant ? std::sqrt(v + eps) : std::sqrt(v) + eps; };
  switch (a.rule) {
    case Rule::LARS:
    case Rule::SGD:
      if (a.present == 0) return w - c[0] * d;
      d = c[2] * d;
      x[0] = c[1] * x[0] + d;
      return w - c[0] * (a.variant ? d + c[3] * x[0] : x[0]);
    case Rule::ADAM: {
      x[0] = x[0] + c[0] * (d - x[0]);
      x[1] = c[1] * x[1] + (c[2] * d) * d;
      x[2] = std::max(x[2], x[1]);
      const T second = x[a.present == 7 ? 2 : 1];
      return w - (c[4] * x[0]) / (a.variant ? std::sqrt(second * c[5] + c[3]) : std::sqrt(second) * c[5] + c[3]);
    }
    case Rule::RMSPROP: {
      x[0] = c[1] * x[0] + (c[2] * d) * d;
      T spread = x[0];
      if (a.present & 2) {
        x[1] = x[1] + c[2] * (d - x[1]);
        spread = x[0] - x[1] * x[1];
      }
      d = d / root(spread, c[3]);
      if (a.present & 4) d = x[2] = c[4] * x[2] + d;
      return w - c[0] * d;
    }
    case Rule::ADAGRAD: x[0] = x[0] + d * d; return w - c[0] * (d / root(x[0], c[1]));
    case Rule::ADADELTA:
      x[0] = c[1] * x[0] + (c[2] * d) * d;
      d = std::sqrt(x[1] + c[3]) / std::sqrt(x[0] + c[3]) * d;
      x[1] = c[1] * x[1] + (c[2] * d) * d;
      return w - c[0] * d;
    case Rule::ADAMAX:
      x[0] = x[0] + c[0] * (d - x[0]);
      x[1] = std::max(c[1] * x[1], std::abs(d) + c[2]);
      return w - (c[3] * x[0]) / x[1];
    case Rule::NADAM:
      x[0] = x[0] + c[0] * (d - x[0]);
      x[1] = c[1] * x[1] + (c[2] * d) * d;
      return w - (c[5] * d + c[6] * x[0]) / (std::sqrt(x[1]) * c[4] + c[3]);
    case Rule::RADAM:
      x[0] = x[0] + c[0] * (d - x[0]);
      x[1] = c[1] * x[1] + (c[2] * d) * d;
      return w - (c[5] * x[0]) / (c[3] * std::sqrt(x[1]) + c[4]);
    case Rule::LION: {
      const T change = d - x[0], direction = x[0] + c[1] * change;
      x[0] = x[0] + c[2] * change;
      return w - c[0] * sign_of(direction);
    }
    case Rule::RPROP: {
      const T agreement = d * x[0];
      x[1] = std::min(std::max(x[1] * (agreement > 0 ? c[1] : agreement < 0 ? c[0] : T(1)), c[2]), c[3]);
      x[0] = agreement < 0 ? T(0) : d;
      return w - x[1] * sign_of(x[0]);
    }
    case Rule::DELTA_BAR_DELTA: {
      const T agreement = d * x[0];
      x[1] = agreement > 0 ? x[1] + c[1] : agreement < 0 ? x[1] * c[2] : x[1];
      x[0] = x[0] + c[0] * (d - x[0]);
      return w - x[1] * d;
    }
    case Rule::EMA: return a.s[0] >= 0.5 ? d - c[1] * (d - w) : w + c[0] * (d - w);
    case Rule::LAMB: return w - T(a.lr) * ((c[4] * x[0]) / (std::sqrt(x[1]) * c[5] + c[3]) + c[6] * w);
    case Rule::ADAFACTOR: return w - c[2] * (d * std::min(c[0] * x[0], c[1]));
    case Rule::MUON: return w - c[2] * x[1];
  }
  return w;
}

/** What the options do before the rule. */
template <class T>
T shaped(const OptimArgs& a, T g, T& w) {
  if (a.scale != 1) g = g * T(a.scale);
  g = std::min(std::max(g, T(-a.clip_value)), T(a.clip_value));
  if (a.maximize) g = -g;
  if (a.l1 != 0) g = g + T(a.l1) * sign_of(w);
  if (a.weight_decay != 0 && a.decoupled) w = w * T(1 - a.lr * a.weight_decay);
  return a.weight_decay != 0 && !a.decoupled ? g + T(a.weight_decay) * w : g;
}

struct Case {
  Rule rule;
  std::initializer_list<int> present;
  std::initializer_list<double> scalars;
};

const Case kCases[] = {
    {Rule::SGD, {0, 1}, {0.1, 0.9, 0.75, 0.9}},
    {Rule::ADAM, {3, 7}, {0.1, 0.999, 0.001, 1e-3, 0.01, 3.5}},
    {Rule::RMSPROP, {1, 3, 5, 7}, {0.01, 0.9, 0.1, 1e-3, 0.5}},
    {Rule::ADAGRAD, {1}, {0.01, 1e-3}},
    {Rule::ADADELTA, {3}, {0.5, 0.9, 0.1, 1e-3}},
    {Rule::ADAMAX, {3}, {0.1, 0.999, 1e-3, 0.02}},
    {Rule::NADAM, {3}, {0.1, 0.999, 0.001, 1e-3, 3.5, 0.01, 0.02}},
    {Rule::RADAM, {3}, {0.1, 0.999, 0.001, 1, 1e-3, 0.02}},
    {Rule::LION, {1}, {0.01, 0.1, 0.01}},
    {Rule::RPROP, {3}, {0.5, 1.2, 0.5, 2}},
    {Rule::DELTA_BAR_DELTA, {3}, {0.3, 0.01, 0.9}},
    {Rule::EMA, {0}, {0.1, 0.9}},
    {Rule::EMA, {0}, {1, 0}},
    {Rule::LARS, {0, 1}, {0.1, 0.9, 0.75, 0.9}},
    {Rule::LAMB, {3}, {0.1, 0.999, 0.001, 1e-3, 1.5, 2, 0.02}},
    {Rule::ADAFACTOR, {1}, {1.5, 0.5, 0.01}},
    {Rule::MUON, {3}, {0.9, 0.1, 0.01}},
};

template <class T>
void rules(const char* name, const Kernels<T>& kernels) {
  for (const Case& c : kCases) {
    for (const int present : c.present) {
      for (int options = 0; options < 32; ++options) {
        OptimArgs args{};
        args.rule = c.rule;
        args.present = present;
        args.variant = options & 1;
        args.maximize = options & 2;
        args.decoupled = options & 4;
        std::copy(c.scalars.begin(), c.scalars.end(), args.s);
        args.lr = 0.1;
        args.weight_decay = options & 8 ? 0.02 : 0;
        if (options & 16) args.scale = 0.5, args.clip_value = 0.125, args.l1 = 0.01;
        for (int64_t n : {1, 7, 16, 33, 100}) {
          Values values(static_cast<uint64_t>(options + 1));
          std::vector<T> w = values.many<T>(n), g = values.many<T>(n), x[kRuleSlots];
          for (std::vector<T>& slot : x) {
            slot = values.many<T>(n);
            for (T& v : slot) v = std::abs(v) + T(slot.data() == x[0].data() && c.rule == Rule::RMSPROP ? 2 : 0);
          }
          std::vector<T> w1 = w, x1[kRuleSlots] = {x[0], x[1], x[2]};
          T* slots[kRuleSlots];
          for (int s = 0; s < kRuleSlots; ++s) slots[s] = (present >> s & 1) != 0 ? x[s].data() : nullptr;
          kernels.optim(args, n, w.data(), g.data(), slots);
          for (size_t i = 0; i < w.size(); ++i) {
            T at[kRuleSlots] = {x1[0][i], x1[1][i], x1[2][i]}, weight = w1[i];
            // Of these two optim_norms has taken in the gradient.
            const bool taken = c.rule == Rule::LAMB || c.rule == Rule::MUON;
            const T d = taken ? g[i] : shaped(args, g[i], weight);
            w1[i] = step(args, weight, d, at);
            for (int s = 0; s < kRuleSlots; ++s) x1[s][i] = (present >> s & 1) != 0 ? at[s] : x1[s][i];
          }
          CHECK(check::same_bits(w, w1) && check::same_bits(x[0], x1[0]) && check::same_bits(x[1], x1[1]) &&
                    check::same_bits(x[2], x1[2]),
                "%s rule %d, slots %d, options %d, n %lld", name, static_cast<int>(c.rule), present, options,
                (long long)n);
        }
      }
    }
  }
}

/** The first pass of the rules that look at whole parameters: new moments bit for bit, norms to the rounding of sums.
 */
template <class T>
void norms(const char* name, const Kernels<T>& kernels) {
  for (const Rule rule : {Rule::LARS, Rule::LAMB, Rule::ADAFACTOR, Rule::MUON}) {
    for (int64_t n : {1, 7, 33, 5000}) {
      OptimArgs args{};
      args.rule = rule;
      args.present = 3;
      args.lr = 0.1;
      args.weight_decay = 0.02;
      args.scale = 0.5;
      for (int i = 0; i < kRuleScalars; ++i) args.s[i] = 0.1 + 0.2 * i;
      Values values(static_cast<uint64_t>(n));
      std::vector<T> w = values.many<T>(n), g = values.many<T>(n), a = values.many<T>(n), b = values.many<T>(n);
      for (T& v : b) v = std::abs(v);
      std::vector<T> w1 = w, a1 = a, b1 = b;
      T* slots[kRuleSlots] = {a.data(), b.data(), nullptr};
      double sums[2] = {1, 2}, expected[2] = {1, 2};
      kernels.optim_norms(args, n, w.data(), g.data(), slots, sums);
      const auto c = [&](int i) { return T(args.s[i]); };
      for (size_t i = 0; i < w.size(); ++i) {
        expected[0] += double(w1[i]) * double(w1[i]);
        T x = shaped(args, g[i], w1[i]);
        if (rule == Rule::LAMB) {
          a1[i] = a1[i] + c(0) * (x - a1[i]);
          b1[i] = c(1) * b1[i] + (c(2) * x) * x;
          x = (c(4) * a1[i]) / (std::sqrt(b1[i]) * c(5) + c(3)) + c(6) * w1[i];
        } else if (rule == Rule::ADAFACTOR) {
          x = x * std::min(c(0) * a1[i], c(1));
        } else if (rule == Rule::MUON) {
          a1[i] = c(0) * a1[i] + c(1) * x;
          b1[i] = x = a1[i];
        }
        expected[1] += double(x) * double(x);
      }
      const double bound = double(n) * double(std::numeric_limits<T>::epsilon());
      CHECK(check::same_bits(a, a1) && check::same_bits(b, b1), "%s rule %d, n %lld", name, static_cast<int>(rule),
            (long long)n);
      for (int i = 0; i < 2; ++i) {
        CHECK(std::abs(sums[i] - expected[i]) <= bound * expected[i], "%s rule %d, n %lld: %g, expected %g", name,
              static_cast<int>(rule), (long long)n, sums[i], expected[i]);
      }
    }
  }
}

// A NaN gradient stays one through the clamp, and a scale of NaN reaches every weight.
template <class T>
void not_numbers(const char* name, const Kernels<T>& kernels) {
  for (bool in_scale : {false, true}) {
    OptimArgs args{};
    args.s[0] = 0.1;
    args.scale = in_scale ? double{NAN} : 1.0;
    args.clip_value = 0.5;
    T w[3] = {1, 1, 1}, g[3] = {T(2), in_scale ? T(1) : T(NAN), T(-2)};
    T* slots[kRuleSlots] = {};
    kernels.optim(args, 3, w, g, slots);
    CHECK(std::isnan(w[1]) && std::isnan(w[0]) == in_scale, "%s with NaN", name);
    CHECK(in_scale || (w[0] == T(1) - T(0.1) * T(0.5) && w[2] == T(1) + T(0.1) * T(0.5)), "%s clips", name);
  }
}

}  // namespace

SUITE(optimizers) {
  check::each_table([](const KernelTable& t) {
    rules(t.name, t.f32);
    norms(t.name, t.f32);
    not_numbers(t.name, t.f32);
  });
  rules("float64", float64_kernels());
  norms("float64", float64_kernels());
  not_numbers("float64", float64_kernels());
}
