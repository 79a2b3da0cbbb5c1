// Philox against the known answers of Random123 and against the textbook loop, distributions, dropout.
#include <algorithm>

#include "check.h"

using namespace neurite;

namespace {

struct Words {
  uint32_t w[4];
};

Words philox(Words c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c.w[0], p1 = uint64_t{0xCD9E8D57u} * c.w[2];
    c = {{static_cast<uint32_t>(p1 >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p0)}};
  }
  return c;
}

Words block(const RandomArgs& args, uint64_t counter) {
  return philox({{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                  static_cast<uint32_t>(args.index), static_cast<uint32_t>(args.index >> 32)}},
                args.key[0], args.key[1]);
}

float unit(const RandomArgs& args, int64_t i) {
  return static_cast<float>(block(args, static_cast<uint64_t>(i / 4)).w[i % 4] >> 8) * 0x1p-24f;
}

// The 16 bits that decide over element i of dropout.
uint32_t half(const RandomArgs& args, int64_t i) {
  const int64_t word = i / 128 * 64 + i % 64;
  return block(args, static_cast<uint64_t>(word / 4)).w[word % 4] >> (i % 128 < 64 ? 0 : 16) & 0xFFFFu;
}

const RandomArgs kArgs = {Distribution::UNIFORM, 0, 1, {123u, 456u}, 0x123456789ABCull};

}  // namespace

SUITE(philox_known_answers) {
  const struct {
    Words counter;
    uint32_t key[2];
    Words want;
  } known[] = {
      {{{0, 0, 0, 0}}, {0, 0}, {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}}},
      {{{~0u, ~0u, ~0u, ~0u}}, {~0u, ~0u}, {{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}}},
      {{{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}},
       {0xa4093822u, 0x299f31d0u},
       {{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}}},
  };
  for (const auto& k : known) {
    const Words got = philox(k.counter, k.key[0], k.key[1]);
    CHECK(std::memcmp(got.w, k.want.w, 16) == 0, "the reference generator of this test is Philox4x32-10");
  }
  // Through the kernels: the counters whose element index fits 63 bits.
  for (const auto& k : {known[0]}) {
    const RandomArgs args = {Distribution::UNIFORM, 0, 1, {k.key[0], k.key[1]}, 0};
    check::each_table([&](const KernelTable& t) {
      float out[4];
      t.f32.random(args, 0, 4, out);
      for (int i = 0; i < 4; ++i)
        CHECK(out[i] == static_cast<float>(k.want.w[i] >> 8) * 0x1p-24f, "%s: word %d", t.name, i);
    });
  }
}

SUITE(random) {
  check::each_table([](const KernelTable& t) {
    for (int64_t first : {int64_t{0}, int64_t{4}, int64_t{1000}, (int64_t{1} << 34) - 44, int64_t{1} << 40}) {
      for (int64_t n : {0, 1, 3, 4, 5, 15, 63, 64, 65, 200}) {
        std::vector<float> out(static_cast<size_t>(n) + 1, 7.0f);
        t.f32.random(kArgs, first, n, out.data());
        bool same = true;
        for (int64_t i = 0; i < n; ++i) same = same && out[static_cast<size_t>(i)] == unit(kArgs, first + i);
        CHECK(same && out[static_cast<size_t>(n)] == 7.0f, "%s uniform, first %lld, n %lld", t.name, (long long)first,
              (long long)n);
      }
    }
    RandomArgs args = kArgs;
    args.a = -3;
    args.b = 5;
    std::vector<float> x(100000), whole(100000);
    const int64_t n = 100000;
    t.f32.random(args, 0, n, x.data());
    CHECK(*std::min_element(x.begin(), x.end()) >= -3 && *std::max_element(x.begin(), x.end()) < 5,
          "%s uniform in [a, b)", t.name);
    args.a = 1;
    args.b = 1 + 0x1p-22;  // a + (b - a) u rounds to b unless it is kept below
    t.f32.random(args, 0, n, x.data());
    CHECK(*std::max_element(x.begin(), x.end()) < static_cast<float>(args.b), "%s uniform never reaches b", t.name);

    args = kArgs;
    args.distribution = Distribution::NORMAL;
    args.a = 2;
    args.b = 3;
    t.f32.random(args, 0, n, x.data());
    double mean = 0, variance = 0;
    for (float v : x) mean += static_cast<double>(v);
    mean /= static_cast<double>(n);
    for (float v : x) variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
    variance /= static_cast<double>(n);
    // five standard errors of the mean and of the variance
    CHECK(std::fabs(mean - 2) < 5 * 3 / std::sqrt(double(n)), "%s normal: mean %g", t.name, mean);
    CHECK(std::fabs(variance - 9) < 5 * 9 * std::sqrt(2.0 / double(n)), "%s normal: variance %g", t.name, variance);
    for (int64_t i = 0; i < 2000; i += 2) {
      const Words w = block(args, static_cast<uint64_t>(i / 4));
      const double u = ((w.w[i % 4] >> 8) + 1) * 0x1p-24, angle = 6.283185307179586 * (w.w[i % 4 + 1] >> 8) * 0x1p-24;
      const double radius = std::sqrt(-2 * std::log(u));
      // radius: log 1 ulp halved by the root, root .5; sine 2 ulp with its reduced angle; two products and the sum
      CHECK(std::fabs(double(x[size_t(i)]) - (2 + 3 * radius * std::cos(angle))) <= 0x1p-23 * 4 * (2 + 3 * radius),
            "%s normal, cosine", t.name);
      CHECK(std::fabs(double(x[size_t(i) + 1]) - (2 + 3 * radius * std::sin(angle))) <= 0x1p-23 * 4 * (2 + 3 * radius),
            "%s normal, sine", t.name);
    }
    for (int kind = 0; kind < 3; ++kind) {  // pieces give the same bits
      args.distribution = static_cast<Distribution>(kind);
      args.a = 0.3;
      args.b = 2;
      t.f32.random(args, 0, 1000, whole.data());
      for (int64_t start = 0; start < 1000; start += 52)
        t.f32.random(args, start, std::min<int64_t>(52, 1000 - start), &x[size_t(start)]);
      CHECK(std::memcmp(x.data(), whole.data(), 4000) == 0, "%s distribution %d in pieces", t.name, kind);
    }
    for (double p : {0.0, 0.1, 0.5, 1.0}) {
      args.distribution = Distribution::BERNOULLI;
      args.a = p;
      std::vector<float> in(1003, 3.0f), out(1003), draws(1003);
      in[5] = NAN;
      t.f32.random(args, 8, 1003, draws.data());
      t.f32.dropout(args, 256, 1003, in.data(), out.data());
      for (int64_t i = 0; i < 1003; ++i) {
        const bool below = static_cast<double>(unit(args, 8 + i)) < p;
        const size_t at = static_cast<size_t>(i);
        CHECK(draws[at] == (below ? 1.0f : 0.0f), "%s bernoulli(%g)", t.name, p);
        const bool dropped = half(args, 256 + i) < static_cast<uint32_t>(p * 0x1p16 + 0.5);
        const float want = dropped ? 0.0f : in[at] * static_cast<float>(1 / (1 - p));
        CHECK(out[at] == want || (std::isnan(out[at]) && std::isnan(want)), "%s dropout(%g)", t.name, p);
      }
    }
    std::vector<float> ones(1003, 1.0f), all(1003), some(1003);
    args.a = 0.3;
    t.f32.dropout(args, 0, 1003, ones.data(), all.data());
    for (int64_t start = 0; start < 1003; start += kDropoutGroup) {  // what follows a piece is left alone
      const int64_t n = std::min(kDropoutGroup, 1003 - start);
      std::fill(some.begin() + start, some.end(), 7.0f);
      t.f32.dropout(args, start, n, ones.data(), &some[size_t(start)]);
      CHECK(start + n == 1003 || some[size_t(start + n)] == 7.0f, "%s dropout stays inside", t.name);
    }
    CHECK(some == all, "%s dropout in pieces", t.name);
    for (const auto& [p, kept] : {std::pair{0x1p-18, 1.0f}, {1 - 0x1p-18, 0.0f}}) {  // rounds to 0, to 1
      args.a = p;
      t.f32.dropout(args, 0, 1003, ones.data(), all.data());
      for (float v : all) CHECK(v == kept * static_cast<float>(1 / (1 - p)), "%s dropout(%g)", t.name, p);
    }
  });
  const Kernels<double>& f64 = float64_kernels();
  double u[9], z[9];
  f64.random(kArgs, 4, 9, u);
  RandomArgs normal = kArgs;
  normal.distribution = Distribution::NORMAL;
  f64.random(normal, 4, 9, z);
  for (int i = 0; i < 9; ++i) {
    const Words w = block(kArgs, static_cast<uint64_t>((4 + i) / 2));
    const uint64_t word = uint64_t{w.w[i % 2 * 2]} << 32 | w.w[i % 2 * 2 + 1];
    CHECK(u[i] == static_cast<double>(word >> 11) * 0x1p-53, "float64 uniform %d", i);
  }
  check::each_table([&](const KernelTable& t) {
    float single[9];
    t.f32.random(normal, 4, 9, single);
    for (int i = 0; i < 9; ++i)
      CHECK(std::fabs(double(single[i]) - z[i]) < 1e-5, "%s and float64 draw the same normal sample", t.name);
  });
}
