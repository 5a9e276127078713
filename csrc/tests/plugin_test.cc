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
  EXPECT_NE(std::string(error).find("speaks version 2"), std::string::npos) << error;
  EXPECT_EQ(MakeApi(CLIP_RUNTIME_ABI, NoRuntime, error, sizeof(error)), nullptr);
  EXPECT_STREQ(error, "libx.so is too old");
}

clip_status BatchStatus(uint32_t rows, uint32_t length, const SessionInfo& session, void* memory) {
  clip_batch batch = {sizeof(batch), rows, length, memory, static_cast<float*>(memory)};
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
  clip_batch batch = {sizeof(batch), 3, 5, &memory, &memory};
  Batch checked = CheckBatch(batch, any);
  EXPECT_EQ(checked.input_bytes, 3u * 5 * 5 * 3);
  EXPECT_EQ(checked.output_count, 12u);
  EXPECT_EQ(checked.shape, (std::vector<int64_t>{3, 5, 5, 3}));
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
  Signature loose{{{"in", "int32", {}, false}}, {{"out", "float32", {-1, 4}}}};
  expect(SignatureFault(CLIP_TOWER_TEXT, loose), "of any rank");
}

}  // namespace
}  // namespace clip
