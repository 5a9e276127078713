// The filter of one direction: which inputs an output sample takes, and with which weights.
#pragma once

#include <cstdint>
#include <vector>

namespace clip_image {

// Weights of `count` neighbouring output samples. Rows of `weights` and `fixed` are `stride` long and padded
// with zeros; `stride` is a multiple of 4 so that kernels may go four taps at a time.
struct Axis {
  int count = 0;
  int max_taps = 0;
  int stride = 0;
  std::vector<int> start;       // first input of each output sample
  std::vector<int> taps;        // number of inputs of each output sample
  std::vector<double> weights;  // [count, stride], their sum is 1
  std::vector<int32_t> fixed;   // [count, stride], weights times 2^22, rounded half away from zero

  int first() const { return start.front(); }             // first input that has influence
  int end() const { return start.back() + taps.back(); }  // one past the last input that has influence
};

inline constexpr int kFixedBits = 22;

// Pillow's bicubic filter (a = -0.5), widened when shrinking, from `in` samples to `out`; only the weights of
// output samples offset .. offset + count - 1 are made.
Axis MakeAxis(int in, int64_t out, int64_t offset, int count);

// The same filter with every output sample's window `stride` long: it starts earlier where it would pass the
// last input, with zeros in front. So a kernel that always takes `stride` taps reads at most 3 inputs past
// axis.end().
Axis Windowed(const Axis& axis);

}  // namespace clip_image
