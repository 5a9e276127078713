// The part that all runtimes share, without any of them.
#include "plugin.h"

#include <gtest/gtest.h>

#include <climits>
#include <string>

#include "options.h"

namespace clip {
namespace {

TEST(WriteError, CutsAtACharacterAndKeepsOneLine) {
  char buffer[8];
  WriteError("one\ntwo\nthree", buffer, sizeof(buffer));
  EXPECT_STREQ(buffer, "one two");
  WriteError("12345\xC3\xA4z", buffer, sizeof(buffer));  // the 2 bytes of an umlaut fit, z does not
  EXPECT_STREQ(buffer, "12345\xC3\xA4");
  WriteError("123456\xC3\xA4", buffer, sizeof(buffer));  // only one of them fits
  EXPECT_STREQ(buffer, "123456");
  WriteError("text", buffer, 1);
  EXPECT_STREQ(buffer, "");
  WriteError("text", nullptr, 8);
  WriteError("\n", buffer, sizeof(buffer));
  EXPECT_STREQ(buffer, "");
}

TEST(AtEdge, TurnsWhateverIsThrownIntoAStatus) {
  char error[32];
  EXPECT_EQ(AtEdge(error, sizeof(error), [] {}), CLIP_OK);
  EXPECT_EQ(AtEdge(error, sizeof(error), [] { Fail(CLIP_UNAVAILABLE, "no ", 7); }), CLIP_UNAVAILABLE);
  EXPECT_STREQ(error, "no 7");
  EXPECT_EQ(AtEdge(error, sizeof(error), [] { throw std::bad_alloc(); }), CLIP_OUT_OF_MEMORY);
  EXPECT_STREQ(error, "out of memory");
  EXPECT_EQ(AtEdge(error, sizeof(error), [] { throw std::runtime_error("broke"); }), CLIP_INTERNAL);
  EXPECT_STREQ(error, "broke");
  EXPECT_EQ(AtEdge(error, sizeof(error), [] { throw 7; }), CLIP_INTERNAL);
  EXPECT_EQ(AtEdge(nullptr, 0, [] { throw 7; }), CLIP_INTERNAL);
}

Runtime* NoRuntime() { Fail(CLIP_UNAVAILABLE, "libx.so is too old"); }

TEST(MakeApi, RefusesAnotherVersionAndALibraryThatDoesNotStart) {
  char error[256] = "";
  EXPECT_EQ(MakeApi(CLIP_RUNTIME_ABI + 1, NoRuntime, error, sizeof(error)), nullptr);
  EXPECT_NE(std::string(error).find("speaks version 3"), std::string::npos) << error;
  EXPECT_EQ(MakeApi(CLIP_RUNTIME_ABI, NoRuntime, error, sizeof(error)), nullptr);
  EXPECT_STREQ(error, "libx.so is too old");
}

clip_status BatchStatus(uint32_t rows, uint32_t length, const SessionInfo& session, void* memory) {
  clip_batch batch = {sizeof(batch), rows,    length, memory, static_cast<float*>(memory), 0,
                      nullptr,       nullptr, nullptr};
  return AtEdge(nullptr, 0, [&] { CheckBatch(batch, session); });
}

TEST(CheckBatch, KnowsWrongSizesAndOverflow) {
  float memory = 0;
  SessionInfo text, image, any;
  text.tower = CLIP_TOWER_TEXT;
  text.dim = image.dim = any.dim = 4;
  image.image_size = 224;
  EXPECT_EQ(BatchStatus(1, 1, text, &memory), CLIP_OK);
  EXPECT_EQ(BatchStatus(0, 1, text, &memory), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(1, 0, text, &memory), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(1, 1, text, nullptr), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(UINT32_MAX, UINT32_MAX, text, &memory), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(2, 224, image, &memory), CLIP_OK);
  EXPECT_EQ(BatchStatus(2, 225, image, &memory), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(2, 225, any, &memory), CLIP_OK);
  EXPECT_EQ(BatchStatus(1, UINT32_MAX, any, &memory), CLIP_INVALID_ARGUMENT);
  EXPECT_EQ(BatchStatus(UINT32_MAX, UINT32_MAX, any, &memory), CLIP_INVALID_ARGUMENT);
  clip_batch batch = {sizeof(batch), 3, 5, &memory, &memory, 0, nullptr, nullptr, nullptr};
  Batch checked = CheckBatch(batch, any);
  ASSERT_EQ(checked.inputs.size(), 1u);
  EXPECT_EQ(checked.inputs[0].bytes, 3u * 5 * 5 * 3);
  EXPECT_EQ(checked.output_count, 12u);
  EXPECT_EQ(checked.inputs[0].shape, (std::vector<int64_t>{3, 5, 5, 3}));
}

TEST(CheckBatch, TakesPackedTextsWhereTheGraphDoes) {
  SessionInfo packing, padding;
  packing.tower = padding.tower = CLIP_TOWER_TEXT;
  packing.dim = padding.dim = 4;
  packing.packs = true;
  int32_t tokens[12] = {}, ends[3] = {2, 5, 11};
  float output[12];
  clip_batch good = {sizeof(good), 3, 6, tokens, output, 2, tokens, tokens, ends};
  auto fault = [](const clip_batch& batch, const SessionInfo& session) {
    char error[256] = "";
    AtEdge(error, sizeof(error), [&] { CheckBatch(batch, session); });
    return std::string(error);
  };
  EXPECT_EQ(fault(good, packing), "");
  Batch checked = CheckBatch(good, packing);
  ASSERT_EQ(checked.inputs.size(), 4u);
  EXPECT_EQ(checked.inputs[2].shape, (std::vector<int64_t>{2, 6}));
  EXPECT_EQ(checked.inputs[3].shape, (std::vector<int64_t>{3}));
  EXPECT_EQ(checked.inputs[3].bytes, 12u);
  EXPECT_EQ(checked.output_count, 12u);
  EXPECT_NE(fault(good, padding).find("one in each line"), std::string::npos);
  clip_batch bad = good;
  bad.segments = nullptr;
  EXPECT_NE(fault(bad, packing).find("missing"), std::string::npos);
  bad = good;
  bad.lines = 0;
  EXPECT_NE(fault(bad, packing).find("missing"), std::string::npos);
  bad = good;
  ends[2] = 12;
  EXPECT_NE(fault(bad, packing).find("ends[2] is 12"), std::string::npos) << fault(bad, packing);
  ends[2] = -1;
  EXPECT_NE(fault(bad, packing).find("ends[2] is -1"), std::string::npos) << fault(bad, packing);
  ends[2] = 11;
  bad.lines = UINT32_MAX;
  bad.length = UINT32_MAX;
  EXPECT_NE(fault(bad, packing).find("does not fit"), std::string::npos) << fault(bad, packing);
}

std::string SignatureFault(clip_tower tower, const Signature& signature) {
  SessionOptions options;
  options.tower = tower;
  options.graph_path = "x.onnx";
  SessionInfo session;
  char error[512] = "";
  clip_status status = AtEdge(error, sizeof(error), [&] { CheckSignature(signature, options, &session); });
  EXPECT_EQ(status, error[0] == '\0' ? CLIP_OK : CLIP_INVALID_ARGUMENT);
  return error;
}

TEST(CheckSignature, TakesOnlyTowers) {
  auto fault = [](clip_tower tower, const char* type, Shape in, const char* out_type, Shape out) {
    return SignatureFault(tower, Signature{{{"in", type, in}}, {{"out", out_type, out}}});
  };
  auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_EQ(fault(CLIP_TOWER_IMAGE, "uint8", {-1, 224, 224, 3}, "float32", {-1, 512}), "");
  EXPECT_EQ(fault(CLIP_TOWER_IMAGE, "uint8", {-1, -1, -1, 3}, "float32", {-1, 512}), "");
  EXPECT_EQ(fault(CLIP_TOWER_TEXT, "int32", {-1, -1}, "float32", {-1, 512}), "");
  expect(fault(CLIP_TOWER_IMAGE, "float32", {-1, 3, 224, 224}, "float32", {-1, 512}),
         "float32 [?, 3, 224, 224]");
  expect(fault(CLIP_TOWER_IMAGE, "uint8", {-1, 3, 224, 224}, "float32", {-1, 512}), "channels last");
  expect(fault(CLIP_TOWER_IMAGE, "uint8", {1, 224, 224, 3}, "float32", {1, 512}), "number of rows");
  expect(fault(CLIP_TOWER_TEXT, "int32", {-1, 77}, "float32", {-1, 512}), "fixes the length");
  expect(fault(CLIP_TOWER_TEXT, "int32", {-1, -1}, "float16", {-1, 512}), "float16");
  expect(fault(CLIP_TOWER_TEXT, "int32", {-1, -1}, "float32", {-1, -1}), "fixed dim");
  expect(fault(CLIP_TOWER_TEXT, "int32", {-1, -1}, "float32", {-1, 7, 512}), "fixed dim");
  expect(SignatureFault(CLIP_TOWER_TEXT, {}), "inputs");
  Signature packed{{{"ids", "int32", {-1, -1}},
                    {"positions", "int32", {-1, -1}},
                    {"segments", "int32", {-1, -1}},
                    {"ends", "int32", {-1}}},
                   {{"out", "float32", {-1, 4}}}};
  EXPECT_EQ(SignatureFault(CLIP_TOWER_TEXT, packed), "");
  expect(SignatureFault(CLIP_TOWER_IMAGE, packed), "segments");
  packed.inputs[3].name = "offsets";
  expect(SignatureFault(CLIP_TOWER_TEXT, packed), "offsets");
  Signature loose{{{"in", "int32", {}, false}}, {{"out", "float32", {-1, 4}}}};
  expect(SignatureFault(CLIP_TOWER_TEXT, loose), "of any rank");
}

}  // namespace
}  // namespace clip
