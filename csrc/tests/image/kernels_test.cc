#include "kernels.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "pictures.h"
#include "resizer.h"
#include "row_feeder.h"

namespace clip_image {
namespace {

std::vector<const Kernels*> VectorForms() {
  std::vector<const Kernels*> forms;
  for (const Kernels* form : {Avx2Kernels(), Avx512Kernels()}) {
    if (form != nullptr) forms.push_back(form);
  }
  return forms;
}

std::vector<uint8_t> Resize(const Geometry& geometry, Mode mode, const std::vector<uint8_t>& pixels,
                            const Kernels& kernels) {
  std::vector<uint8_t> rgb(static_cast<size_t>(geometry.size) * geometry.size * 3);
  const auto resizer = MakeResizer8(geometry, mode, rgb.data(), kernels);
  const size_t stride = static_cast<size_t>(geometry.width) * PixelBytes(mode);
  RowFeeder(resizer.get()).Push(0, geometry.height, pixels.data(), stride);
  EXPECT_TRUE(resizer->complete());
  return rgb;
}

TEST(Kernels, EveryFormGivesTheBytesOfTheScalarOne) {
  const std::vector<uint8_t> numbers = NoiseBytes(4096, 7);
  size_t at = 0;
  const auto next = [&](int below) {
    at = (at + 2) % (numbers.size() - 1);
    return (numbers[at] * 256 + numbers[at + 1]) % below;
  };
  for (const Kernels* form : VectorForms()) {
    for (int round = 0; round < 150; ++round) {
      const int width = 1 + next(400);
      const int height = 1 + next(400);
      const int size = 1 + next(round % 3 == 0 ? 300 : 40);
      const Mode mode = static_cast<Mode>(round % 6);
      const std::vector<uint8_t> pixels =
          NoiseBytes(static_cast<size_t>(width) * height * PixelBytes(mode), static_cast<uint32_t>(round));
      const Geometry geometry = Fit(width, height, size);
      ASSERT_EQ(Resize(geometry, mode, pixels, *form), Resize(geometry, mode, pixels, ScalarKernels()))
          << form->name << " " << width << "x" << height << " to " << size << " mode " << round % 6;
    }
  }
}

// Only black and white gives the largest sums, above and below what eight bits hold.
TEST(Kernels, OvershootIsClampedAlike) {
  for (const Kernels* form : VectorForms()) {
    for (const int width : {30, 97, 250}) {
      std::vector<uint8_t> pixels = NoiseBytes(static_cast<size_t>(width) * width * 3, 3);
      for (uint8_t& value : pixels) value = value < 128 ? 0 : 255;
      const Geometry geometry = Fit(width, width, 64);
      ASSERT_EQ(Resize(geometry, Mode::kRgb, pixels, *form),
                Resize(geometry, Mode::kRgb, pixels, ScalarKernels()));
    }
  }
}

TEST(Kernels, ManyTaps) {
  for (const Kernels* form : VectorForms()) {
    const std::vector<uint8_t> pixels = NoiseBytes(3000 * 10 * 3, 5);
    for (const Geometry& geometry : {Fit(3000, 10, 3), Fit(10, 3000, 3)}) {
      ASSERT_EQ(Resize(geometry, Mode::kRgb, pixels, *form),
                Resize(geometry, Mode::kRgb, pixels, ScalarKernels()));
    }
  }
}

}  // namespace
}  // namespace clip_image
