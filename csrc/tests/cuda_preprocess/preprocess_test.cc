// The whole of preprocessing: JPEGs of every kind, single faults, waves, limits, failures of the machine.
#include "preprocess.h"

#include "error.h"
#include "fixture.h"
#include "pictures.h"

namespace clip::pictures {
namespace {

using clip_image::JpegOptions;
using clip_image::MakeJpeg;

class Jpegs : public Preprocessing {
 protected:
  // Pictures of 64 x 48 to 103 x 87, all different.
  static std::vector<Bytes> Some(size_t count, bool progressive = false) {
    std::vector<Bytes> files;
    for (size_t i = 0; i < count; ++i) {
      files.push_back(MakeJpeg({.width = 64 + static_cast<int>(i % 40),
                                .height = 48 + static_cast<int>(i * 7 % 40),
                                .progressive = progressive,
                                .seed = static_cast<uint32_t>(i + 1)}));
    }
    return files;
  }
  static std::vector<clip_picture> All(const std::vector<Bytes>& files) {
    std::vector<clip_picture> pictures;
    for (const Bytes& file : files) pictures.push_back(Encoded(file));
    return pictures;
  }
  void ExpectAsProcessor(const std::vector<Bytes>& files) {
    for (size_t i = 0; i < files.size(); ++i) {
      ASSERT_EQ(left_[i], Left::kNo) << "picture " << i << ": " << LeftReason(left_[i]);
      ASSERT_EQ(Row(i), ByProcessor(files[i], options_.size)) << "picture " << i;
    }
  }
};

PreprocessOptions Small(int size = 32) {
  PreprocessOptions options;
  options.size = size;
  options.threads = 3;
  return options;
}

// nvJPEG's planes are libjpeg's here, so upsampling, colours and resizing must give the very bytes.
TEST_F(Jpegs, EverySamplingGivesTheBytesOfTheProcessorsPath) {
  for (const bool hardware : {true, false}) {
    Script().hardware = hardware;
    for (const int size : {33, 64, 224}) {
      Open(Small(size));
      std::vector<Bytes> files;
      for (const auto& [across, down] : {std::pair{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}}) {
        for (const auto& [width, height] : {std::pair{64, 64},
                                            {101, 67},
                                            {67, 101},
                                            {100, 300},
                                            {300, 100},
                                            {5, 5},
                                            {4, 9},
                                            {3, 3},
                                            {2, 7},
                                            {1, 1}}) {
          files.push_back(
              MakeJpeg({.width = width, .height = height, .horizontal = across, .vertical = down}));
        }
      }
      files.push_back(MakeJpeg({.width = 99, .height = 70, .components = 1, .horizontal = 1, .vertical = 1}));
      Run(All(files));
      ExpectAsProcessor(files);
      const PreprocessCounts counts = preprocessor_->counts();
      EXPECT_EQ(hardware ? counts.hardware : counts.hybrid, files.size());
    }
  }
}

TEST_F(Jpegs, GoldenFilesGiveTheBytesOfTheProcessorsPath) {
  std::vector<Bytes> files;
  std::vector<std::string> names;
  for (const auto& path : GoldenFiles("", ".jpg")) {
    files.push_back(ReadFile(path));
    names.push_back(path.filename());
  }
  Open(Small(224));
  Run(All(files));
  size_t done = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (left_[i] != Left::kNo) continue;
    ++done;
    EXPECT_EQ(Row(i), ByProcessor(files[i], 224)) << names[i];
  }
  EXPECT_GE(done, 20u);
  EXPECT_EQ(preprocessor_->counts().left, files.size() - done);
}

TEST_F(Jpegs, OneBatchTakesHardwareHybridAndRgbPictures) {
  Script().unsupported = [](const unsigned char*, size_t length) { return length % 2 == 0; };
  Open(Small());
  std::vector<Bytes> files = Some(9);
  const std::vector<Bytes> progressive = Some(4, true);
  files.insert(files.end(), progressive.begin(), progressive.end());
  std::vector<clip_picture> pictures = All(files);
  const Bytes rgb = clip_image::NoiseBytes(70 * 50 * 3, 5), ready = clip_image::NoiseBytes(32 * 32 * 3, 6);
  pictures.insert(pictures.begin() + 3, Decoded(rgb, 70, 50));
  pictures.insert(pictures.begin() + 9, Decoded(ready, 32, 32));
  Run(pictures);
  EXPECT_EQ(Row(3), ResizedByProcessor(rgb, 70, 50, 32));
  EXPECT_EQ(Row(9), ready);
  for (size_t i = 0, file = 0; i < pictures.size(); ++i) {
    EXPECT_EQ(left_[i], Left::kNo);
    if (pictures[i].width == 0) {
      EXPECT_EQ(Row(i), ByProcessor(files[file++], 32)) << i;
    }
  }
  const PreprocessCounts counts = preprocessor_->counts();
  EXPECT_GE(counts.hybrid, 4u);
  EXPECT_EQ(counts.hardware + counts.hybrid, files.size());
  EXPECT_EQ(counts.rgb, 2u);
  EXPECT_EQ(Script().batches.size(), 1u);
}

TEST_F(Jpegs, OneBadPictureFailsAlone) {
  Open(Small());
  std::vector<Bytes> files = Some(6);
  files[1].resize(files[1].size() / 2);
  files[3] = {'n', 'o'};
  files[4] = MakeJpeg({.components = 4});
  Run(All(files));
  EXPECT_EQ(left_,
            (std::vector<Left>{Left::kNo, Left::kBroken, Left::kNo, Left::kNotJpeg, Left::kKind, Left::kNo}));
  for (const size_t good : {0, 2, 5}) EXPECT_EQ(Row(good), ByProcessor(files[good], 32));
  EXPECT_EQ(preprocessor_->counts().left, 3u);
}

TEST_F(Jpegs, OfABatchThatNvJpegRefusesEachIsTriedAlone) {
  const std::vector<Bytes> files = Some(5);
  const Bytes& poison = files[2];
  const auto poisonous = [&](const unsigned char* data, size_t length) {
    return length == poison.size() && std::equal(data, data + length, poison.begin());
  };
  Script().bad_in_batch = Script().bad_on_host = poisonous;
  Open(Small());
  for (int round = 0; round < 3; ++round) {
    Run(All(files));
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(left_[i], i == 2 ? Left::kRefused : Left::kNo);
      if (i != 2) {
        EXPECT_EQ(Row(i), ByProcessor(files[i], 32));
      }
    }
  }
  EXPECT_EQ(preprocessor_->counts().hybrid, 12u);
  EXPECT_TRUE(Script().batches.empty());
}

TEST_F(Jpegs, ThatFailOnTheGpuAreLeft) {
  Script().hardware = false;
  const std::vector<Bytes> files = Some(20);
  Script().bad_on_device = [&](const unsigned char*, size_t length) { return length == files[7].size(); };
  Open(Small());
  Run(All(files));
  for (size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(left_[i], files[i].size() == files[7].size() ? Left::kRefused : Left::kNo) << i;
    if (left_[i] == Left::kNo) {
      EXPECT_EQ(Row(i), ByProcessor(files[i], 32)) << i;
    }
  }
}

TEST_F(Jpegs, NothingOfTheCallersIsUsedAfterTheCall) {
  for (const bool hardware : {true, false}) {
    Script().hardware = hardware;
    Open(Small());
    const std::vector<Bytes> files = Some(12);
    std::vector<Bytes> given = files;
    Bytes rgb = clip_image::NoiseBytes(70 * 50 * 3, 5);
    const Bytes rgb_before = rgb;
    std::vector<clip_picture> pictures = All(given);
    pictures.push_back(Decoded(rgb, 70, 50));
    Queue(pictures);
    EXPECT_GT(device_->pending(), 0u) << "it waited for the GPU";
    for (Bytes& file : given) std::fill(file.begin(), file.end(), 0);
    std::fill(rgb.begin(), rgb.end(), 0);
    device_->Drain(stream_);
    ExpectAsProcessor(files);
    EXPECT_EQ(Row(12), ResizedByProcessor(rgb_before, 70, 50, 32));
  }
}

// Several calls are queued before anybody waits for the first: memory that is used again too early would
// show.
TEST_F(Jpegs, CallsFollowOneAnotherWithoutWaiting) {
  for (const bool hardware : {true, false}) {
    Script().hardware = hardware;
    Open(Small());
    const std::vector<Bytes> files = Some(24);
    std::vector<Bytes> outputs(4, Bytes(6 * SquareBytes(32)));
    for (size_t call = 0; call < 4; ++call) {
      const std::vector<Bytes> part(files.begin() + static_cast<ptrdiff_t>(6 * call),
                                    files.begin() + static_cast<ptrdiff_t>(6 * call + 6));
      const std::vector<clip_picture> pictures = All(part);
      std::vector<Left> left(6);
      const int waits = device_->waits();
      preprocessor_->Run(pictures.data(), 6, outputs[call].data(), stream_, left.data());
      if (call < 2 && hardware) {
        EXPECT_EQ(device_->waits(), waits) << "two waves have memory of their own";
      }
      EXPECT_GT(device_->pending(), 0u);
    }
    device_->Drain(stream_);
    for (size_t i = 0; i < 24; ++i) {
      const auto begin = outputs[i / 6].begin() + static_cast<ptrdiff_t>(i % 6 * SquareBytes(32));
      EXPECT_EQ(Bytes(begin, begin + static_cast<ptrdiff_t>(SquareBytes(32))), ByProcessor(files[i], 32))
          << i;
    }
    EXPECT_EQ(device_->drains(), 1);
  }
}

TEST_F(Jpegs, ALargeBatchGoesInWavesWithinTheMemory) {
  PreprocessOptions options = Small();
  options.max_wave_bytes = 100 << 10;
  Open(options);
  const std::vector<Bytes> files = Some(60);
  Run(All(files));
  ExpectAsProcessor(files);
  EXPECT_GT(Script().batches.size(), 5u);
  EXPECT_GT(device_->launches(), 10);
  // Two waves of at most 100 kB, which count as a megabyte each, and their tables.
  EXPECT_LE(device_->most_device_bytes(), 4u << 20);

  options.max_wave_bytes = 512u << 20;
  options.max_pinned_bytes = files[0].size() * 4;
  Script().batches.clear();
  Open(options);
  Run(All(files));
  ExpectAsProcessor(files);
  EXPECT_GT(Script().batches.size(), 10u);
}

TEST_F(Jpegs, LimitsAreKeptBeforeAnythingIsAllocated) {
  // A header that promises 20,000 x 20,000 pixels.
  Bytes large = MakeJpeg({});
  for (size_t i = 0; i + 1 < large.size(); ++i) {
    if (large[i] != 0xFF || large[i + 1] != 0xC0) continue;
    large[i + 5] = large[i + 7] = 20000 >> 8;
    large[i + 6] = large[i + 8] = 20000 & 255;
    break;
  }
  Open(Small());
  Run({Encoded(large)});
  EXPECT_EQ(left_[0], Left::kTooLarge);
  EXPECT_EQ(device_->most_device_bytes() + device_->most_pinned_bytes(), 0u);

  PreprocessOptions options = Small();
  options.max_pixels = 64 * 64;
  Open(options);
  const Bytes fits = MakeJpeg({.width = 64, .height = 64}), past = MakeJpeg({.width = 64, .height = 65});
  const Bytes rgb(65 * 64 * 3);
  Run({Encoded(fits), Encoded(past), Decoded(rgb, 65, 64)});
  EXPECT_EQ(left_, (std::vector<Left>{Left::kNo, Left::kTooLarge, Left::kTooLarge}));

  options = Small();
  options.max_decoded_pixels = 64 * 64;
  Open(options);
  Run({Encoded(fits), Encoded(past), Decoded(rgb, 65, 64)});
  EXPECT_EQ(left_, (std::vector<Left>{Left::kNo, Left::kTooLarge, Left::kNo}));

  options = Small();
  options.max_wave_bytes = 4 << 10;  // less than one picture wants
  Open(options);
  Run({Encoded(fits)});
  EXPECT_EQ(left_[0], Left::kTooLarge);
}

TEST_F(Jpegs, RgbPicturesWhoseSizeIsWrongAreLeft) {
  Open(Small());
  const Bytes rgb(40 * 30 * 3);
  Run({Decoded(rgb, 40, 31),
       Decoded(rgb, 40, 0),
       {nullptr, 3600, 40, 30},
       {rgb.data(), 3600, 0x80000000u, 0x80000000u},
       Decoded(rgb, 40, 30)});
  EXPECT_EQ(left_,
            (std::vector<Left>{Left::kBroken, Left::kBroken, Left::kBroken, Left::kBroken, Left::kNo}));
}

TEST_F(Jpegs, AnEmptyBatchIsNothing) {
  Open(Small());
  Run({});
  EXPECT_EQ(device_->launches(), 0);
}

// After a failure of the machine nothing is under way, nothing is lost, and the next call works.
TEST_F(Jpegs, FailuresOfTheMachineAreThrownAndLeaveNothingBehind) {
  const std::vector<Bytes> files = Some(8);
  for (const bool hardware : {true, false}) {
    Script().hardware = hardware;
    for (const char* call : {"MakeCurrent", "Allocate", "AllocatePinned", "CopyIn", "LaunchFirstPass",
                             "LaunchSecondPass", "Record"}) {
      Open(Small());
      device_->FailIn(call);
      try {
        Queue(All(files));
        ADD_FAILURE() << call << " failed, and nobody said so";
      } catch (const Error& failure) {
        EXPECT_EQ(failure.status(), CLIP_OUT_OF_MEMORY);
        EXPECT_NE(std::string(failure.what()).find(call), std::string::npos);
      }
      EXPECT_EQ(device_->pending(), 0u) << call;
      device_->FailIn("");
      Run(All(files));
      ExpectAsProcessor(files);
    }
  }
}

TEST_F(Jpegs, AStartThatFailsGivesEverythingBack) {
  for (const char* call :
       {"CreateEx", "JpegStateCreate", "JpegStreamCreate", "DecodeParamsCreate", "DecoderCreate",
        "DecoderStateCreate", "BufferPinnedCreate", "BufferDeviceCreate"}) {
    Script() = {};
    Script().failing = call;
    auto device = std::make_unique<HostDevice>();
    EXPECT_THROW(GpuPreprocessor(Small(), std::move(device), FakeNvJpeg()), Error) << call;
    EXPECT_EQ(Script().live, 0u) << call;
  }
  for (const char* call : {"CreateStream", "CreateEvent"}) {
    Script() = {};
    auto device = std::make_unique<HostDevice>();
    device->FailIn(call);
    EXPECT_THROW(GpuPreprocessor(Small(), std::move(device), FakeNvJpeg()), Error) << call;
    EXPECT_EQ(Script().live, 0u) << call;
  }
}

TEST_F(Jpegs, OptionsOutOfRangeAreRefused) {
  for (const auto& change : std::vector<void (*)(PreprocessOptions*)>{
           [](PreprocessOptions* o) { o->size = 0; }, [](PreprocessOptions* o) { o->size = 4097; },
           [](PreprocessOptions* o) { o->threads = 0; }, [](PreprocessOptions* o) { o->max_pixels = 0; }}) {
    PreprocessOptions options;
    change(&options);
    EXPECT_THROW(GpuPreprocessor(options, std::make_unique<HostDevice>(), FakeNvJpeg()), Error);
  }
}

TEST_F(Jpegs, DescribesTheDecoders) {
  Open(Small());
  EXPECT_EQ(preprocessor_->Describe(), "nvJPEG 13.12.11, hardware decoder of 7 cores, 3 threads");
  Script().hardware = false;
  Open(Small());
  EXPECT_EQ(preprocessor_->Describe(), "nvJPEG 13.12.11, no hardware decoder: ARCH_MISMATCH (7), 3 threads");
}

TEST(OpenNvJpeg, SaysWhyThereIsNone) {
  std::string why;
  if (OpenNvJpeg("/nonexistent", &why) != nullptr)
    GTEST_SKIP() << "this machine has nvJPEG where the system looks";
  EXPECT_NE(why.find("libnvjpeg"), std::string::npos) << why;
  EXPECT_NE(why.find("preprocess: cpu"), std::string::npos) << why;
}

// Where `make deps` fetched the library: it has every function, under its name, and answers without a GPU.
TEST(OpenNvJpeg, OpensTheFetchedLibrary) {
  if (!std::filesystem::exists(CLIP_NVJPEG "/libnvjpeg.so.13")) GTEST_SKIP() << "no nvJPEG in " CLIP_NVJPEG;
  std::string why;
  const NvJpeg* nvjpeg = OpenNvJpeg("/nonexistent:" CLIP_NVJPEG, &why);
  ASSERT_NE(nvjpeg, nullptr) << why;
  EXPECT_EQ(NvJpegVersion(*nvjpeg).substr(0, 3), "13.");
  EXPECT_NE(nvjpeg->GetHardwareDecoderInfo, nullptr);
}

TEST(Axes, CacheIsBoundedAndWhatIsHeldStays) {
  AxisCache cache;
  const auto held = cache.Get(640, 224, 0, 224);
  const std::vector<int32_t> before = held->numbers;
  for (int in = 1000; in < 3000; ++in) {
    cache.Get(in, 224, 0, 224);
    ASSERT_LE(cache.bytes(), AxisCache::kMostBytes);
  }
  EXPECT_EQ(held->numbers, before);
  EXPECT_EQ(cache.Get(2999, 224, 0, 224), cache.Get(2999, 224, 0, 224));
}

}  // namespace
}  // namespace clip::pictures
