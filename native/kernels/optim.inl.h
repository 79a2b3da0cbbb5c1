// SGD and Adam as in PyTorch 2.13. Scalars are computed in double and rounded to T once; every elementwise operation
// below rounds, in the order written. g is not changed.
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
// Sources: Sutskever et al. 2013; Kingma and Ba 2015; Loshchilov and Hutter 2019.
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

template <class T>
void sgd(const SgdArgs& args, int64_t n, T* w, const T* g, T* v) noexcept {
  using V = Vec<T>;
  const V lr = V::set(static_cast<T>(args.lr)), momentum = V::set(static_cast<T>(args.momentum));
  const V damped = V::set(static_cast<T>(1 - args.dampening)), decay = V::set(static_cast<T>(args.weight_decay));
  const bool maximize = args.maximize, first = args.first_step, nesterov = args.nesterov,
             decays = args.weight_decay != 0;
  update<T>(n, [=](auto read, auto write) {
    const V weight = read(w);
    V d = read(g);
    if (maximize) d = neg(d);
    if (decays) d = d + decay * weight;
    if (v != nullptr) {
      const V velocity = first ? d : momentum * read(v) + damped * d;
      write(v, velocity);
      d = nesterov ? d + momentum * velocity : velocity;
    }
    write(w, weight - lr * d);
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
  const bool maximize = args.maximize, decays = args.weight_decay != 0, decoupled = args.decoupled;
  update<T>(n, [=](auto read, auto write) {
    V weight = read(w), grad = read(g);
    if (maximize) grad = neg(grad);
    if (decays && decoupled) weight = weight * shrink;
    if (decays && !decoupled) grad = grad + decay * weight;
    const V mean = read(m);
    const V m1 = mean + new1 * (grad - mean);
    const V v1 = beta2 * read(v) + (new2 * grad) * grad;
    write(m, m1);
    write(v, v1);
    write(w, weight - (step * m1) / (sqrt(v1) * unbias + eps));
  });
}

}  // namespace neurite::NEURITE_ISA
