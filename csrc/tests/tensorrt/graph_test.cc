// What is read from ONNX files and put into them. ONNX Runtime says whether the result is still the same
// graph.
#include "graph.h"

#include <gtest/gtest.h>

#include "content.h"
#include "error.h"
#include "harness.h"
#include "test_folder.h"
#include "wire.h"

namespace clip_test {
namespace {

using clip::trt::GraphFacts;
using clip::trt::Mapped;
using clip::trt::wire::AddBytes;
using clip::trt::wire::AddVarint;

class Graphs : public TestFolder {
 protected:
  std::string Fault(const std::string& name) {
    char error[512] = "";
    clip_status status = clip::AtEdge(error, sizeof(error), [&] { clip::trt::ReadFacts(path(name)); });
    EXPECT_EQ(status, error[0] == '\0' ? CLIP_OK : CLIP_INVALID_ARGUMENT);
    return error;
  }

  // A graph with one weight of these dimensions and type.
  GraphFacts WithWeight(const std::vector<uint64_t>& dims, uint64_t type, bool packed, bool in_node) {
    std::string tensor, graph, model, all;
    for (uint64_t dim : dims) packed ? all.push_back(static_cast<char>(dim)) : AddVarint(&tensor, 1, dim);
    if (packed) AddBytes(&tensor, 1, all);
    AddVarint(&tensor, 2, type);
    if (in_node) {
      std::string attribute, node;
      AddBytes(&attribute, 5, tensor);
      AddBytes(&node, 5, attribute);
      AddBytes(&graph, 1, node);
    } else {
      AddBytes(&graph, 5, tensor);
    }
    AddBytes(&model, 7, graph);
    Write("made.onnx", model);
    return clip::trt::ReadFacts(path("made.onnx"));
  }
};

TEST_F(Graphs, FactsAreRead) {
  Copy("image.bin");
  GraphFacts image = clip::trt::ReadFacts(Copy("image.onnx"));
  EXPECT_EQ(image.precision, CLIP_PRECISION_FP32);
  EXPECT_EQ(image.byte_inputs, std::vector<std::string>{"pixels"});
  EXPECT_EQ(image.weight_files, std::vector<std::string>{"image.bin"});
  GraphFacts text = clip::trt::ReadFacts(Copy("text.onnx"));
  EXPECT_TRUE(text.byte_inputs.empty());
  EXPECT_TRUE(text.weight_files.empty());
}

TEST_F(Graphs, PrecisionIsThatOfTheMatrices) {
  for (bool packed : {false, true}) {
    for (bool in_node : {false, true}) {
      EXPECT_EQ(WithWeight({8, 100}, 16, packed, in_node).precision, CLIP_PRECISION_BF16);
      EXPECT_EQ(WithWeight({8, 100}, 10, packed, in_node).precision, CLIP_PRECISION_FP16);
      EXPECT_EQ(WithWeight({8, 100}, 1, packed, in_node).precision, CLIP_PRECISION_FP32);
      EXPECT_EQ(WithWeight({100}, 16, packed, in_node).precision, CLIP_PRECISION_FP32)
          << "a vector says nothing";
    }
  }
}

TEST_F(Graphs, DamageIsNoticed) {
  std::string good;
  {
    Mapped file(Copy("text.onnx"));
    good = file.bytes();
  }
  for (size_t part = 1; part <= 9; ++part) {
    Write("cut.onnx", good.substr(0, good.size() * part / 10));
    EXPECT_NE(Fault("cut.onnx").find(path("cut.onnx")), std::string::npos) << Fault("cut.onnx");
  }
  Write("cut.onnx", "");
  EXPECT_NE(Fault("cut.onnx").find("no graph"), std::string::npos);
  Write("cut.onnx", "not a graph");
  EXPECT_NE(Fault("cut.onnx"), "");
  Write("cut.onnx", std::string(20, '\xFF'));
  EXPECT_NE(Fault("cut.onnx"), "");
  EXPECT_NE(Fault("nowhere.onnx").find("nowhere.onnx"), std::string::npos);
}

TEST_F(Graphs, HashesFollowTheContentOfGraphAndWeights) {
  std::string graph = Copy("image.onnx");
  Copy("image.bin");
  GraphFacts facts = clip::trt::ReadFacts(graph);
  std::string first = clip::trt::ContentHash(graph, facts.weight_files);
  EXPECT_EQ(first.size(), 16u);
  Copy("image.bin");  // written again
  EXPECT_EQ(clip::trt::ContentHash(graph, facts.weight_files), first);
  std::string weights = Read("image.bin");
  for (size_t at : {size_t{0}, weights.size() / 2, weights.size() - 1}) {
    std::string changed = weights;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    Write("image.bin", changed);
    EXPECT_NE(clip::trt::ContentHash(graph, facts.weight_files), first) << at;
  }
  std::filesystem::remove(path("image.bin"));
  EXPECT_THROW(clip::trt::ContentHash(graph, facts.weight_files), clip::Error);
  EXPECT_NE(clip::trt::Hash("ab"), clip::trt::Hash("ba"));
  EXPECT_NE(clip::trt::Hash(std::string(32, 'a')), clip::trt::Hash(std::string(64, 'a')));
}

TEST_F(Graphs, TheCastBehindBytesChangesNothing) {
  Copy("image.bin");
  GraphFacts facts = clip::trt::ReadFacts(Copy("image.onnx"));
  std::string made = clip::trt::ForTensorRt(Mapped(path("image.onnx")).bytes(), facts);
  EXPECT_NE(made.find("pixels/clipd_fp16"), std::string::npos);
  Write("cast.onnx", made);
  const clip_runtime_api* api = Open("onnxruntime");
  ASSERT_NE(api, nullptr);
  Sessions sessions(api);
  Outcome outcome = sessions.Create(Options(path("cast.onnx"), CLIP_TOWER_IMAGE));
  ASSERT_EQ(outcome.status, CLIP_OK) << outcome.text;
  std::vector<float> output(kImageRows * kDim);
  outcome = sessions.Run(sessions.NewLane(), kImageRows, kImageSize,
                         clip_test::Read<uint8_t>("image.input").data(), output.data());
  ASSERT_EQ(outcome.status, CLIP_OK) << outcome.text;
  EXPECT_LT(Difference(output, clip_test::Read<float>("image.output")), 1e-4);
  // A graph without bytes is left as it is.
  facts = clip::trt::ReadFacts(Copy("text.onnx"));
  EXPECT_EQ(clip::trt::ForTensorRt(Mapped(path("text.onnx")).bytes(), facts), Read("text.onnx"));
}

}  // namespace
}  // namespace clip_test
