// On a real GPU with the real nvJPEG: the golden pictures within 2 levels, and one bad picture among good
// ones. Skipped, with the reason, where there is none.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdlib>

#include "error.h"
#include "fixture.h"
#include "pictures.h"

namespace clip::pictures {
namespace {

constexpr int kMostDifference = 2;

class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU here: " << cudaGetErrorString(status);
    std::string why;
    nvjpeg_ = OpenNvJpeg(CLIP_NVJPEG, &why);
    if (nvjpeg_ == nullptr) GTEST_SKIP() << why;
    device_ = OpenPreprocessDevice(0);
    stream_ = device_->CreateStream();
  }
  void TearDown() override {
    if (stream_ != nullptr) device_->DestroyStream(stream_);
  }

  Bytes Run(const std::vector<clip_picture>& pictures, int size, bool print = false) {
    PreprocessOptions options;
    options.size = size;
    GpuPreprocessor preprocessor(options, OpenPreprocessDevice(0), *nvjpeg_);
    if (print) std::printf("%s\n", preprocessor.Describe().c_str());
    const size_t bytes = pictures.size() * SquareBytes(size);
    auto* pixels = static_cast<uint8_t*>(device_->Allocate(bytes));
    left_.assign(pictures.size(), Left::kNo);
    Bytes host(bytes);
    for (int round = 0; round < 3; ++round) {
      preprocessor.Run(pictures.data(), pictures.size(), pixels, stream_, left_.data());
    }
    EXPECT_EQ(cudaMemcpyAsync(host.data(), pixels, bytes, cudaMemcpyDeviceToHost,
                              static_cast<cudaStream_t>(stream_)),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(static_cast<cudaStream_t>(stream_)), cudaSuccess);
    device_->Free(pixels);
    counts_ = preprocessor.counts();
    return host;
  }

  const NvJpeg* nvjpeg_ = nullptr;
  std::unique_ptr<PreprocessDevice> device_;
  Stream stream_ = nullptr;
  std::vector<Left> left_;
  PreprocessCounts counts_;
};

int MostDifference(const uint8_t* got, const Bytes& want, double* mean) {
  int most = 0;
  double sum = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const int difference = std::abs(static_cast<int>(got[i]) - static_cast<int>(want[i]));
    most = std::max(most, difference);
    sum += difference;
  }
  *mean = sum / static_cast<double>(want.size());
  return most;
}

TEST_F(OnGpu, GoldenJpegsAreWithinTwoLevels) {
  std::vector<Bytes> files;
  std::vector<std::string> names;
  std::vector<clip_picture> pictures;
  for (const auto& path : GoldenFiles("", ".jpg")) {
    files.push_back(ReadFile(path));
    names.push_back(path.filename());
  }
  for (const Bytes& file : files) pictures.push_back(Encoded(file));
  for (const int size : {224, 336}) {
    const Bytes pixels = Run(pictures, size, size == 224);
    size_t done = 0;
    for (size_t i = 0; i < files.size(); ++i) {
      if (left_[i] != Left::kNo) {
        std::printf("%-28s left: %s\n", names[i].c_str(), LeftReason(left_[i]));
        continue;
      }
      ++done;
      const Bytes want = ByProcessor(files[i], size);
      ASSERT_FALSE(want.empty()) << names[i] << " is no picture for the processor";
      double mean = 0;
      const int most = MostDifference(&pixels[i * SquareBytes(size)], want, &mean);
      std::printf("%-28s at %d: most %d, mean %.4f\n", names[i].c_str(), size, most, mean);
      EXPECT_LE(most, kMostDifference) << names[i] << " at " << size;
    }
    EXPECT_GE(done, 15u);
  }
  std::printf("hardware %lu, hybrid %lu, left %lu\n", counts_.hardware, counts_.hybrid, counts_.left);
}

TEST_F(OnGpu, RgbPicturesGiveTheBytesOfTheProcessorsPath) {
  const int sizes[][2] = {{1, 1},     {640, 480}, {300, 2400},  {5000, 1},
                          {224, 224}, {231, 224}, {2000, 1100}, {1300, 4000}};
  std::vector<Bytes> rgb;
  std::vector<clip_picture> pictures;
  for (const auto& [width, height] : sizes) {
    rgb.push_back(clip_image::NoiseBytes(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, 3));
  }
  for (size_t i = 0; i < rgb.size(); ++i) pictures.push_back(Decoded(rgb[i], sizes[i][0], sizes[i][1]));
  for (const int size : {1, 129, 224}) {
    const Bytes pixels = Run(pictures, size);
    for (size_t i = 0; i < rgb.size(); ++i) {
      const Bytes want = ResizedByProcessor(rgb[i], sizes[i][0], sizes[i][1], size);
      EXPECT_TRUE(std::equal(want.begin(), want.end(),
                             pixels.begin() + static_cast<ptrdiff_t>(i * SquareBytes(size))))
          << sizes[i][0] << "×" << sizes[i][1] << " to " << size;
    }
  }
}

TEST_F(OnGpu, OneBadPictureFailsAlone) {
  std::vector<Bytes> files;
  for (uint32_t i = 0; i < 64; ++i)
    files.push_back(clip_image::MakeJpeg({.width = 640, .height = 480, .seed = i + 1}));
  files[7].resize(1000);
  // Rubbish in the middle of the bits, the markers whole: nvJPEG may refuse it or decode something, as
  // libjpeg does.
  for (size_t at = files[9].size() / 2; at < files[9].size() / 2 + 400; ++at)
    files[9][at] = static_cast<uint8_t>(at * 37 % 251);
  std::vector<clip_picture> pictures;
  for (const Bytes& file : files) pictures.push_back(Encoded(file));
  const Bytes pixels = Run(pictures, 224);
  for (size_t i = 0; i < files.size(); ++i) {
    if (i == 9) continue;
    if (i == 7) {
      EXPECT_EQ(left_[i], Left::kBroken);
      continue;
    }
    ASSERT_EQ(left_[i], Left::kNo) << i << ": " << LeftReason(left_[i]);
    double mean = 0;
    EXPECT_LE(MostDifference(&pixels[i * SquareBytes(224)], ByProcessor(files[i], 224), &mean),
              kMostDifference)
        << i;
  }
}

}  // namespace
}  // namespace clip::pictures
