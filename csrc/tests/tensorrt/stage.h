// A machine with one GPU and TensorRT, both played, and a folder with graphs: the stage of the tests of
// sessions and lanes.
#ifndef CLIP_TESTS_TENSORRT_STAGE_H_
#define CLIP_TESTS_TENSORRT_STAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "fake_driver.h"
#include "fake_tensorrt.h"
#include "options.h"
#include "session.h"
#include "test_folder.h"

namespace clip_test {

class Stage : public TestFolder {
 protected:
  Stage() {
    Copy("image.onnx");
    Copy("image.bin");
    Copy("text.onnx");
  }

  // Everything that was handed out has come back, and no rule was broken.
  void TearDown() override {
    EXPECT_EQ(gpu_.Leaks(), "");
    EXPECT_EQ(tensorrt_.live, 0);
    EXPECT_EQ(tensorrt_.violations, std::vector<std::string>());
  }

  // Options for the image or the text tower, with a cache.
  clip::SessionOptions Options(clip_tower tower) {
    clip::SessionOptions options;
    options.graph_path = path(tower == CLIP_TOWER_IMAGE ? "image.onnx" : "text.onnx");
    options.cache_dir = path("");
    options.device = "cuda";
    options.tower = tower;
    options.max_rows = 16;
    options.max_length = 77;
    return options;
  }

  std::unique_ptr<clip::trt::TensorRtSession> NewSession(const clip::SessionOptions& options) {
    library_ = tensorrt_.library();
    return std::make_unique<clip::trt::TensorRtSession>(library_, gpu_.table(), options);
  }

  // What a session is refused with.
  std::string Refusal(const clip::SessionOptions& options, clip_status status) {
    char error[2048] = "";
    EXPECT_EQ(clip::AtEdge(error, sizeof(error), [&] { NewSession(options); }), status) << error;
    EXPECT_EQ(gpu_.Leaks(), "");
    EXPECT_EQ(tensorrt_.live, 0);
    return error;
  }

  FakeDriver gpu_;
  FakeTensorRt tensorrt_;
  clip::trt::Library library_;
};

inline bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace clip_test

#endif  // CLIP_TESTS_TENSORRT_STAGE_H_
