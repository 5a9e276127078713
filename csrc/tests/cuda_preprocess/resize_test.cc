// The kernels give the bytes of csrc/image for the same pixels.
#include <cmath>
#include <random>

#include "fixture.h"
#include "pictures.h"

namespace clip::pictures {
namespace {

struct Size {
  int width, height;
};

class Resizing : public Preprocessing {
 protected:
  // All in one batch, so in one launch of each kernel.
  void Compare(const std::vector<Size>& sizes, int output) {
    PreprocessOptions options;
    options.size = output;
    options.threads = 2;
    Open(options);
    std::vector<Bytes> rgb;
    std::vector<clip_picture> pictures;
    for (size_t i = 0; i < sizes.size(); ++i) {
      rgb.push_back(clip_image::NoiseBytes(
          static_cast<size_t>(sizes[i].width) * static_cast<size_t>(sizes[i].height) * 3,
          static_cast<uint32_t>(i + 7)));
      // Hard edges too: there the filter overshoots and is clamped.
      for (size_t at = rgb[i].size() / 3; at < rgb[i].size() / 2; ++at) rgb[i][at] = at % 7 < 3 ? 255 : 0;
      pictures.push_back(Decoded(rgb[i], sizes[i].width, sizes[i].height));
    }
    Run(pictures);
    for (size_t i = 0; i < sizes.size(); ++i) {
      ASSERT_EQ(left_[i], Left::kNo) << sizes[i].width << "×" << sizes[i].height;
      const Bytes want = ResizedByProcessor(rgb[i], sizes[i].width, sizes[i].height, output);
      ASSERT_EQ(Row(i), want) << sizes[i].width << "×" << sizes[i].height << " to " << output;
    }
    EXPECT_EQ(device_->launches(), 2);
  }
};

TEST_F(Resizing, GivesTheBytesOfTheProcessorsPathForEverySize) {
  const std::vector<Size> sizes = {{1, 1},     {1, 2},     {2, 3},      {1, 5000},    {5000, 1},  {224, 224},
                                   {224, 229}, {233, 224}, {226, 224},  {225, 223},   {640, 480}, {480, 640},
                                   {641, 479}, {333, 500}, {400, 801},  {400, 1000},  {3, 500},   {500, 3},
                                   {223, 223}, {448, 448}, {449, 1003}, {2000, 1100}, {7, 7},     {128, 64},
                                   {129, 65},  {300, 2400}};
  Compare(sizes, 224);
}

TEST_F(Resizing, ShrinksByThirty) {
  Compare({{30 * 32, 30 * 32}, {30 * 32 + 5, 30 * 32 + 17}, {1000, 3001}}, 32);
}

// More inputs of one output than fit into the shared memory at once.
TEST_F(Resizing, TakesAFilterWiderThanTheTile) { Compare({{2500, 1500}, {1500, 4000}, {1300, 1301}}, 1); }

TEST_F(Resizing, MakesOutputsThatAreNoMultipleOfABlock) {
  for (const int output : {1, 2, 3, 72, 127, 128, 129, 336}) {
    Compare({{150, 97}, {97, 150}, {61, 400}, {output, output}, {output + 3, output}, {9, 9}}, output);
  }
}

TEST_F(Resizing, AgreesOnRandomSizes) {
  std::mt19937 random(20261122);
  std::uniform_real_distribution<double> power(0, 3);
  const auto side = [&] { return static_cast<int>(std::pow(10.0, power(random))); };
  for (int round = 0; round < 6; ++round) {
    std::vector<Size> sizes;
    for (int i = 0; i < 8; ++i) sizes.push_back({side(), side()});
    Compare(sizes, 16 + 37 * round);
  }
}

TEST_F(Resizing, PutsPicturesWithoutBlocksBetweenOthers) {
  // Only cropped: no block of the first pass.
  Compare({{64, 64}, {64, 70}, {100, 80}, {64, 64}, {80, 100}, {70, 64}, {64, 64}}, 64);
}

}  // namespace
}  // namespace clip::pictures
