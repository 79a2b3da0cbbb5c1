// SGD, Adam, RMSprop and Adagrad as in PyTorch 2.13, with what may happen to the gradient before. Scalars are computed
// in double and rounded to T once; every elementwise operation below rounds, in the order written. g is not changed.
//   first: g = gradient.scale * g when the scale is not 1, g = min(max(g, -clip_value), clip_value) when that is
//   finite,
//         and after the sign of maximize g' = g' + l1 * sign(w) when l1 is not 0
//   SGD:  g' = maximize ? -g : g
//         if weight_decay != 0: g' = g' + weight_decay * w
//         v = first_step ? g' : momentum * v + (1 - dampening) * g'
//         d = nesterov ? g' + momentum * v : v, without v: d = g'
//         w = w - lr * d
//   Adam: g' = maximize ? -g : g
//         if weight_decay != 0: w = w * (1 - lr * weight_decay) when decoupled, else g' = g' + weight_decay * w
//         m = m + (1 - beta1) * (g' - m)
//         v = beta2 * v + ((1 - beta2) * g') * g'
//         w = w - (lr / bias_correction1 * m) / (sqrt(v) * (1 / sqrt(bias_correction2)) + eps)
//   RMSprop: g' as in SGD; v = alpha * v + ((1 - alpha) * g') * g'
//         centered: avg = avg + (1 - alpha) * (g' - avg), d = sqrt(v - avg * avg) + eps, else d = sqrt(v) + eps
//         with momentum: buf = momentum * buf + g' / d, w = w - lr * buf, else w = w - lr * (g' / d)
//   Adagrad: g' as in SGD; v = v + g' * g'; w = w - lr * (g' / (sqrt(v) + eps))
// Sources: Sutskever et al. 2013; Kingma and Ba 2015; Loshchilov and Hutter 2019; Hinton 2012; Duchi et al. 2011.
#pragma once

namespace neurite::NEURITE_ISA {

// body(i, read, write): read(p) and write(p, v) touch element i of p onwards, whole vectors or the last part of one.
template <class T, class F>
NEURITE_INLINE void update(int64_t n, F body) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::lanes <= n; i += V::lanes) {
    body([i](const T* p) { return V::load(p + i); }, [i](T* p, V v) { v.store(p + i); });
  }
  if (i < n) {
    body([i, n](const T* p) { return V::load_n(p + i, n - i); }, [i, n](T* p, V v) { v.store_n(p + i, n - i); });
  }
}

// The gradient as the rule sees it. `shaped` is false when there is nothing to do but the sign.
template <class T, bool shaped>
struct Gradient {
  using V = Vec<T>;
  V scale, limit, l1;
  bool scales, clips, penalizes, maximize;

  NEURITE_INLINE Gradient(const GradientArgs& args, bool up)
      : scale(V::set(static_cast<T>(args.scale))),
        limit(V::set(static_cast<T>(args.clip_value))),
        l1(V::set(static_cast<T>(args.l1))),
        scales(args.scale != 1),
        clips(args.clip_value < __builtin_inf()),
        penalizes(args.l1 != 0),
        maximize(up) {}

  NEURITE_INLINE V of(V g, V weight) const {
    if constexpr (shaped) {
      if (scales) g = g * scale;
      if (clips) g = minimum(maximum(g, neg(limit)), limit);
    }
    if (maximize) g = neg(g);
    if constexpr (shaped) {
      const V zero = V::set(0);
      if (penalizes) g = g + l1 * select(lt(zero, weight), V::set(1), select(lt(weight, zero), V::set(-1), weight));
    }
    return g;
  }
};

// rule(gradient) with the type of gradient the arguments need.
template <class T, class F>
NEURITE_INLINE void with_gradient(const GradientArgs& args, bool maximize, F rule) {
  if (args.scale == 1 && args.l1 == 0 && !(args.clip_value < __builtin_inf())) {
    rule(Gradient<T, false>(args, maximize));
  } else {
    rule(Gradient<T, true>(args, maximize));
  }
}

template <class T>
void sgd(const SgdArgs& args, int64_t n, T* w, const T* g, T* v) noexcept {
  using V = Vec<T>;
  const V lr = V::set(static_cast<T>(args.lr)), momentum = V::set(static_cast<T>(args.momentum));
  const V damped = V::set(static_cast<T>(1 - args.dampening)), decay = V::set(static_cast<T>(args.weight_decay));
  const bool first = args.first_step, nesterov = args.nesterov, decays = args.weight_decay != 0;
  with_gradient<T>(args.gradient, args.maximize, [=](auto gradient) {
    update<T>(n, [=](auto read, auto write) {
      const V weight = read(w);
      V d = gradient.of(read(g), weight);
      if (decays) d = d + decay * weight;
      if (v != nullptr) {
        const V velocity = first ? d : momentum * read(v) + damped * d;
        write(v, velocity);
        d = nesterov ? d + momentum * velocity : velocity;
      }
      write(w, weight - lr * d);
    });
  });
}

template <class T>
void adam(const AdamArgs& args, int64_t n, T* w, const T* g, T* m, T* v) noexcept {
  using V = Vec<T>;
  const V new1 = V::set(static_cast<T>(1 - args.beta1)), beta2 = V::set(static_cast<T>(args.beta2));
  const V new2 = V::set(static_cast<T>(1 - args.beta2)), eps = V::set(static_cast<T>(args.eps));
  const V step = V::set(static_cast<T>(args.lr / args.bias_correction1));
  const V unbias = V::set(static_cast<T>(1 / __builtin_sqrt(args.bias_correction2)));
  const V decay = V::set(static_cast<T>(args.weight_decay)),
          shrink = V::set(static_cast<T>(1 - args.lr * args.weight_decay));
  const bool decays = args.weight_decay != 0, decoupled = args.decoupled;
  with_gradient<T>(args.gradient, args.maximize, [=](auto gradient) {
    update<T>(n, [=](auto read, auto write) {
      V weight = read(w), grad = gradient.of(read(g), weight);
      if (decays && decoupled) weight = weight * shrink;
      if (decays && !decoupled) grad = grad + decay * weight;
      const V mean = read(m);
      const V m1 = mean + new1 * (grad - mean);
      const V v1 = beta2 * read(v) + (new2 * grad) * grad;
      write(m, m1);
      write(v, v1);
      write(w, weight - (step * m1) / (sqrt(v1) * unbias + eps));
    });
  });
}

template <class T>
void rmsprop(const RmspropArgs& args, int64_t n, T* w, const T* g, T* v, T* avg, T* buf) noexcept {
  using V = Vec<T>;
  const V lr = V::set(static_cast<T>(args.lr)), momentum = V::set(static_cast<T>(args.momentum));
  const V alpha = V::set(static_cast<T>(args.alpha)), fresh = V::set(static_cast<T>(1 - args.alpha));
  const V eps = V::set(static_cast<T>(args.eps)), decay = V::set(static_cast<T>(args.weight_decay));
  const bool decays = args.weight_decay != 0;
  with_gradient<T>(args.gradient, args.maximize, [=](auto gradient) {
    update<T>(n, [=](auto read, auto write) {
      const V weight = read(w);
      V d = gradient.of(read(g), weight);
      if (decays) d = d + decay * weight;
      const V square = alpha * read(v) + (fresh * d) * d;
      write(v, square);
      V spread = square;
      if (avg != nullptr) {
        const V mean = read(avg), next = mean + fresh * (d - mean);
        write(avg, next);
        spread = square - next * next;
      }
      d = d / (sqrt(spread) + eps);
      if (buf != nullptr) {
        d = momentum * read(buf) + d;
        write(buf, d);
      }
      write(w, weight - lr * d);
    });
  });
}

template <class T>
void adagrad(const AdagradArgs& args, int64_t n, T* w, const T* g, T* v) noexcept {
  using V = Vec<T>;
  const V lr = V::set(static_cast<T>(args.lr)), eps = V::set(static_cast<T>(args.eps));
  const V decay = V::set(static_cast<T>(args.weight_decay));
  const bool decays = args.weight_decay != 0;
  with_gradient<T>(args.gradient, args.maximize, [=](auto gradient) {
    update<T>(n, [=](auto read, auto write) {
      const V weight = read(w);
      V d = gradient.of(read(g), weight);
      if (decays) d = d + decay * weight;
      const V total = read(v) + d * d;
      write(v, total);
      write(w, weight - lr * (d / (sqrt(total) + eps)));
    });
  });
}

// Four vectors of partial sums, one order for each instruction set.
template <class T>
T sum_squares(const T* x, int64_t n) noexcept {
  using V = Vec<T>;
  constexpr int width = 4;
  V acc[width] = {V::set(0), V::set(0), V::set(0), V::set(0)};
  int64_t i = 0;
  for (; i + width * V::lanes <= n; i += width * V::lanes) {
    NEURITE_UNROLL
    for (int j = 0; j < width; ++j) {
      const V v = V::load(x + i + j * V::lanes);
      acc[j] = mul_add(v, v, acc[j]);
    }
  }
  for (; i + V::lanes <= n; i += V::lanes) {
    const V v = V::load(x + i);
    acc[0] = mul_add(v, v, acc[0]);
  }
  if (i < n) {
    const V v = V::load_n(x + i, n - i);
    acc[1] = mul_add(v, v, acc[1]);
  }
  return fold_vector<Sum, V::lanes / 2>((acc[0] + acc[2]) + (acc[1] + acc[3])).first();
}

}  // namespace neurite::NEURITE_ISA
