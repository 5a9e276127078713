// A preprocessor over the host's device and the tests' nvJPEG, and what the processor's path makes of the
// same pictures.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "clip_image.h"
#include "fake_nvjpeg.h"
#include "host_device.h"
#include "preprocess.h"

namespace clip::pictures {

using Bytes = std::vector<uint8_t>;

inline size_t SquareBytes(int size) { return static_cast<size_t>(size) * static_cast<size_t>(size) * 3; }

inline clip_image_options ImageOptions(int size) {
  return {sizeof(clip_image_options), static_cast<uint32_t>(size), 178'956'970};
}

// A JPEG by csrc/image; empty where that refuses it.
inline Bytes ByProcessor(const Bytes& file, int size) {
  Bytes pixels(SquareBytes(size));
  const clip_image_options options = ImageOptions(size);
  if (clip_image_jpeg(file.data(), file.size(), &options, pixels.data(), nullptr, 0) != CLIP_IMAGE_OK)
    return {};
  return pixels;
}

// RGB pixels by csrc/image.
inline Bytes ResizedByProcessor(const Bytes& rgb, int width, int height, int size) {
  const clip_image_options options = ImageOptions(size);
  clip_image_resizer* resizer = nullptr;
  int32_t first = 0, end = 0;
  char error[256] = "";
  EXPECT_EQ(clip_image_resizer_open(width, height, CLIP_IMAGE_RGB, &options, &resizer, &first, &end, error,
                                    sizeof(error)),
            CLIP_IMAGE_OK)
      << error;
  Bytes pixels(SquareBytes(size));
  const size_t stride = static_cast<size_t>(width) * 3;
  EXPECT_EQ(clip_image_resizer_push(resizer, 0, height, rgb.data(), stride, error, sizeof(error)),
            CLIP_IMAGE_OK)
      << error;
  EXPECT_EQ(clip_image_resizer_finish(resizer, pixels.data(), error, sizeof(error)), CLIP_IMAGE_OK) << error;
  clip_image_resizer_close(resizer);
  return pixels;
}

inline Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// The golden files with this beginning.
inline std::vector<std::filesystem::path> GoldenFiles(const std::string& prefix,
                                                      const std::string& extension) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(CLIP_PICTURES)) {
    if (entry.path().extension() == extension && entry.path().filename().string().starts_with(prefix)) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline clip_picture Encoded(const Bytes& file) { return {file.data(), file.size(), 0, 0}; }
inline clip_picture Decoded(const Bytes& rgb, int width, int height) {
  return {rgb.data(), rgb.size(), static_cast<uint32_t>(width), static_cast<uint32_t>(height)};
}

// One after another in a test: the script belongs to the process.
class Preprocessing : public ::testing::Test {
 protected:
  void SetUp() override { Script() = {}; }

  void Open(PreprocessOptions options = {}) {
    Close();
    auto device = std::make_unique<HostDevice>();
    device_ = device.get();
    Script().device = device_;
    stream_ = device_->CreateStream();
    preprocessor_ = std::make_unique<GpuPreprocessor>(options, std::move(device), FakeNvJpeg());
    options_ = options;
  }

  // Runs a batch and returns what lies in device memory once the stream is done.
  Bytes Run(const std::vector<clip_picture>& pictures) {
    Queue(pictures);
    device_->Drain(stream_);
    return pixels_;
  }
  void Queue(const std::vector<clip_picture>& pictures) {
    pixels_.assign(pictures.size() * SquareBytes(options_.size), 0xEE);
    left_.assign(pictures.size(), Left::kNo);
    preprocessor_->Run(pictures.data(), pictures.size(), pixels_.data(), stream_, left_.data());
  }
  Bytes Row(size_t i) const {
    const size_t bytes = SquareBytes(options_.size);
    return Bytes(pixels_.begin() + static_cast<ptrdiff_t>(i * bytes),
                 pixels_.begin() + static_cast<ptrdiff_t>((i + 1) * bytes));
  }

  // Frees everything; the device ends the program when something is left, and nvJPEG's objects are counted.
  void Close() {
    if (preprocessor_ == nullptr) return;
    device_->DestroyStream(stream_);
    preprocessor_.reset();
    device_ = nullptr;
    EXPECT_EQ(Script().live, 0u) << "objects of nvJPEG were not destroyed";
  }
  void TearDown() override { Close(); }

  HostDevice* device_ = nullptr;
  Stream stream_ = nullptr;
  std::unique_ptr<GpuPreprocessor> preprocessor_;
  PreprocessOptions options_;
  Bytes pixels_;
  std::vector<Left> left_;
};

}  // namespace clip::pictures
