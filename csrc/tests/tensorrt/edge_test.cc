// The runtime through the table of clip_runtime.h, as clipd calls it.
#include <gtest/gtest.h>

#include "harness.h"
#include "plugin.h"
#include "runtime.h"
#include "stage.h"

namespace clip_test {
namespace {

class Edge : public Stage {};

clip::cu::Driver table;  // outlives the test: a runtime lives as long as the process

clip::Runtime* MakeRuntime() { return new clip::trt::TensorRt(FakeTensorRt::Now().library(), table); }

TEST_F(Edge, FromOptionsToEmbeddings) {
  table = gpu_.table();
  char error[1024] = "";
  const clip_runtime_api* api = clip::MakeApi(CLIP_RUNTIME_ABI, MakeRuntime, error, sizeof(error));
  ASSERT_NE(api, nullptr) << error;
  clip_runtime_info info = {};
  info.size = sizeof(info);
  ASSERT_EQ(api->describe(&info, error, sizeof(error)), CLIP_OK) << error;
  EXPECT_STREQ(info.name, "tensorrt");
  EXPECT_STREQ(info.devices, "cuda:0 NVIDIA H200, 140 GiB, compute capability 9.0, fp32 bf16 fp16");

  tensorrt_.PackedTexts();
  clip_session_options options = clip_test::Options(path("text.onnx"), CLIP_TOWER_TEXT, CLIP_PRECISION_AUTO);
  std::string cache = path("");
  options.cache_dir = cache.c_str();
  options.device = "cuda:0";
  options.max_rows = 8;
  options.max_length = 77;
  {
    Sessions sessions(api);
    Outcome made = sessions.Create(options);
    ASSERT_EQ(made.status, CLIP_OK) << made.text;
    EXPECT_EQ(sessions.info().packs, 1u);
    EXPECT_EQ(sessions.info().dim, static_cast<uint32_t>(kFakeDim));
    EXPECT_STREQ(sessions.info().device, "cuda:0 NVIDIA H200");
    clip_lane* lane = sessions.NewLane();
    std::vector<int32_t> ids = {5, 6, 7, 8}, positions = {0, 1, 0, 1}, segments = {0, 0, 1, 1}, ends = {1, 3};
    std::vector<float> output(2 * kFakeDim);
    clip_batch batch = {sizeof(batch),   2,          4, ids.data(), output.data(), 1, positions.data(),
                        segments.data(), ends.data()};
    for (int i = 0; i < 5; ++i) {  // the later ones as a CUDA graph
      ids[3] = 8 + i;
      ASSERT_EQ(api->lane_run(lane, &batch, error, sizeof(error)), CLIP_OK) << error;
      EXPECT_EQ(output, (std::vector<float>{6100, 6101, 6102, 6103, 8110.0f + 1000 * i, 8111.0f + 1000 * i,
                                            8112.0f + 1000 * i, 8113.0f + 1000 * i}));
    }
    EXPECT_EQ(gpu_.calls["GraphLaunch"], 2);
    batch.lines = 0;
    EXPECT_EQ(api->lane_run(lane, &batch, error, sizeof(error)), CLIP_INVALID_ARGUMENT);
    batch.lines = 1;
    batch.rows = 9;
    ends.resize(9, 3);
    batch.ends = ends.data();
    output.resize(9 * kFakeDim);
    batch.output = output.data();
    EXPECT_EQ(api->lane_run(lane, &batch, error, sizeof(error)), CLIP_INVALID_ARGUMENT);
    EXPECT_TRUE(Has(error, "at most 8x80, 8x80, 8x80, 8")) << error;
  }
  Sessions refused(api);
  options.device = nullptr;
  Outcome outcome = refused.Create(options);
  EXPECT_EQ(outcome.status, CLIP_UNAVAILABLE);
  EXPECT_TRUE(Has(outcome.text, "cuda:0 NVIDIA H200 (0000:65:00.0)")) << outcome.text;
}

}  // namespace
}  // namespace clip_test
