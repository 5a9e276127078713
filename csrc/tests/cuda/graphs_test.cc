// The cache of graphs, and the reader of models.
#include "graphs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "device_test.h"
#include "onnx.h"
#include "tower.h"

namespace clip_test {
namespace {

using namespace clip::cuda;

class GraphsTest : public OnDevice {};

TEST_P(GraphsTest, AreRecordedOnceAndForgottenInTurn) {
  Graphs graphs(2);
  auto pinned = AllocatePinned<int32_t>(1);
  auto memory = AllocateDevice<int32_t>(1);
  int enqueued = 0;
  auto run = [&](int items, int32_t value) {
    *pinned.get() = value;
    graphs.Run({items, 1, 1}, stream_.get(), [&] {
      ++enqueued;
      Check(
          cudaMemcpyAsync(memory.get(), pinned.get(), sizeof(int32_t), cudaMemcpyHostToDevice, stream_.get()),
          "copying");
    });
    EXPECT_EQ(Download(memory.get(), 1)[0], value);
  };
  run(1, 10);  // as it is
  EXPECT_EQ(graphs.recorded(), 0u);
  run(1, 11);  // recorded
  EXPECT_EQ(graphs.recorded(), 1u);
  EXPECT_EQ(enqueued, 2);
  for (int32_t value = 12; value < 20; ++value) run(1, value);  // launched
  EXPECT_EQ(enqueued, 2);
  run(2, 20);
  run(2, 21);
  run(1, 22);
  EXPECT_EQ(enqueued, 4);
  run(3, 23);  // 2 was used longest ago
  EXPECT_EQ(graphs.recorded(), 1u);
  run(1, 24);
  EXPECT_EQ(enqueued, 5);
  run(2, 25);
  EXPECT_EQ(enqueued, 6);
  graphs.Clear();
  EXPECT_EQ(graphs.recorded(), 0u);
  run(1, 26);
  EXPECT_EQ(enqueued, 7);
}

TEST_P(GraphsTest, ARecordingThatFailsLeavesTheStreamUsable) {
  Graphs graphs(2);
  graphs.Run({1, 1, 1}, stream_.get(), [] {});
  EXPECT_THROW(graphs.Run({1, 1, 1}, stream_.get(), [] { throw std::runtime_error("broke"); }),
               std::runtime_error);
  EXPECT_EQ(cudaStreamSynchronize(stream_.get()), cudaSuccess);
  graphs.Run({1, 1, 1}, stream_.get(), [] {});
  EXPECT_EQ(graphs.recorded(), 1u);
}

INSTANTIATE_TEST_SUITE_P(One, GraphsTest, testing::Values(Elements::kFloat), ElementsName);

std::string ReadBytes(const std::string& name) {
  std::ifstream stream(std::string(CLIP_GRAPHS) + "/" + name, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
}

TEST(OnnxModel, ReadsNodesWeightsAndPorts) {
  OnnxModel model(std::string(CLIP_GRAPHS) + "/image.onnx");
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_STREQ(OnnxTypeName(model.inputs()[0].type), "uint8");
  EXPECT_EQ(model.inputs()[0].dims, (std::vector<int64_t>{-1, 16, 16, 3}));
  ASSERT_EQ(model.outputs().size(), 1u);
  EXPECT_EQ(model.outputs()[0].dims, (std::vector<int64_t>{-1, 12}));
  EXPECT_FALSE(model.nodes().empty());
  size_t bytes = 0;
  for (const auto& [name, tensor] : model.tensors()) bytes += tensor.bytes;
  EXPECT_GT(bytes, 1000u);
}

TEST(OnnxModel, RefusesAModelThatIsCutAnywhere) {
  std::string path = testing::TempDir() + "/cut.onnx", bytes = ReadBytes("text.onnx");
  ASSERT_GT(bytes.size(), 1000u);
  size_t step = bytes.size() / 400 + 1;
  for (size_t end = 0; end < bytes.size(); end += step) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(end));
    try {
      OnnxModel model(path);
      // A cut between two fields of the model itself leaves a whole graph.
      EXPECT_FALSE(model.outputs().empty()) << end;
    } catch (const clip::Error& error) {
      EXPECT_EQ(error.status(), CLIP_INVALID_ARGUMENT);
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
  remove(path.c_str());
}

// Whatever byte is wrong, the reader ends with an answer or an Error. (Run it with the address sanitizer.)
TEST(OnnxModel, SurvivesWrongBytes) {
  std::string path = testing::TempDir() + "/wrong.onnx", bytes = ReadBytes("text.onnx");
  clip::SessionOptions options;
  options.graph_path = path;
  options.tower = CLIP_TOWER_TEXT;
  int refused = 0;
  std::mt19937 engine(3);
  for (int time = 0; time < 500; ++time) {
    std::string wrong = bytes;
    for (int i = 0; i < 3; ++i) wrong[engine() % wrong.size()] = static_cast<char>(engine());
    std::ofstream(path, std::ios::binary).write(wrong.data(), static_cast<std::streamsize>(wrong.size()));
    try {
      OnnxModel model(path);
      clip::SessionInfo info;
      ReadTower(model, options, &info);
    } catch (const clip::Error& error) {
      ++refused;
      EXPECT_EQ(error.status(), CLIP_INVALID_ARGUMENT) << error.what();
    }
  }
  EXPECT_EQ(refused, 500);  // the graph of this test is no tower that clipd wrote
  remove(path.c_str());
}

}  // namespace
}  // namespace clip_test
