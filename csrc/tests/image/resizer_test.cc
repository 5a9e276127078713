#include "resizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "axis.h"
#include "failure.h"
#include "pictures.h"
#include "row_feeder.h"

namespace clip_image {
namespace {

// The two passes written down plainly over a whole gray picture, for comparison with the streaming form.
std::vector<uint8_t> PlainResize(const Geometry& g, const std::vector<uint8_t>& gray) {
  const Axis columns = MakeAxis(g.width, g.resized_width, g.left, g.size);
  const Axis rows = MakeAxis(g.height, g.resized_height, g.top, g.size);
  const auto filter = [](const Axis& axis, int i, auto sample) {
    int64_t sum = 1 << (kFixedBits - 1);
    for (int t = 0; t < axis.taps[i]; ++t) {
      sum += static_cast<int64_t>(sample(axis.start[i] + t)) *
             axis.fixed[static_cast<size_t>(i) * axis.stride + t];
    }
    return static_cast<uint8_t>(std::clamp<int64_t>(sum >> kFixedBits, 0, 255));
  };
  std::vector<uint8_t> out(static_cast<size_t>(g.size) * g.size);
  if (g.height_first) {
    std::vector<uint8_t> between(static_cast<size_t>(g.size) * g.width);
    for (int y = 0; y < g.size; ++y)
      for (int x = 0; x < g.width; ++x)
        between[y * g.width + x] = filter(rows, y, [&](int at) { return gray[at * g.width + x]; });
    for (int y = 0; y < g.size; ++y)
      for (int x = 0; x < g.size; ++x)
        out[y * g.size + x] = filter(columns, x, [&](int at) { return between[y * g.width + at]; });
  } else {
    std::vector<uint8_t> between(static_cast<size_t>(g.height) * g.size);
    for (int y = 0; y < g.height; ++y)
      for (int x = 0; x < g.size; ++x)
        between[y * g.size + x] = filter(columns, x, [&](int at) { return gray[y * g.width + at]; });
    for (int y = 0; y < g.size; ++y)
      for (int x = 0; x < g.size; ++x)
        out[y * g.size + x] = filter(rows, y, [&](int at) { return between[at * g.size + x]; });
  }
  return out;
}

TEST(Resizer, StreamingEqualsTwoWholePasses) {
  for (const auto& [width, height, size] : std::vector<std::tuple<int, int, int>>{{64, 48, 24},
                                                                                  {48, 64, 24},
                                                                                  {50, 200, 20},
                                                                                  {300, 20, 16},
                                                                                  {5, 7, 32},
                                                                                  {1, 1, 8},
                                                                                  {33, 33, 33},
                                                                                  {40, 36, 36}}) {
    const Geometry geometry = Fit(width, height, size);
    const std::vector<uint8_t> gray = NoiseBytes(static_cast<size_t>(width) * height, 11);
    std::vector<uint8_t> rgb(static_cast<size_t>(size) * size * 3);
    const auto resizer = MakeResizer(geometry, Mode::kGray, rgb.data());
    RowFeeder(resizer.get()).Push(0, height, gray.data(), width);
    std::vector<uint8_t> first(static_cast<size_t>(size) * size);
    for (size_t i = 0; i < first.size(); ++i) {
      first[i] = rgb[3 * i];
      ASSERT_EQ(rgb[3 * i], rgb[3 * i + 2]);
    }
    if (geometry.resampled) {
      EXPECT_EQ(first, PlainResize(geometry, gray)) << width << "x" << height << " to " << size;
    }
  }
}

TEST(Resizer, SixteenBitIsCutAtWhite) {
  const Geometry geometry = Fit(40, 30, 10);
  std::vector<uint16_t> pixels(40 * 30, 300);
  std::fill_n(pixels.begin(), 600, 100);
  for (const Mode mode : {Mode::kGray16, Mode::kGray32}) {
    std::vector<uint8_t> rgb(300);
    const auto resizer = MakeResizer(geometry, mode, rgb.data());
    RowFeeder(resizer.get()).Push(0, 30, reinterpret_cast<const uint8_t*>(pixels.data()), 80);
    EXPECT_EQ(rgb[0], 100);
    EXPECT_EQ(rgb[299], 255);
  }
}

TEST(Resizer, FeederRefusesAGap) {
  std::vector<uint8_t> rgb(5 * 5 * 3);
  const auto resizer = MakeResizer(Fit(10, 10, 5), Mode::kGray, rgb.data());
  const std::vector<uint8_t> row(10);
  RowFeeder feeder(resizer.get());
  feeder.Push(0, 1, row.data(), 10);
  EXPECT_THROW(feeder.Push(2, 1, row.data(), 10), Failure);
}

}  // namespace
}  // namespace clip_image
