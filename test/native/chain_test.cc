// Chains of micro-operations: the bits of the same micro-operations one by one, whatever the length and the operands.
#include <type_traits>

#include "check.h"

using namespace neurite;
using check::Values;

namespace {

struct Info {
  Micro code;
  int arity;
  bool integer;
};
constexpr Info infos[] = {
#define NEURITE_MICRO(name, code, arity, integer) {Micro::name, arity, integer},
#include "../../native/program/opcodes.inc"
};

/** Random steps: each reads the step before, one value, an input, or the kept result of an earlier step. */
template <class T>
struct Case {
  static constexpr int kSteps = 12, kInputs = 3;
  int64_t n;
  std::vector<std::vector<T>> inputs, results, kept, outputs;
  std::vector<T> scalars;
  std::vector<ChainStep<T>> steps;

  Case(uint64_t seed, int64_t length, const Kernels<T>& kernels) : n(length) {
    Values values(seed);
    const auto size = static_cast<size_t>(n);
    scalars = values.many<T>(4);
    for (T& s : scalars) s *= T(5);
    for (int i = 0; i < kInputs; ++i) {
      inputs.push_back(values.many<T>(n));
      for (T& x : inputs.back()) x *= T(7);
    }
    kept.assign(kSteps, {});
    outputs.assign(kSteps, {});
    for (int k = 0; k < kSteps; ++k) {
      Info info = infos[values.next() % std::size(infos)];
      while (!info.integer && std::is_integral_v<T>) info = infos[values.next() % std::size(infos)];
      ChainStep<T> step{static_cast<int32_t>(info.code), {}, {}, {}, {}};
      const std::vector<T>* from[3] = {};
      std::vector<T> filled[3];
      ChainOperand<const T>* const operands[] = {&step.a, &step.b, &step.c};
      for (int o = 0; o < info.arity; ++o) {
        ChainOperand<const T>& operand = *operands[o];
        const uint64_t draw = values.next() % 4;
        std::vector<int> stored;  // steps whose result is in memory
        for (int j = 0; j < k; ++j) {
          if (!kept[j].empty() || !outputs[j].empty()) stored.push_back(j);
        }
        if (o == 0 && k > 0 && draw < 2) {
          from[o] = &results.back();
        } else if (draw == 0) {
          const T& scalar = scalars[values.next() % scalars.size()];
          filled[o].assign(size, scalar);
          from[o] = &filled[o];
          operand = {&scalar, 0, true};
        } else if (draw == 1 && !stored.empty()) {
          const auto j = static_cast<size_t>(stored[values.next() % stored.size()]);
          from[o] = &results[j];
          operand = {steps[j].out.data, steps[j].out.moves, false};
        } else {
          const std::vector<T>& input = inputs[values.next() % kInputs];
          from[o] = &input;
          operand = {input.data(), -1, false};
        }
      }
      std::vector<T> result(size);
      const auto at = [&](int o) { return from[o] == nullptr ? nullptr : from[o]->data(); };
      kernels.micro(step.code, result.data(), at(0), at(1), at(2), n);
      results.push_back(std::move(result));
      const auto index = static_cast<size_t>(k);
      if (values.next() % 3 == 0) {
        kept[index].resize(kChainBlock);
        step.out = {kept[index].data(), 0, false};
      } else if (values.next() % 3 == 0 || k == kSteps - 1) {
        outputs[index].resize(size);
        step.out = {outputs[index].data(), -1, false};
      }
      steps.push_back(step);
    }
  }
};

template <class T>
void compare(const char* name, const Kernels<T>& kernels) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    for (const int64_t n : {1, 37, 128, 300, 512, 1200}) {
      Case<T> c(seed * 1000 + static_cast<uint64_t>(n), n, kernels);
      kernels.chain(c.steps.data(), Case<T>::kSteps, n);
      for (size_t k = 0; k < c.outputs.size(); ++k) {
        if (c.outputs[k].empty()) continue;
        CHECK(check::same_bits(c.outputs[k], c.results[k]), "%s chain %d of %d elements: step %d differs", name,
              static_cast<int>(seed), static_cast<int>(n), static_cast<int>(k));
      }
    }
  }
}

}  // namespace

SUITE(chain) {
  check::each_table([](const KernelTable& t) { compare(t.name, t.f32); });
  compare("float64", float64_kernels());
  compare("int32", int32_kernels());
}

SUITE(chain_in_place) {
  check::each_table([](const KernelTable& t) {
    const int64_t n = 700;
    const std::vector<float> x = Values(5).many<float>(n);
    std::vector<float> y = x, want(x.size());
    const float half = 0.5f;
    const ChainStep<float> steps[] = {
        {static_cast<int32_t>(Micro::MUL), {y.data(), -1, false}, {&half, 0, true}, {}, {}},
        {static_cast<int32_t>(Micro::ADD), {}, {y.data(), -1, false}, {}, {y.data(), -1, false}},
    };
    t.f32.chain(steps, 2, n);
    for (size_t i = 0; i < x.size(); ++i) want[i] = x[i] * 0.5f + x[i];
    CHECK(check::same_bits(y, want), "%s: a chain over its own input", t.name);
  });
}
