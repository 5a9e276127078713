// What of JPEGs is given to the GPU's decoder.
#include <map>
#include <random>

#include "fixture.h"
#include "pictures.h"
#include "preprocess_jpeg.h"

namespace clip::pictures {
namespace {

using clip_image::JpegOptions;
using clip_image::MakeJpeg;

JpegInfo Inspect(const Bytes& file, Left want = Left::kNo) {
  JpegInfo info;
  EXPECT_EQ(InspectJpeg(file.data(), file.size(), &info), want);
  return info;
}

// The first segment with this marker: where its code lies.
size_t Find(const Bytes& file, int marker) {
  for (size_t i = 0; i + 1 < file.size(); ++i) {
    if (file[i] == 0xFF && file[i + 1] == marker) return i + 1;
  }
  ADD_FAILURE() << "no marker " << marker;
  return 0;
}

TEST(Jpeg, ReadsSizeAndSampling) {
  const struct {
    int horizontal, vertical, chroma_width, chroma_height;
  } samplings[] = {{1, 1, 101, 67}, {2, 1, 51, 67}, {2, 2, 51, 34}, {1, 2, 101, 34}, {4, 1, 26, 67}};
  for (const auto& s : samplings) {
    JpegOptions options{.width = 101, .height = 67, .horizontal = s.horizontal, .vertical = s.vertical};
    const Bytes file = MakeJpeg(options);
    const JpegInfo info = Inspect(file);
    EXPECT_EQ(info.width, 101);
    EXPECT_EQ(info.height, 67);
    EXPECT_EQ(info.components, 3);
    EXPECT_EQ(info.chroma_width(), s.chroma_width);
    EXPECT_EQ(info.chroma_height(), s.chroma_height);
    EXPECT_TRUE(info.baseline);
    EXPECT_EQ(info.length, file.size());
  }
}

TEST(Jpeg, KnowsWhatTheHardwareCannot) {
  EXPECT_FALSE(Inspect(MakeJpeg({.progressive = true})).baseline);
  EXPECT_TRUE(Inspect(MakeJpeg({.components = 1, .horizontal = 1, .vertical = 1})).baseline);
  EXPECT_TRUE(Inspect(MakeJpeg({.restart_rows = 1})).baseline);
}

TEST(Jpeg, IgnoresWhatFollowsTheEnd) {
  Bytes file = MakeJpeg({});
  const size_t length = file.size();
  file.insert(file.end(), 1000, 0xFF);
  EXPECT_EQ(Inspect(file).length, length);
}

TEST(Jpeg, LeavesKindsThatTheProcessorTakes) {
  Inspect(MakeJpeg({.components = 4}), Left::kKind);
  Inspect(MakeJpeg({.horizontal = 4, .vertical = 2}), Left::kKind);
  for (const int frame : {0xC3, 0xC9, 0xCA, 0xCB}) {  // lossless, arithmetic
    Bytes file = MakeJpeg({});
    file[Find(file, 0xC0)] = static_cast<uint8_t>(frame);
    Inspect(file, Left::kKind);
  }
  Bytes deep = MakeJpeg({});
  deep[Find(deep, 0xC0) + 3] = 12;
  Inspect(deep, Left::kKind);
}

TEST(Jpeg, LeavesWhatIsStoredAsRgb) {
  Bytes file = MakeJpeg({});
  // Without the JFIF segment and with the letters as names of the components.
  const size_t jfif = Find(file, 0xE0) - 1;
  file.erase(file.begin() + static_cast<ptrdiff_t>(jfif), file.begin() + static_cast<ptrdiff_t>(jfif + 18));
  Inspect(file);
  const size_t frame = Find(file, 0xC0), scan = Find(file, 0xDA);
  for (int c = 0; c < 3; ++c) {
    file[frame + 9 + 3 * static_cast<size_t>(c)] = static_cast<uint8_t>("RGB"[c]);
    file[scan + 4 + 2 * static_cast<size_t>(c)] = static_cast<uint8_t>("RGB"[c]);
  }
  Inspect(file, Left::kKind);
}

TEST(Jpeg, NamesFaults) {
  Inspect({}, Left::kNotJpeg);
  Inspect({0xFF, 0xD8}, Left::kNotJpeg);
  Inspect({'h', 'e', 'l', 'l', 'o'}, Left::kNotJpeg);
  const Bytes good = MakeJpeg({});
  const auto with = [&](size_t at, int value) {
    Bytes file = good;
    file[at] = static_cast<uint8_t>(value);
    return file;
  };
  Inspect(with(Find(good, 0xDB), 0xE5), Left::kBroken);     // a quantization table is missing
  Inspect(with(Find(good, 0xC4), 0xE5), Left::kBroken);     // a Huffman table is missing
  Inspect(with(Find(good, 0xC4) + 4, 255), Left::kBroken);  // more codes than there is room for
  Inspect(with(Find(good, 0xC0) + 7, 0), Left::kBroken);  // no columns: the low byte of 64, the high one is 0
  Inspect(with(Find(good, 0xC0) + 5, 0), Left::kKind);    // no rows: said later
  Inspect(with(Find(good, 0xDA) + 4, 77), Left::kBroken);    // a component that is not there
  Inspect(with(Find(good, 0xDA) + 5, 0x33), Left::kBroken);  // its tables neither
  Inspect(with(Find(good, 0xDB) + 1, 0xFF), Left::kBroken);  // a segment longer than the file
}

TEST(Jpeg, LeavesEveryFileThatIsCut) {
  for (const bool progressive : {false, true}) {
    const Bytes file = MakeJpeg({.progressive = progressive});
    for (size_t length = 3; length < file.size(); ++length) {
      // Memory of exactly this length, for the sanitizer.
      const Bytes cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(length));
      JpegInfo info;
      ASSERT_EQ(InspectJpeg(cut.data(), cut.size(), &info), Left::kBroken) << length << " of " << file.size();
    }
  }
}

// No byte anywhere makes it read outside, and nothing is let through that has no sound size.
TEST(Jpeg, WithstandsRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    Bytes file = MakeJpeg({.width = 16, .height = 16, .progressive = round % 2 == 1});
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) file[random() % file.size()] = static_cast<uint8_t>(random());
    JpegInfo info;
    if (InspectJpeg(file.data(), file.size(), &info) != Left::kNo) continue;
    ASSERT_GE(info.width, 1);
    ASSERT_GE(info.height, 1);
    ASSERT_TRUE(info.components == 1 || info.components == 3);
    ASSERT_LE(info.length, file.size());
  }
}

// What is taken, the processor takes as well; what the processor refuses is never taken.
TEST(Jpeg, AgreesWithTheProcessorOnTheGoldenFiles) {
  int taken = 0;
  for (const auto& path : GoldenFiles("", ".jpg")) {
    const Bytes file = ReadFile(path);
    JpegInfo info;
    const Left left = InspectJpeg(file.data(), file.size(), &info);
    if (left == Left::kNo) {
      ++taken;
      EXPECT_FALSE(ByProcessor(file, 32).empty()) << path;
    }
  }
  EXPECT_GE(taken, 20);
}

TEST(Jpeg, HasAReasonForEach) {
  for (int left = 0; left <= static_cast<int>(Left::kRefused); ++left) {
    EXPECT_STRNE(LeftReason(static_cast<Left>(left)), "?");
  }
}

}  // namespace
}  // namespace clip::pictures
