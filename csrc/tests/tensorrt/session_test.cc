// Sessions: which engine is used, built, kept and refused.
#include "session.h"

#include <gtest/gtest.h>

#include "runtime.h"
#include "stage.h"

namespace clip_test {
namespace {

class TensorRtSessions : public Stage {};

TEST_F(TensorRtSessions, BuildOnceAndLoadAfterwards) {
  tensorrt_.Pictures(16);
  auto first = NewSession(Options(CLIP_TOWER_IMAGE));
  EXPECT_FALSE(first->info().cached);
  EXPECT_EQ(first->info().dim, kFakeDim);
  EXPECT_EQ(first->info().image_size, 16u);
  EXPECT_EQ(first->info().precision, CLIP_PRECISION_FP32);
  EXPECT_EQ(first->info().device, "cuda:0 NVIDIA H200");
  EXPECT_EQ(tensorrt_.builds, 1);
  EXPECT_EQ(tensorrt_.level, 3);
  EXPECT_EQ(tensorrt_.aux_streams, 0);
  EXPECT_FALSE(tensorrt_.tf32) << "fp32 must not mean TF32";
  EXPECT_EQ(tensorrt_.version_given, library_.number);
  EXPECT_TRUE(Has(tensorrt_.parsed_graph, "pixels/clipd_fp16"));
  EXPECT_EQ(tensorrt_.parsed_path, path("image.onnx"));
  ASSERT_EQ(tensorrt_.built.size(), 3u);
  EXPECT_EQ(tensorrt_.built[2][0].most, (clip::trt::Shape{16, 16, 16, 3}));
  EXPECT_EQ(tensorrt_.built[2][0].least, (clip::trt::Shape{1, 16, 16, 3}));
  auto second = NewSession(Options(CLIP_TOWER_IMAGE));
  EXPECT_TRUE(second->info().cached);
  EXPECT_EQ(second->info().image_size, 16u);
  EXPECT_EQ(tensorrt_.builds, 1);
}

TEST_F(TensorRtSessions, WithoutACacheNothingIsKept) {
  clip::SessionOptions options = Options(CLIP_TOWER_TEXT);
  options.cache_dir = "";
  NewSession(options);
  NewSession(options);
  EXPECT_EQ(tensorrt_.builds, 2);
  EXPECT_EQ(tensorrt_.timings_given, "");
}

TEST_F(TensorRtSessions, AnEngineIsKeyedByAllThatItIsMadeFrom) {
  NewSession(Options(CLIP_TOWER_TEXT));
  auto builds = [&](clip::SessionOptions options) {
    int before = tensorrt_.builds;
    NewSession(options);
    EXPECT_LE(tensorrt_.builds, before + 1);
    return tensorrt_.builds - before;
  };
  EXPECT_EQ(builds(Options(CLIP_TOWER_TEXT)), 0);
  clip::SessionOptions more = Options(CLIP_TOWER_TEXT);
  more.max_rows = 64;
  EXPECT_EQ(builds(more), 1);
  more.max_rows = 16;
  more.lanes = 8;
  EXPECT_EQ(builds(more), 0);
  gpu_.gpus[0].name = "NVIDIA L40S";
  EXPECT_EQ(builds(Options(CLIP_TOWER_TEXT)), 1);
  gpu_.gpus[0].name = "NVIDIA H200";
  std::string graph = Read("text.onnx");
  Write("text.onnx", graph);  // a new file of the same content
  EXPECT_EQ(builds(Options(CLIP_TOWER_TEXT)), 0);
  graph[graph.size() / 2] = static_cast<char>(graph[graph.size() / 2] ^ 1);  // within its weights
  Write("text.onnx", graph);
  EXPECT_EQ(builds(Options(CLIP_TOWER_TEXT)), 1);
}

TEST_F(TensorRtSessions, TimingsAreUsedAgain) {
  NewSession(Options(CLIP_TOWER_TEXT));
  EXPECT_EQ(tensorrt_.timings_given, "");
  clip::SessionOptions more = Options(CLIP_TOWER_TEXT);
  more.max_rows = 64;
  NewSession(more);
  EXPECT_EQ(tensorrt_.timings_given, "timings");
  // Those of another driver, say, are begun anew.
  tensorrt_.takes_timings = false;
  more.max_rows = 65;
  NewSession(more);
  EXPECT_EQ(tensorrt_.timings_given, "");
  EXPECT_EQ(tensorrt_.builds, 3);
}

TEST_F(TensorRtSessions, ADamagedCacheIsBuiltAnew) {
  NewSession(Options(CLIP_TOWER_TEXT));
  for (const auto& entry : std::filesystem::directory_iterator(path(""))) {
    if (entry.path().extension() != ".engine") continue;
    std::string name = entry.path().filename().string(), good = Read(name);
    Write(name, good.substr(0, good.size() / 2));
    EXPECT_FALSE(NewSession(Options(CLIP_TOWER_TEXT))->info().cached);
    EXPECT_EQ(tensorrt_.builds, 2);
    EXPECT_EQ(Read(name), good) << "and is whole again";
  }
  EXPECT_TRUE(NewSession(Options(CLIP_TOWER_TEXT))->info().cached);
  // TensorRT itself may refuse one.
  tensorrt_.load_error = "the engine was made by another driver";
  EXPECT_TRUE(Has(Refusal(Options(CLIP_TOWER_TEXT), CLIP_INVALID_ARGUMENT), "made by another driver"));
  EXPECT_EQ(tensorrt_.builds, 3) << "the cached one, then a new one";
}

TEST_F(TensorRtSessions, AnEngineBuiltAheadIsUsedOrRefused) {
  NewSession(Options(CLIP_TOWER_TEXT));
  for (const auto& entry : std::filesystem::directory_iterator(path(""))) {
    if (entry.path().extension() == ".engine") std::filesystem::rename(entry.path(), path("text.engine"));
  }
  clip::SessionOptions options = Options(CLIP_TOWER_TEXT);
  options.cache_dir = "";
  EXPECT_TRUE(NewSession(options)->info().cached);
  options.max_rows = 8;  // less than it was built for
  EXPECT_TRUE(NewSession(options)->info().cached);
  options.max_rows = 64;
  EXPECT_TRUE(Has(Refusal(options, CLIP_INVALID_ARGUMENT), "at most 16x77; batches of 64x77 are wanted"));
  options.max_rows = 16;
  gpu_.gpus[0].name = "NVIDIA L40S";
  gpu_.gpus[0].minor = 9;
  std::string text = Refusal(options, CLIP_UNAVAILABLE);
  EXPECT_TRUE(Has(text, path("text.engine"))) << text;
  EXPECT_TRUE(Has(text, "made for NVIDIA H200 (compute capability 9.0), and this is NVIDIA L40S (9.9)"))
      << text;
  gpu_.gpus[0] = FakeGpu();
  Write("text.engine", "something else");
  EXPECT_TRUE(Has(Refusal(options, CLIP_INVALID_ARGUMENT), "no engine of clipd's"));
  EXPECT_EQ(tensorrt_.builds, 1);
}

TEST_F(TensorRtSessions, PrecisionIsWhatTheGraphSays) {
  clip::SessionOptions options = Options(CLIP_TOWER_TEXT);
  for (clip_precision wrong : {CLIP_PRECISION_BF16, CLIP_PRECISION_FP16}) {
    options.precision = wrong;
    std::string text = Refusal(options, CLIP_UNAVAILABLE);
    EXPECT_TRUE(Has(text, "is written in fp32")) << text;
    EXPECT_TRUE(Has(text, clip::PrecisionName(wrong))) << text;
  }
  options.precision = CLIP_PRECISION_FP32;
  EXPECT_EQ(NewSession(options)->info().precision, CLIP_PRECISION_FP32);
}

TEST_F(TensorRtSessions, WrongGraphsAreRefused) {
  tensorrt_.parse_error = "unsupported operation";
  std::string text = Refusal(Options(CLIP_TOWER_TEXT), CLIP_INVALID_ARGUMENT);
  EXPECT_TRUE(Has(text, path("text.onnx")) && Has(text, "node Slice_3 (Slice): unsupported operation"))
      << text;
  tensorrt_.parse_error = "";
  tensorrt_.Pictures(16);
  text = Refusal(Options(CLIP_TOWER_TEXT), CLIP_INVALID_ARGUMENT);
  EXPECT_TRUE(Has(text, "is no text tower") && Has(text, "uint8 [?, 16, 16, 3]")) << text;
  tensorrt_.Pictures(-1);
  text = Refusal(Options(CLIP_TOWER_IMAGE), CLIP_INVALID_ARGUMENT);
  EXPECT_TRUE(Has(text, "fixes height and width")) << text;
  tensorrt_.Texts();
  tensorrt_.inputs[0].type = nvinfer1::DataType::kINT64;
  EXPECT_TRUE(Has(Refusal(Options(CLIP_TOWER_TEXT), CLIP_INVALID_ARGUMENT), "int64"));
  EXPECT_EQ(tensorrt_.builds, 0);
  Write("text.onnx", "not a graph");
  EXPECT_TRUE(Has(Refusal(Options(CLIP_TOWER_TEXT), CLIP_INVALID_ARGUMENT), "no ONNX file"));
}

TEST_F(TensorRtSessions, FailedBuildsSayWhy) {
  tensorrt_.build_error = "no implementation for node MatMul_7";
  EXPECT_TRUE(Has(Refusal(Options(CLIP_TOWER_TEXT), CLIP_INTERNAL), "no implementation for node MatMul_7"));
  tensorrt_.build_error = "Requested amount of GPU memory could not be allocated: out of memory";
  Refusal(Options(CLIP_TOWER_TEXT), CLIP_OUT_OF_MEMORY);
}

TEST_F(TensorRtSessions, DevicesAreChosenByName) {
  gpu_.gpus.push_back({"NVIDIA L4", "0000:B3:00.0", 8, 9, size_t{22} << 30});
  clip::SessionOptions options = Options(CLIP_TOWER_TEXT);
  options.device = "cuda:1";
  EXPECT_EQ(NewSession(options)->info().device, "cuda:1 NVIDIA L4");
  options.device = "cuda:0000:65:00.0";
  EXPECT_EQ(NewSession(options)->info().device, "cuda:0 NVIDIA H200");
  options.device = "cpu";
  EXPECT_TRUE(Has(Refusal(options, CLIP_UNAVAILABLE), "there is no device \"cpu\""));
}

TEST_F(TensorRtSessions, TheRuntimeDescribesItsDevices) {
  gpu_.gpus.push_back({"Tesla T4", "0000:B3:00.0", 7, 5, size_t{15} << 30});
  clip::trt::TensorRt runtime(tensorrt_.library(), gpu_.table());
  clip::RuntimeInfo info = runtime.Describe();
  EXPECT_EQ(info.name, "tensorrt");
  EXPECT_EQ(info.version, std::to_string(NV_TENSORRT_MAJOR) + ".4.0");
  ASSERT_EQ(info.devices.size(), 2u);
  EXPECT_EQ(info.devices[1], "cuda:1 Tesla T4, 15 GiB, compute capability 7.5, fp32 fp16");
  EXPECT_EQ(info.precisions, 14u);
}

TEST_F(TensorRtSessions, WithoutAParserOnlyKnownEnginesRun) {
  NewSession(Options(CLIP_TOWER_TEXT));
  clip::trt::Library library = tensorrt_.library();
  library.create_parser = nullptr;
  library.parser_missing = "cannot open libnvonnxparser.so.11";
  EXPECT_TRUE(clip::trt::TensorRtSession(library, gpu_.table(), Options(CLIP_TOWER_TEXT)).info().cached);
  clip::SessionOptions other = Options(CLIP_TOWER_TEXT);
  other.max_rows = 3;
  char error[512] = "";
  EXPECT_EQ(
      clip::AtEdge(error, sizeof(error), [&] { clip::trt::TensorRtSession(library, gpu_.table(), other); }),
      CLIP_UNAVAILABLE);
  EXPECT_TRUE(Has(error, "cannot open libnvonnxparser.so.11")) << error;
}

}  // namespace
}  // namespace clip_test
