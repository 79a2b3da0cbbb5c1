// The one table of error bounds of the float32 math functions: math_test.cc samples them, ulp/ proves them for all
// inputs.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "../../native/kernels/table.h"

namespace math {

using neurite::Micro;

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double softplus(double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline double reciprocal(double x) { return 1 / x; }
inline double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
inline double relu(double x) { return x > 0 ? x : x != x ? x : 0; }

struct Function {
  const char* name;
  Micro code;
  double (*reference)(double);
  double ulps;  // bound for float; 0.5 is correctly rounded. `npm run test:ulp` proves it, math_test.cc samples it
};
inline const Function functions[] = {
    {"exp", Micro::EXP, std::exp, 0.9},
    {"expm1", Micro::EXPM1, std::expm1, 1.6},
    {"log", Micro::LOG, std::log, 1.0},
    {"log1p", Micro::LOG1P, std::log1p, 1.5},
    {"sin", Micro::SIN, std::sin, 1.7},
    {"cos", Micro::COS, std::cos, 1.7},
    {"tan", Micro::TAN, std::tan, 3.0},
    {"tanh", Micro::TANH, std::tanh, 2.6},
    {"sigmoid", Micro::SIGMOID, sigmoid, 1.7},
    {"erf", Micro::ERF, std::erf, 1.25},
    {"softplus", Micro::SOFTPLUS, softplus, 1.8},
    {"sqrt", Micro::SQRT, std::sqrt, 0.5},
    {"rsqrt", Micro::RSQRT, rsqrt, 1.6},
    {"reciprocal", Micro::RECIPROCAL, reciprocal, 0.5},
    {"floor", Micro::FLOOR, std::floor, 0},
    {"ceil", Micro::CEIL, std::ceil, 0},
    {"round", Micro::ROUND, std::nearbyint, 0},
    {"trunc", Micro::TRUNC, std::trunc, 0},
    {"sign", Micro::SIGN, sign, 0},
    {"relu", Micro::RELU, relu, 0},
};

inline constexpr float kSmallest = std::numeric_limits<float>::min();

// In double: the spacing of small floats is itself denormal.
inline double ulp(float x) {
  int e;
  std::frexp(std::max(std::fabs(static_cast<double>(x)), static_cast<double>(kSmallest)), &e);
  return std::ldexp(1.0, e - 24);
}

inline bool denormal(double x) { return x != 0 && std::fabs(x) < static_cast<double>(kSmallest); }

// A denormal argument or result may be taken as 0.
inline bool close(const Function& f, float x, float got) {
  const double exact = f.reference(static_cast<double>(x));
  const float want = static_cast<float>(exact);
  if (std::isnan(want)) return std::isnan(got);
  if (denormal(static_cast<double>(x)) && (got == f.reference(0.0) || (f.reference(0.0) != 0 && std::isinf(got))))
    return true;
  if (denormal(exact)) return std::fabs(got) <= kSmallest;
  if (std::isinf(want) || std::isinf(got)) {
    // within rounding of the largest float either is right
    return got == want || (f.ulps > 0 && std::fabs(exact) > 3.4028233e38 && std::fabs(exact) < 3.402824e38);
  }
  return std::fabs(static_cast<double>(got) - exact) <= f.ulps * ulp(want) * (1 + 1e-7);
}

}  // namespace math
