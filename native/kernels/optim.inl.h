// The rules of OPTIM as in PyTorch 2.13 where it has them; opcodes.inc has the formulas. Scalars are rounded from
// double to T once; every elementwise operation below rounds, in the order written. g is not changed. For every rule
// first:
//   g = scale * g when the scale is not 1; g = min(max(g, -clip_value), clip_value) when that is finite; maximize: g =
//   -g; g = g + l1 * sign(w) when l1 is not 0; with weight decay w = w * (1 - lr * decay) when decoupled, else g = g +
//   decay * w
// Sources: Sutskever et al. 2013; Kingma and Ba 2015; Loshchilov and Hutter 2019; Reddi et al. 2018; Hinton 2012; Duchi
// et al. 2011; Zeiler 2012; Dozat 2016; Liu et al. 2020; Chen et al. 2023; Riedmiller and Braun 1993; Jacobs 1988;
// You, Gitman and Ginsburg 2017; You et al. 2020; Shazeer and Stern 2018; Jordan et al. 2024.
#pragma once

namespace neurite::NEURITE_ISA {

// The gradient and weight as the rule sees them. `shaped` is false when there is nothing to do but the sign and the
// decay.
template <class T, bool shaped>
struct Gradient {
  using V = Vec<T>;
  V scale, limit, l1, decay, shrink;
  bool scales, clips, penalizes, maximize, decays, shrinks;

  NEURITE_INLINE explicit Gradient(const OptimArgs& args)
      : scale(V::set(static_cast<T>(args.scale))),
        limit(V::set(static_cast<T>(args.clip_value))),
        l1(V::set(static_cast<T>(args.l1))),
        decay(V::set(static_cast<T>(args.weight_decay))),
        shrink(V::set(static_cast<T>(1 - args.lr * args.weight_decay))),
        scales(args.scale != 1),
        clips(args.clip_value < __builtin_inf()),
        penalizes(args.l1 != 0),
        maximize(args.maximize),
        decays(args.weight_decay != 0 && !args.decoupled),
        shrinks(args.weight_decay != 0 && args.decoupled) {}

  NEURITE_INLINE V of(V g, V& weight) const {
    if constexpr (shaped) {
      if (scales) g = g * scale;
      if (clips) g = minimum(maximum(g, neg(limit)), limit);
    }
    if (maximize) g = neg(g);
    if constexpr (shaped) {
      if (penalizes) g = g + l1 * sign(weight);
    }
    if (shrinks) weight = weight * shrink;
    if (decays) g = g + decay * weight;
    return g;
  }

  static NEURITE_INLINE V sign(V x) {
    const V zero = V::set(0);
    return select(lt(zero, x), V::set(1), select(lt(x, zero), V::set(-1), x));
  }
};

// body(read, write, only) for every vector of [0, n), like each_vector; only(v) is v with 0 where no element is.
template <class T, class F>
NEURITE_INLINE void each_whole(int64_t n, F body) {
  using V = Vec<T>;
  const int64_t whole = n / V::lanes * V::lanes;
  each_vector<T>(whole, [&](auto read, auto write) { body(read, write, [](V v) { return v; }); });
  if (whole == n) return;
  const auto only = [rest = n - whole](V v) {
    T copy[V::lanes];
    v.store(copy);
    return V::load_n(copy, rest);
  };
  each_vector<T>(n - whole, [&](auto read, auto write) {
    body([=](const T* p) { return read(p + whole); }, [=](T* p, V v) { write(p + whole, v); }, only);
  });
}

// each_vector whose body also gets ahead(p), which brings what p needs soon to the second-level cache when n elements
// are too many to be there: a rule reads up to five streams, and the prefetchers stop at the end of each page of each.
// 5 to 12 % faster from memory; in the caches it would be up to 14 % slower.
template <class T, class F>
NEURITE_INLINE void each_vector_ahead(int64_t n, F body) {
  constexpr int64_t kAhead = 2048 / static_cast<int64_t>(sizeof(T)), kMany = 1 << 18, lanes = Vec<T>::lanes;
  const int64_t whole = n / lanes * lanes, rest = n - whole;
  const bool far = n >= kMany;
  int64_t i = 0;
  const auto ahead = [&i, far](const T* p) {
    if (far) NEURITE_PREFETCH_FAR(p + i + kAhead);
  };
  for (; i < whole; i += lanes) {
    body([i](const T* p) { return Vec<T>::load(p + i); }, [i](T* p, Vec<T> v) { v.store(p + i); }, ahead);
  }
  if (rest == 0) return;
  body([=](const T* p) { return Vec<T>::load_n(p + whole, rest); }, [=](T* p, Vec<T> v) { v.store_n(p + whole, rest); },
       [](const T*) {});
}

// w = rule(w, gradient, x), x the values of the slots in `present`, which the rule replaces.
template <class T, int present, bool shaped, class F>
NEURITE_INLINE void update(const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots, F rule) {
  using V = Vec<T>;
  const Gradient<T, shaped> gradient(args);
  each_vector_ahead<T>(n, [=](auto read, auto write, auto ahead) {
    V weight = read(w), d = gradient.of(read(g), weight), x[kRuleSlots] = {};
    ahead(w);
    ahead(g);
    NEURITE_UNROLL
    for (int s = 0; s < kRuleSlots; ++s) {
      if ((present >> s & 1) == 0) continue;
      x[s] = read(slots[s]);
      ahead(slots[s]);
    }
    weight = rule.template operator()<present>(weight, d, x);
    NEURITE_UNROLL
    for (int s = 0; s < kRuleSlots; ++s) {
      if ((present >> s & 1) != 0) write(slots[s], x[s]);
    }
    write(w, weight);
  });
}

// The loop for the slots that are there, one of `masks`, and for what the options do to the gradient.
template <class T, int... masks, class F>
NEURITE_INLINE void with_slots(const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots, F rule) {
  const bool shaped = args.scale != 1 || args.l1 != 0 || args.clip_value < __builtin_inf();
  const auto run = [&]<int present>() {
    if (args.present != present) return false;
    if (shaped) {
      update<T, present, true>(args, n, w, g, slots, rule);
    } else {
      update<T, present, false>(args, n, w, g, slots, rule);
    }
    return true;
  };
  (void)(run.template operator()<masks>() || ...);
}

// LAMB's direction from its moments; s as Adam's, the rates of the moments without the learning rate.
template <class T>
struct Lamb {
  using V = Vec<T>;
  V new1, beta2, new2, eps, unbias1, unbias2, decay;

  NEURITE_INLINE explicit Lamb(const OptimArgs& args)
      : new1(V::set(static_cast<T>(args.s[0]))),
        beta2(V::set(static_cast<T>(args.s[1]))),
        new2(V::set(static_cast<T>(args.s[2]))),
        eps(V::set(static_cast<T>(args.s[3]))),
        unbias1(V::set(static_cast<T>(args.s[4]))),
        unbias2(V::set(static_cast<T>(args.s[5]))),
        decay(V::set(static_cast<T>(args.s[6]))) {}

  NEURITE_INLINE V direction(V m, V v, V weight) const {
    return (unbias1 * m) / (sqrt(v) * unbias2 + eps) + decay * weight;
  }
};

// Adafactor's update: g times the row's factor s[0] and the column's, at most s[1]. NaN stays.
template <class T>
struct Factored {
  using V = Vec<T>;
  Gradient<T, true> gradient;
  V row, most;

  NEURITE_INLINE explicit Factored(const OptimArgs& args)
      : gradient(args), row(V::set(static_cast<T>(args.s[0]))), most(V::set(static_cast<T>(args.s[1]))) {}

  NEURITE_INLINE V of(V g, V& weight, V column) const { return gradient.of(g, weight) * minimum(row * column, most); }
};

template <class T>
void optim(const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots) noexcept {
  using V = Vec<T>;
  using Plain = Gradient<T, false>;
  V c[kRuleScalars];
  for (int i = 0; i < kRuleScalars; ++i) c[i] = V::set(static_cast<T>(args.s[i]));
  const bool variant = args.variant;
  const auto root = [variant](V v, V eps) { return variant ? sqrt(v + eps) : sqrt(v) + eps; };
  switch (args.rule) {
    case Rule::LARS:  // the scaled form
    case Rule::SGD: {
      const V rate = c[0], keep = c[1], fresh = c[2], momentum = c[3];
      return with_slots<T, 0, 1>(args, n, w, g, slots, [=]<int present>(V weight, V d, V* x) {
        if constexpr (present == 0) return weight - rate * d;
        d = fresh * d;
        x[0] = keep * x[0] + d;
        return weight - rate * (variant ? d + momentum * x[0] : x[0]);
      });
    }
    case Rule::ADAM: {
      const V new1 = c[0], beta2 = c[1], new2 = c[2], eps = c[3], rate = c[4], unbias = c[5];
      return with_slots<T, 3, 7>(args, n, w, g, slots, [=]<int present>(V weight, V d, V* x) {
        x[0] = x[0] + new1 * (d - x[0]);
        x[1] = beta2 * x[1] + (new2 * d) * d;
        if constexpr (present == 7) x[2] = maximum(x[2], x[1]);
        const V second = x[present == 7 ? 2 : 1];
        return weight - (rate * x[0]) / (variant ? sqrt(second * unbias + eps) : sqrt(second) * unbias + eps);
      });
    }
    case Rule::RMSPROP: {
      const V rate = c[0], alpha = c[1], fresh = c[2], eps = c[3], momentum = c[4];
      return with_slots<T, 1, 3, 5, 7>(args, n, w, g, slots, [=]<int present>(V weight, V d, V* x) {
        x[0] = alpha * x[0] + (fresh * d) * d;
        V spread = x[0];
        if constexpr ((present & 2) != 0) {
          x[1] = x[1] + fresh * (d - x[1]);
          spread = spread - x[1] * x[1];
        }
        d = d / root(spread, eps);
        if constexpr ((present & 4) != 0) d = x[2] = momentum * x[2] + d;
        return weight - rate * d;
      });
    }
    case Rule::ADAGRAD: {
      const V rate = c[0], eps = c[1];
      return with_slots<T, 1>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        x[0] = x[0] + d * d;
        return weight - rate * (d / root(x[0], eps));
      });
    }
    case Rule::ADADELTA: {
      const V rate = c[0], rho = c[1], fresh = c[2], eps = c[3];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        x[0] = rho * x[0] + (fresh * d) * d;
        d = sqrt(x[1] + eps) / sqrt(x[0] + eps) * d;
        x[1] = rho * x[1] + (fresh * d) * d;
        return weight - rate * d;
      });
    }
    case Rule::ADAMAX: {
      const V new1 = c[0], beta2 = c[1], eps = c[2], rate = c[3];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        x[0] = x[0] + new1 * (d - x[0]);
        x[1] = maximum(beta2 * x[1], abs(d) + eps);
        return weight - (rate * x[0]) / x[1];
      });
    }
    case Rule::NADAM: {
      const V new1 = c[0], beta2 = c[1], new2 = c[2], eps = c[3], unbias = c[4], of_g = c[5], of_m = c[6];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        x[0] = x[0] + new1 * (d - x[0]);
        x[1] = beta2 * x[1] + (new2 * d) * d;
        return weight - (of_g * d + of_m * x[0]) / (sqrt(x[1]) * unbias + eps);
      });
    }
    case Rule::RADAM: {
      const V new1 = c[0], beta2 = c[1], new2 = c[2], of_root = c[3], base = c[4], rate = c[5];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        x[0] = x[0] + new1 * (d - x[0]);
        x[1] = beta2 * x[1] + (new2 * d) * d;
        return weight - (rate * x[0]) / (of_root * sqrt(x[1]) + base);
      });
    }
    case Rule::LION: {
      const V rate = c[0], new1 = c[1], new2 = c[2];
      return with_slots<T, 1>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        const V change = d - x[0], direction = x[0] + new1 * change;
        x[0] = x[0] + new2 * change;
        return weight - rate * Plain::sign(direction);
      });
    }
    case Rule::RPROP: {
      const V shorter = c[0], longer = c[1], least = c[2], greatest = c[3];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        const V zero = V::set(0), agreement = d * x[0];
        const V factor = select(lt(zero, agreement), longer, select(lt(agreement, zero), shorter, V::set(1)));
        x[1] = minimum(maximum(x[1] * factor, least), greatest);
        x[0] = select(lt(agreement, zero), zero, d);
        return weight - x[1] * Plain::sign(x[0]);
      });
    }
    case Rule::DELTA_BAR_DELTA: {
      const V fresh = c[0], more = c[1], keep = c[2];
      return with_slots<T, 3>(args, n, w, g, slots, [=]<int>(V weight, V d, V* x) {
        const V zero = V::set(0), agreement = d * x[0];
        x[1] = select(lt(zero, agreement), x[1] + more, select(lt(agreement, zero), x[1] * keep, x[1]));
        x[0] = x[0] + fresh * (d - x[0]);
        return weight - x[1] * d;
      });
    }
    case Rule::EMA: {
      const V to_new = c[0], to_old = c[1];  // r and 1 - r: from the nearer end, so that r = 1 copies
      const bool near_new = args.s[0] >= 0.5;
      return with_slots<T, 0>(args, n, w, g, slots, [=]<int>(V weight, V d, V*) {
        return near_new ? d - to_old * (d - weight) : weight + to_new * (d - weight);
      });
    }
    case Rule::LAMB: {
      const Lamb<T> lamb(args);
      const V rate = V::set(static_cast<T>(args.lr));
      return each_vector<T>(n, [=](auto read, auto write) {
        const V weight = read(w);
        write(w, weight - rate * lamb.direction(read(slots[0]), read(slots[1]), weight));
      });
    }
    case Rule::ADAFACTOR: {
      const Factored<T> factored(args);
      const V rate = c[2];
      return each_vector<T>(n, [=](auto read, auto write) {
        V weight = read(w);
        const V u = factored.of(read(g), weight, read(slots[0]));
        write(w, weight - rate * u);
      });
    }
    case Rule::MUON: {
      const V rate = c[2];
      return each_vector<T>(n, [=](auto read, auto write) { write(w, read(w) - rate * read(slots[1])); });
    }
  }
}

// Sums of w^2 and x^2 over blocks, which are added in double; x is what f(read, write, weight) gives.
template <class T, class F>
NEURITE_INLINE void norms(int64_t n, const T* w, double* sums, F f) {
  using V = Vec<T>;
  for (int64_t begin = 0; begin < n; begin += kReduceBlock) {
    V of_w = V::set(0), of_x = V::set(0);
    each_whole<T>(begin + kReduceBlock < n ? kReduceBlock : n - begin, [&](auto read, auto write, auto only) {
      const V weight = read(w + begin);
      const V x = only(f([=](const T* p) { return read(p + begin); }, [=](T* p, V v) { write(p + begin, v); }, weight));
      of_w = mul_add(weight, weight, of_w);
      of_x = mul_add(x, x, of_x);
    });
    sums[0] += static_cast<double>(fold_vector<Sum, V::lanes / 2>(of_w).first());
    sums[1] += static_cast<double>(fold_vector<Sum, V::lanes / 2>(of_x).first());
  }
}

template <class T>
void optim_norms(const OptimArgs& args, int64_t n, T* w, const T* g, T* const* slots, double* sums) noexcept {
  using V = Vec<T>;
  const Gradient<T, true> gradient(args);
  switch (args.rule) {
    case Rule::LARS: return norms(n, w, sums, [=](auto read, auto, V weight) { return gradient.of(read(g), weight); });
    case Rule::LAMB: {
      const Lamb<T> lamb(args);
      return norms(n, w, sums, [=](auto read, auto write, V weight) {
        const V d = gradient.of(read(g), weight), old = read(slots[0]);
        const V first = old + lamb.new1 * (d - old);
        const V second = lamb.beta2 * read(slots[1]) + (lamb.new2 * d) * d;
        write(slots[0], first);
        write(slots[1], second);
        return lamb.direction(first, second, weight);
      });
    }
    case Rule::ADAFACTOR: {
      const Factored<T> factored(args);
      return norms(n, w, sums, [=](auto read, auto, V weight) { return factored.of(read(g), weight, read(slots[0])); });
    }
    default: {  // MUON
      const V keep = V::set(static_cast<T>(args.s[0])), fresh = V::set(static_cast<T>(args.s[1]));
      const bool ahead = args.variant;
      return norms(n, w, sums, [=](auto read, auto write, V weight) {
        const V d = fresh * gradient.of(read(g), weight);
        const V velocity = keep * read(slots[0]) + d;
        const V u = ahead ? keep * velocity + d : velocity;
        write(w, weight);
        write(slots[0], velocity);
        write(slots[1], u);
        return u;
      });
    }
  }
}

template <class T>
T optim_squares(const OptimArgs& args, int64_t n, const T* w, const T* g, T* squares, double* of_w) noexcept {
  using V = Vec<T>;
  const Gradient<T, true> gradient(args);
  V total = V::set(0), weights = V::set(0);
  each_whole<T>(n, [&](auto read, auto write, auto only) {
    V weight = read(w);
    weights = mul_add(weight, weight, weights);
    const V d = only(gradient.of(read(g), weight)), square = d * d;
    total = total + square;
    write(squares, read(squares) + square);
  });
  *of_w += static_cast<double>(fold_vector<Sum, V::lanes / 2>(weights).first());
  return fold_vector<Sum, V::lanes / 2>(total).first();
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
