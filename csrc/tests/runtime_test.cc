// Both runtimes through the table, as a program in C would call them. The Go tests of engine/runtime go
// further.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "harness.h"

namespace clip_test {
namespace {

class Runtime : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    api_ = Open(GetParam());
    ASSERT_NE(api_, nullptr);
  }

  // What a session with these options is refused with.
  Outcome Refused(const clip_session_options& options) {
    Sessions sessions(api_);
    Outcome outcome = sessions.Create(options);
    EXPECT_FALSE(outcome.text.empty());
    return outcome;
  }

  const clip_runtime_api* api_ = nullptr;
};

TEST_P(Runtime, DescribesItself) {
  clip_runtime_info info = {};
  info.size = sizeof(info);
  char error[256] = "";
  ASSERT_EQ(api_->describe(&info, error, sizeof(error)), CLIP_OK) << error;
  EXPECT_STREQ(info.name, GetParam());
  EXPECT_STRNE(info.version, "");
  EXPECT_EQ(std::string(info.devices).rfind("cpu ", 0), 0u) << info.devices;
  EXPECT_TRUE(info.precisions & (1u << CLIP_PRECISION_FP32));
  info.size = 4;
  EXPECT_EQ(api_->describe(&info, error, sizeof(error)), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(api_->describe(nullptr, nullptr, 0), CLIP_INVALID_ARGUMENT);
}

TEST_P(Runtime, GivesTheAnswersOfTheReference) {
  Sessions images(api_), texts(api_);
  Outcome made = images.Create(Options(GraphPath("image.onnx"), CLIP_TOWER_IMAGE));
  ASSERT_EQ(made.status, CLIP_OK) << made.text;
  EXPECT_EQ(images.info().dim, kDim);
  EXPECT_EQ(images.info().image_size, kImageSize);
  EXPECT_EQ(images.info().precision, CLIP_PRECISION_FP32);
  EXPECT_EQ(images.info().cached, 0u);
  std::vector<float> output(kImageRows * kDim);
  Outcome ran = images.Run(images.NewLane(), kImageRows, kImageSize, Read<uint8_t>("image.input").data(),
                           output.data());
  ASSERT_EQ(ran.status, CLIP_OK) << ran.text;
  EXPECT_LT(Difference(output, Read<float>("image.output")), 1e-4);

  made = texts.Create(Options(GraphPath("text.onnx"), CLIP_TOWER_TEXT));
  ASSERT_EQ(made.status, CLIP_OK) << made.text;
  output.resize(kTextRows * kDim);
  ran = texts.Run(texts.NewLane(), kTextRows, kTextLength, Read<int32_t>("text.input").data(), output.data());
  ASSERT_EQ(ran.status, CLIP_OK) << ran.text;
  EXPECT_LT(Difference(output, Read<float>("text.output")), 1e-4);
}

TEST_P(Runtime, LanesRunAtTheSameTimeWithOtherShapes) {
  constexpr int kLanes = 3;
  Sessions texts(api_);
  clip_session_options options = Options(GraphPath("text.onnx"), CLIP_TOWER_TEXT);
  options.lanes = kLanes;
  ASSERT_EQ(texts.Create(options).status, CLIP_OK);
  auto ids = Read<int32_t>("text.input");
  auto want = Read<float>("text.output");
  std::vector<std::thread> threads;
  for (int i = 0; i < kLanes; ++i) {
    clip_lane* lane = texts.NewLane();
    threads.emplace_back([&, lane, i] {
      for (uint32_t n = 0; n < 30; ++n) {
        uint32_t rows = 1 + (n + static_cast<uint32_t>(i)) % kTextRows;
        std::vector<float> output(rows * kDim);
        Outcome ran = texts.Run(lane, rows, kTextLength, ids.data(), output.data());
        EXPECT_EQ(ran.status, CLIP_OK) << ran.text;
        EXPECT_LT(Difference(output, std::vector<float>(want.begin(), want.begin() + rows * kDim)), 1e-4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Runtime, RefusesWrongOptions) {
  auto status = [&](clip_session_options options) { return Refused(options).status; };
  clip_session_options good = Options(GraphPath("text.onnx"), CLIP_TOWER_TEXT), bad = good;
  EXPECT_EQ(status(Options("/nowhere/x.onnx", CLIP_TOWER_TEXT)), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(status(Options(GraphPath("text.onnx"), CLIP_TOWER_IMAGE)), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(status(Options(GraphPath("two_inputs.onnx"), CLIP_TOWER_TEXT)), CLIP_INVALID_ARGUMENT);
  bad.graph_path = nullptr;
  EXPECT_EQ(status(bad), CLIP_INVALID_ARGUMENT);
  bad = good;
  bad.size -= 8;
  EXPECT_EQ(status(bad), CLIP_INVALID_ARGUMENT);
  bad = good;
  bad.lanes = 1u << 30;
  EXPECT_EQ(status(bad), CLIP_INVALID_ARGUMENT);
  bad = good;
  bad.device = "npu";
  EXPECT_EQ(status(bad), CLIP_UNAVAILABLE);
  EXPECT_EQ(api_->session_create(nullptr, nullptr, nullptr, nullptr, 0), CLIP_INVALID_ARGUMENT);
}

TEST_P(Runtime, RefusesADamagedGraph) {
  std::string path = testing::TempDir() + "/damaged_" + GetParam() + ".onnx";
  auto bytes = Read<uint8_t>("text.onnx");
  // Cut at several places: in the nodes, in the weights, near the end.
  for (size_t part = 1; part <= 4; ++part) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size() * part / 5));
    Outcome outcome = Refused(Options(path, CLIP_TOWER_TEXT));
    EXPECT_EQ(outcome.status, CLIP_INVALID_ARGUMENT) << outcome.text;
    EXPECT_NE(outcome.text.find(path), std::string::npos) << outcome.text;
  }
  std::filesystem::remove(path);
}

TEST_P(Runtime, RefusesWrongBatchesAndGoesOn) {
  Sessions texts(api_);
  ASSERT_EQ(texts.Create(Options(GraphPath("text.onnx"), CLIP_TOWER_TEXT)).status, CLIP_OK);
  clip_lane* lane = texts.NewLane();
  auto ids = Read<int32_t>("text.input");
  std::vector<float> output(kTextRows * kDim);
  EXPECT_EQ(texts.Run(lane, 0, kTextLength, ids.data(), output.data()).status, CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(texts.Run(lane, kTextRows, 0, ids.data(), output.data()).status, CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(texts.Run(lane, kTextRows, kTextLength, nullptr, output.data()).status, CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(texts.Run(lane, kTextRows, kTextLength, ids.data(), nullptr).status, CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(texts.Run(nullptr, kTextRows, kTextLength, ids.data(), output.data()).status,
            CLIP_INVALID_ARGUMENT);
  // More tokens than the graph has positions for.
  std::vector<int32_t> long_ids(100, 1);
  Outcome too_long = texts.Run(lane, 1, 100, long_ids.data(), output.data());
  EXPECT_NE(too_long.status, CLIP_OK);
  EXPECT_NE(too_long.text.find("length 100"), std::string::npos) << too_long.text;
  Outcome good = texts.Run(lane, kTextRows, kTextLength, ids.data(), output.data());
  EXPECT_EQ(good.status, CLIP_OK) << good.text;
  EXPECT_LT(Difference(output, Read<float>("text.output")), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, Runtime, testing::ValuesIn(Runtimes()),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace clip_test
