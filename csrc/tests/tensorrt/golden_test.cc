// The real library on a real GPU, as a program in C would call it. Skipped, with the reason, where there is
// none.
#include <gtest/gtest.h>

#include <thread>

#include "harness.h"
#include "loader.h"
#include "test_folder.h"

namespace clip_test {
namespace {

class OnAGpu : public TestFolder {
 protected:
  void SetUp() override {
    std::string library = std::string(CLIP_LIBRARIES) + "/libclip_tensorrt.so";
    char error[1024] = "";
    api_ = clip_loader_open(library.c_str(), error, sizeof(error));
    reason_ = error;
    if (api_ == nullptr) {
      // Whatever is missing, it is said in one sentence that names it.
      EXPECT_TRUE(reason_.find("NVIDIA") != std::string::npos ||
                  reason_.find("TensorRT") != std::string::npos)
          << reason_;
      GTEST_SKIP() << reason_;
    }
    for (const char* name : {"image.onnx", "image.bin", "text.onnx"}) Copy(name);
    cache_ = path("");
  }

  clip_session_options Options(const std::string& name, clip_tower tower) {
    clip_session_options options = clip_test::Options(path(name), tower, CLIP_PRECISION_AUTO);
    options.device = "cuda";
    options.cache_dir = cache_.c_str();
    options.max_rows = 8;
    options.max_length = kTextLength;
    return options;
  }

  // fp32 on a GPU adds up in another order.
  static constexpr float kTolerance = 2e-3f;

  const clip_runtime_api* api_ = nullptr;
  std::string reason_, cache_;
};

TEST_F(OnAGpu, GivesTheAnswersOfTheReference) {
  for (int start = 0; start < 2; ++start) {
    Sessions images(api_), texts(api_);
    Outcome made = images.Create(Options("image.onnx", CLIP_TOWER_IMAGE));
    ASSERT_EQ(made.status, CLIP_OK) << made.text;
    EXPECT_EQ(images.info().cached, start == 0 ? 0u : 1u);
    EXPECT_EQ(images.info().dim, kDim);
    EXPECT_EQ(images.info().precision, CLIP_PRECISION_FP32);
    std::vector<float> output(kImageRows * kDim);
    clip_lane* lane = images.NewLane();
    auto pixels = clip_test::Read<uint8_t>("image.input");
    for (int i = 0; i < 6; ++i) {  // enqueued, then as a graph
      std::fill(output.begin(), output.end(), 0.0f);
      Outcome ran = images.Run(lane, kImageRows, kImageSize, pixels.data(), output.data());
      ASSERT_EQ(ran.status, CLIP_OK) << ran.text;
      EXPECT_LT(Difference(output, clip_test::Read<float>("image.output")), kTolerance) << "run " << i;
    }
    made = texts.Create(Options("text.onnx", CLIP_TOWER_TEXT));
    ASSERT_EQ(made.status, CLIP_OK) << made.text;
    EXPECT_EQ(texts.info().cached, start == 0 ? 0u : 1u);
    output.resize(kTextRows * kDim);
    Outcome ran = texts.Run(texts.NewLane(), kTextRows, kTextLength,
                            clip_test::Read<int32_t>("text.input").data(), output.data());
    ASSERT_EQ(ran.status, CLIP_OK) << ran.text;
    EXPECT_LT(Difference(output, clip_test::Read<float>("text.output")), kTolerance);
  }
}

TEST_F(OnAGpu, LanesRunAtTheSameTime) {
  Sessions texts(api_);
  Outcome made = texts.Create(Options("text.onnx", CLIP_TOWER_TEXT));
  ASSERT_EQ(made.status, CLIP_OK) << made.text;
  auto ids = clip_test::Read<int32_t>("text.input");
  auto want = clip_test::Read<float>("text.output");
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 4; ++i) {
    clip_lane* lane = texts.NewLane();
    threads.emplace_back([&, lane, i] {
      for (uint32_t n = 0; n < 60; ++n) {
        uint32_t rows = 1 + (n + i) % kTextRows;
        std::vector<float> output(rows * kDim);
        Outcome ran = texts.Run(lane, rows, kTextLength, ids.data(), output.data());
        EXPECT_EQ(ran.status, CLIP_OK) << ran.text;
        EXPECT_LT(Difference(output, std::vector<float>(want.begin(), want.begin() + rows * kDim)),
                  kTolerance);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(OnAGpu, RefusesWhatItCannotRunAndGoesOn) {
  Sessions wrong(api_), texts(api_);
  clip_session_options options = Options("text.onnx", CLIP_TOWER_TEXT);
  options.device = "cuda:99";
  EXPECT_EQ(wrong.Create(options).status, CLIP_UNAVAILABLE);
  options = Options("text.onnx", CLIP_TOWER_TEXT);
  options.precision = CLIP_PRECISION_FP16;
  EXPECT_EQ(wrong.Create(options).status, CLIP_UNAVAILABLE);
  EXPECT_EQ(wrong.Create(Options("text.onnx", CLIP_TOWER_IMAGE)).status, CLIP_INVALID_ARGUMENT);
  Write("text.onnx", Read("text.onnx").substr(0, 20000));
  EXPECT_EQ(wrong.Create(Options("text.onnx", CLIP_TOWER_TEXT)).status, CLIP_INVALID_ARGUMENT);
  Copy("text.onnx");
  ASSERT_EQ(texts.Create(Options("text.onnx", CLIP_TOWER_TEXT)).status, CLIP_OK);
  std::vector<int32_t> ids(9 * kTextLength);
  std::vector<float> output(9 * kDim);
  clip_lane* lane = texts.NewLane();
  EXPECT_EQ(texts.Run(lane, 9, kTextLength, ids.data(), output.data()).status, CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(texts.Run(lane, 8, kTextLength, ids.data(), output.data()).status, CLIP_OK);
}

}  // namespace
}  // namespace clip_test
