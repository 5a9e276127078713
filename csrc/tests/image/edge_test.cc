#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "clip_image.h"
#include "pictures.h"

namespace clip_image {
namespace {

clip_image_options Options(uint32_t size, int64_t max_pixels = 1000000) {
  return {sizeof(clip_image_options), size, max_pixels};
}

TEST(Edge, ErrorsAreCutToTheBuffer) {
  const uint8_t bytes[] = {1, 2, 3};
  const clip_image_options options = Options(8);
  uint8_t pixels[8 * 8 * 3];
  char error[10];
  std::memset(error, 'x', sizeof(error));
  EXPECT_EQ(clip_image_jpeg(bytes, 3, &options, pixels, error, sizeof(error)), CLIP_IMAGE_INVALID);
  EXPECT_EQ(std::strlen(error), 9u);
  EXPECT_EQ(clip_image_jpeg(bytes, 3, &options, pixels, nullptr, 0), CLIP_IMAGE_INVALID);
  EXPECT_EQ(clip_image_webp(bytes, 3, &options, pixels, nullptr, 0), CLIP_IMAGE_INVALID);
  EXPECT_EQ(clip_image_jpeg(nullptr, 0, &options, pixels, nullptr, 0), CLIP_IMAGE_INVALID);
}

TEST(Edge, OptionsAreChecked) {
  const uint8_t bytes[] = {1, 2, 3};
  uint8_t pixels[3];
  char error[200];
  for (clip_image_options options : {Options(0), Options(5000), Options(1, 0)}) {
    EXPECT_EQ(clip_image_jpeg(bytes, 3, &options, pixels, error, sizeof(error)), CLIP_IMAGE_INTERNAL)
        << error;
  }
  clip_image_options other = Options(1);
  other.size = 4;
  EXPECT_EQ(clip_image_jpeg(bytes, 3, &other, pixels, error, sizeof(error)), CLIP_IMAGE_INTERNAL);
}

TEST(Edge, TooManyPixelsAreRefusedByTheHeader) {
  JpegOptions o;
  o.width = 200;
  o.height = 100;
  const std::vector<uint8_t> bytes = MakeJpeg(o);
  const clip_image_options options = Options(8, 19999);
  uint8_t pixels[8 * 8 * 3];
  char error[200];
  EXPECT_EQ(clip_image_jpeg(bytes.data(), bytes.size(), &options, pixels, error, sizeof(error)),
            CLIP_IMAGE_TOO_LARGE);
  EXPECT_STREQ(error, "200×100: more than the limit of 19999 pixels");
  clip_image_resizer* resizer = nullptr;
  int32_t first, end;
  EXPECT_EQ(clip_image_resizer_open(1 << 30, 1 << 30, CLIP_IMAGE_RGB, &options, &resizer, &first, &end, error,
                                    sizeof(error)),
            CLIP_IMAGE_TOO_LARGE);
  EXPECT_EQ(resizer, nullptr);
}

TEST(Edge, ResizerWantsItsRows) {
  const clip_image_options options = Options(4);
  clip_image_resizer* resizer = nullptr;
  int32_t first = -1, end = -1;
  char error[200];
  ASSERT_EQ(
      clip_image_resizer_open(8, 40, CLIP_IMAGE_RGB, &options, &resizer, &first, &end, error, sizeof(error)),
      CLIP_IMAGE_OK);
  EXPECT_GT(first, 0);
  EXPECT_LT(end, 40);
  const std::vector<uint8_t> rows(8 * 3 * 40, 77);
  uint8_t pixels[4 * 4 * 3];
  EXPECT_EQ(clip_image_resizer_push(resizer, 0, first + 1, rows.data(), 24, error, sizeof(error)),
            CLIP_IMAGE_OK);
  EXPECT_EQ(clip_image_resizer_finish(resizer, pixels, error, sizeof(error)), CLIP_IMAGE_INTERNAL);
  EXPECT_EQ(clip_image_resizer_push(resizer, first + 2, 1, rows.data(), 24, error, sizeof(error)),
            CLIP_IMAGE_INTERNAL);
  EXPECT_EQ(
      clip_image_resizer_push(resizer, first + 1, end - first - 1, rows.data(), 24, error, sizeof(error)),
      CLIP_IMAGE_OK);
  EXPECT_EQ(clip_image_resizer_finish(resizer, pixels, error, sizeof(error)), CLIP_IMAGE_OK);
  EXPECT_EQ(pixels[0], 77);
  clip_image_resizer_close(resizer);
  clip_image_resizer_close(nullptr);
}

TEST(Edge, ThreadsDoNotDisturbEachOther) {
  JpegOptions o;
  o.width = 333;
  o.height = 222;
  const std::vector<uint8_t> bytes = MakeJpeg(o);
  const clip_image_options options = Options(64);
  std::vector<uint8_t> want(64 * 64 * 3);
  ASSERT_EQ(clip_image_jpeg(bytes.data(), bytes.size(), &options, want.data(), nullptr, 0), CLIP_IMAGE_OK);
  std::vector<std::vector<uint8_t>> got(4, std::vector<uint8_t>(want.size()));
  std::vector<std::thread> threads;
  for (auto& pixels : got) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        clip_image_jpeg(bytes.data(), bytes.size(), &options, pixels.data(), nullptr, 0);
        uint8_t dropped[64 * 64 * 3];
        clip_image_jpeg(bytes.data(), bytes.size() / 2, &options, dropped, nullptr, 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& pixels : got) EXPECT_EQ(pixels, want);
}

}  // namespace
}  // namespace clip_image
