#include "axis.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace clip_image {
namespace {

// Keys' cubic convolution with a = -0.5, in the order of operations that Pillow has: the last bit matters.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

int32_t ToFixed(double weight) {
  const double scaled = weight * (1 << kFixedBits);
  return static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Axis MakeAxis(int in, int64_t out, int64_t offset, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = 2.0 * filter_scale;
  const double inverse = 1.0 / filter_scale;

  Axis axis;
  axis.count = count;
  axis.start.resize(count);
  axis.taps.resize(count);
  for (int i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(offset + i) + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(in, static_cast<int>(centre + support + 0.5));
    axis.start[i] = first;
    axis.taps[i] = end - first;
    axis.max_taps = std::max(axis.max_taps, end - first);
  }
  axis.stride = (axis.max_taps + 3) / 4 * 4;
  axis.weights.assign(static_cast<size_t>(count) * axis.stride, 0.0);
  axis.fixed.assign(static_cast<size_t>(count) * axis.stride, 0);
  for (int i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(offset + i) + 0.5) * scale;
    double* weights = &axis.weights[static_cast<size_t>(i) * axis.stride];
    int32_t* fixed = &axis.fixed[static_cast<size_t>(i) * axis.stride];
    double sum = 0.0;
    for (int t = 0; t < axis.taps[i]; ++t) {
      weights[t] = Cubic((t + axis.start[i] - centre + 0.5) * inverse);
      sum += weights[t];
    }
    for (int t = 0; t < axis.taps[i]; ++t) {
      if (sum != 0.0) weights[t] /= sum;
      fixed[t] = ToFixed(weights[t]);
    }
  }
  return axis;
}

Axis Windowed(const Axis& axis) {
  Axis windowed = axis;
  for (int i = 0; i < axis.count; ++i) {
    const int past = axis.start[i] + axis.stride - axis.end();
    const int shift = std::min(axis.start[i] - axis.first(), past);
    if (shift <= 0) continue;
    windowed.start[i] -= shift;
    const size_t row = static_cast<size_t>(i) * axis.stride;
    const auto move = [&](auto& values) {
      const auto begin = values.begin() + static_cast<ptrdiff_t>(row);
      std::rotate(begin, begin + (axis.stride - shift), begin + axis.stride);
    };
    move(windowed.fixed);
    move(windowed.weights);
    windowed.taps[i] += shift;
  }
  return windowed;
}

}  // namespace clip_image
