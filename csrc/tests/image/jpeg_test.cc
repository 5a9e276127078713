// The decoding of a part must give the bytes of the whole, whatever the sampling.
#include <gtest/gtest.h>

#include <string>

#include "decode.h"
#include "failure.h"
#include "jpeg_reader.h"
#include "pictures.h"
#include "resizer.h"
#include "row_feeder.h"

namespace clip_image {
namespace {

struct Whole {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // four bytes each
};

Whole DecodeWhole(const std::vector<uint8_t>& bytes) {
  JpegReader reader(bytes.data(), bytes.size());
  Whole whole;
  EXPECT_TRUE(reader.ReadHeader()) << reader.error();
  whole.width = reader.width();
  whole.height = reader.height();
  EXPECT_TRUE(reader.Start(0, whole.width));
  const size_t stride = static_cast<size_t>(whole.width) * 4;
  whole.pixels.resize(stride * whole.height);
  while (reader.row() < whole.height) {
    uint8_t* rows[] = {&whole.pixels[stride * reader.row()]};
    if (reader.Read(rows, 1) == 0) {
      ADD_FAILURE() << reader.error();
      break;
    }
  }
  return whole;
}

const int kSamplings[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {4, 2}, {1, 4}};

std::string Name(const JpegOptions& o) {
  return std::to_string(o.width) + "x" + std::to_string(o.height) + " " + std::to_string(o.components) +
         " components " + std::to_string(o.horizontal) + ":" + std::to_string(o.vertical) +
         (o.progressive ? " progressive" : "");
}

// Columns first to end - 1 and rows top to bottom - 1, as the library gives them.
void CheckPart(const JpegOptions& o, const std::vector<uint8_t>& bytes, const Whole& whole, int first,
               int end, int top, int bottom) {
  JpegReader reader(bytes.data(), bytes.size());
  ASSERT_TRUE(reader.ReadHeader());
  ASSERT_TRUE(reader.Start(first, end)) << reader.error();
  ASSERT_LE(reader.first_column(), first);
  ASSERT_GE(reader.first_column() + reader.columns(), end);
  ASSERT_TRUE(reader.SkipTo(top)) << reader.error();
  ASSERT_EQ(reader.row(), top);
  std::vector<uint8_t> buffer(static_cast<size_t>(reader.columns()) * 4 * 4);
  while (reader.row() < bottom) {
    const int at = reader.row();
    uint8_t* rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = &buffer[static_cast<size_t>(reader.columns()) * 4 * i];
    const int count = reader.Read(rows, std::min(4, bottom - at));
    ASSERT_GT(count, 0) << reader.error();
    for (int i = 0; i < count; ++i) {
      const uint8_t* want = &whole.pixels[(static_cast<size_t>(at + i) * whole.width + first) * 4];
      const uint8_t* got = rows[i] + static_cast<size_t>(first - reader.first_column()) * 4;
      for (int x = 0; x < (end - first) * 4; ++x) {
        if (o.components != 4 && x % 4 == 3) continue;  // without meaning
        ASSERT_EQ(got[x], want[x]) << Name(o) << " columns " << first << " to " << end << ", row " << at + i
                                   << ", byte " << x;
      }
    }
  }
  ASSERT_TRUE(reader.Finish()) << reader.error();
}

TEST(Jpeg, APartEqualsTheWhole) {
  const std::vector<uint8_t> random = NoiseBytes(4000, 99);
  size_t at = 0;
  const auto below = [&](int n) {
    at = (at + 2) % (random.size() - 1);
    return (random[at] * 256 + random[at + 1]) % n;
  };
  for (const auto& sampling : kSamplings) {
    for (int round = 0; round < 12; ++round) {
      JpegOptions o;
      o.components = round % 6 == 4 ? 1 : round % 6 == 5 ? 4 : 3;
      o.horizontal = o.components == 1 ? 1 : sampling[0];
      o.vertical = o.components == 1 ? 1 : sampling[1];
      if (o.components == 4 && o.horizontal * o.vertical > 7) continue;  // more blocks than a unit may have
      o.progressive = round % 3 == 1;
      o.restart_rows = round % 4 == 2 ? 1 : 0;
      o.width = 1 + below(300);
      o.height = 1 + below(300);
      o.seed = static_cast<uint32_t>(round);
      const std::vector<uint8_t> bytes = MakeJpeg(o);
      const Whole whole = DecodeWhole(bytes);
      for (int part = 0; part < 4; ++part) {
        const int first = below(o.width);
        const int end = first + 1 + below(o.width - first);
        const int top = below(o.height);
        const int bottom = top + 1 + below(o.height - top);
        ASSERT_NO_FATAL_FAILURE(CheckPart(o, bytes, whole, first, end, top, bottom));
      }
    }
  }
}

// The way from bytes to the square against: decode all, resize all.
TEST(Jpeg, TheSquareEqualsThatOfTheWholePicture) {
  for (const auto& sampling : kSamplings) {
    for (const auto& [width, height] : std::vector<std::pair<int, int>>{{320, 100},
                                                                        {100, 320},
                                                                        {640, 97},
                                                                        {97, 640},
                                                                        {200, 200},
                                                                        {33, 450},
                                                                        {450, 33},
                                                                        {17, 9},
                                                                        {64, 80}}) {
      for (const bool progressive : {false, true}) {
        JpegOptions o;
        o.width = width;
        o.height = height;
        o.horizontal = sampling[0];
        o.vertical = sampling[1];
        o.progressive = progressive;
        const std::vector<uint8_t> bytes = MakeJpeg(o);
        const Whole whole = DecodeWhole(bytes);
        for (const uint32_t size : {32u, 64u}) {
          const clip_image_options options = {sizeof(options), size, 1000000};
          std::vector<uint8_t> got(size * size * 3), want(size * size * 3);
          DecodeJpeg(bytes.data(), bytes.size(), options, got.data());
          const auto resizer =
              MakeResizer(Fit(width, height, static_cast<int>(size)), Mode::kRgbx, want.data());
          RowFeeder(resizer.get()).Push(0, height, whole.pixels.data(), static_cast<size_t>(width) * 4);
          ASSERT_EQ(got, want) << Name(o) << " to " << size;
        }
      }
    }
  }
}

// Every length that is too short is refused, also where only rows below the square are missing, or gives the
// whole picture (the end marker itself is not always needed); none reads past the end.
TEST(Jpeg, CutAtEveryByte) {
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{{40, 30}, {24, 150}}) {
    for (const bool progressive : {false, true}) {
      JpegOptions o;
      o.width = width;
      o.height = height;
      o.progressive = progressive;
      const std::vector<uint8_t> bytes = MakeJpeg(o);
      const clip_image_options options = {sizeof(options), 16, 1000000};
      std::vector<uint8_t> want(16 * 16 * 3);
      DecodeJpeg(bytes.data(), bytes.size(), options, want.data());
      for (size_t length = 0; length < bytes.size(); ++length) {
        const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
        std::vector<uint8_t> got(16 * 16 * 3);
        try {
          DecodeJpeg(cut.data(), cut.size(), options, got.data());
          EXPECT_EQ(got, want) << length;
          EXPECT_GE(length + 4, bytes.size()) << "taken though cut early";
        } catch (const Failure& failure) {
          EXPECT_EQ(failure.status(), CLIP_IMAGE_INVALID);
        }
      }
    }
  }
}

TEST(Jpeg, DamagedBytesNeverCrash) {
  JpegOptions o;
  o.width = 60;
  o.height = 44;
  const clip_image_options options = {sizeof(options), 16, 100000};
  for (uint32_t round = 0; round < 400; ++round) {
    o.progressive = round % 2 == 1;
    std::vector<uint8_t> bytes = MakeJpeg(o);
    const std::vector<uint8_t> noise = NoiseBytes(24, round + 1);
    for (size_t i = 0; i + 2 < noise.size(); i += 3) {
      bytes[(noise[i] * 256u + noise[i + 1]) % bytes.size()] = noise[i + 2];
    }
    std::vector<uint8_t> got(16 * 16 * 3);
    try {
      DecodeJpeg(bytes.data(), bytes.size(), options, got.data());
    } catch (const Failure& failure) {
      EXPECT_NE(std::string(failure.what()), "");
    }
  }
}

}  // namespace
}  // namespace clip_image
