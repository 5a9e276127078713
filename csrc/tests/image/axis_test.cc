#include "axis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "geometry.h"

namespace clip_image {
namespace {

TEST(Geometry, CutsTheLongerSideAndRoundsTheOffsetToEven) {
  const Geometry wide = Fit(1000, 333, 224);  // 672.67 is cut
  EXPECT_EQ(wide.resized_width, 672);
  EXPECT_EQ(wide.resized_height, 224);
  EXPECT_TRUE(wide.resampled);
  // Offsets 1.5, 2.5, 3.5, 4.5.
  EXPECT_EQ(Fit(227, 224, 224).left, 2);
  EXPECT_EQ(Fit(224, 229, 224).top, 2);
  EXPECT_EQ(Fit(231, 224, 224).left, 4);
  EXPECT_EQ(Fit(224, 233, 224).top, 4);
  EXPECT_FALSE(Fit(224, 233, 224).resampled);
}

TEST(Geometry, HeightGoesFirstOnlyWhereItShrinksByMoreThanTwiceTheWidth) {
  EXPECT_FALSE(Fit(640, 480, 224).height_first);
  EXPECT_FALSE(Fit(400, 800, 224).height_first);
  EXPECT_TRUE(Fit(400, 1000, 224).height_first);
  EXPECT_FALSE(Fit(3, 500, 224).height_first);  // enlarged
}

TEST(Axis, WeightsAddUpToOneAndStayInside) {
  for (const int in : {1, 2, 3, 7, 223, 225, 640, 1080, 4000}) {
    for (const int out : {1, 3, 224, 336}) {
      const Axis axis = MakeAxis(in, out, 0, out);
      for (int i = 0; i < out; ++i) {
        ASSERT_GE(axis.start[i], 0);
        ASSERT_GE(axis.taps[i], 1);
        ASSERT_LE(axis.start[i] + axis.taps[i], in);
        const double* row = &axis.weights[static_cast<size_t>(i) * axis.stride];
        EXPECT_NEAR(std::accumulate(row, row + axis.stride, 0.0), 1.0, 1e-12) << in << " to " << out;
      }
      EXPECT_EQ(axis.first(), 0);
      EXPECT_EQ(axis.end(), in);
    }
  }
}

TEST(Axis, WindowedKeepsTheSums) {
  const std::vector<int> inputs = {5, 31, 64, 200, 1000};
  for (const int in : inputs) {
    const Axis axis = MakeAxis(in, 50, 7, 30);
    const Axis windowed = Windowed(axis);
    for (int i = 0; i < axis.count; ++i) {
      ASSERT_GE(windowed.start[i], axis.first());
      ASSERT_LE(windowed.start[i] + windowed.stride, axis.end() + 3) << in;
      for (int at = axis.first(); at < axis.end(); ++at) {
        const auto weight = [&](const Axis& a) {
          const int tap = at - a.start[i];
          return tap < 0 || tap >= a.stride ? 0 : a.fixed[static_cast<size_t>(i) * a.stride + tap];
        };
        ASSERT_EQ(weight(axis), weight(windowed)) << in << " sample " << i << " input " << at;
      }
    }
  }
}

}  // namespace
}  // namespace clip_image
