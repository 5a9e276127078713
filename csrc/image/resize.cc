// The plain form of the kernels, and the measure for the others.
#include <algorithm>

#include "kernels.h"

namespace clip_image {
namespace {

constexpr int32_t kHalf = 1 << (kFixedBits - 1);

uint8_t Clamp(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFixedBits, 0, 255)); }

PackedColumns PackColumns(const Axis& axis) {
  PackedColumns packed;
  packed.count = axis.count;
  packed.chunks = axis.stride / 4;
  packed.offset.resize(axis.count);
  for (int i = 0; i < axis.count; ++i) packed.offset[i] = 4 * (axis.start[i] - axis.first());
  packed.data = axis.fixed;
  return packed;
}

PackedRows PackRows(const Axis& axis) { return {static_cast<size_t>(axis.stride), axis.fixed}; }

void OneRow(const PackedColumns& axis, const uint8_t* in, uint8_t* out) {
  const int taps = axis.chunks * 4;
  const int32_t* weight = axis.data.data();
  for (int i = 0; i < axis.count; ++i, weight += taps) {
    const uint8_t* pixel = in + axis.offset[i];
    int32_t sum[4] = {kHalf, kHalf, kHalf, kHalf};
    for (int t = 0; t < taps; ++t) {
      for (int c = 0; c < 4; ++c) sum[c] += pixel[4 * t + c] * weight[t];
    }
    for (int c = 0; c < 4; ++c) out[4 * i + c] = Clamp(sum[c]);
  }
}

void Horizontal(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out, int rows) {
  for (int r = 0; r < rows; ++r) OneRow(axis, in[r], out[r]);
}

void Vertical(const uint8_t* const* rows, const int32_t* weights, int taps, uint8_t* out, size_t bytes) {
  constexpr size_t kBlock = kRowAlignment;
  for (size_t at = 0; at < bytes; at += kBlock) {
    int32_t sum[kBlock];
    std::fill_n(sum, kBlock, kHalf);
    for (int t = 0; t < taps; ++t) {
      const uint8_t* row = rows[t] + at;
      const int32_t weight = weights[t];
      for (size_t i = 0; i < kBlock; ++i) sum[i] += row[i] * weight;
    }
    for (size_t i = 0; i < kBlock; ++i) out[at + i] = Clamp(sum[i]);
  }
}

}  // namespace

const Kernels& ScalarKernels() {
  static const Kernels kernels = {"scalar", PackColumns, PackRows, Horizontal, Vertical};
  return kernels;
}

}  // namespace clip_image
