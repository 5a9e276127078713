// TensorRT played by a few small classes behind its own interfaces, for tests without a GPU: a builder that
// remembers what it was told, engines that can be written and read, and contexts that compute a simple
// function of their inputs on the streams of the fake driver and complain where the real ones would fail or
// misbehave.
#ifndef CLIP_TESTS_TENSORRT_FAKE_TENSORRT_H_
#define CLIP_TESTS_TENSORRT_FAKE_TENSORRT_H_

#include <NvInfer.h>

#include <map>
#include <string>
#include <vector>

#include "api.h"
#include "profiles.h"

namespace clip_test {

struct FakePort {
  std::string name;
  nvinfer1::DataType type = nvinfer1::DataType::kINT32;
  std::vector<int64_t> shape;  // -1: dynamic
};

constexpr int64_t kFakeDim = 4;
constexpr int64_t kFakeScratch = 4096;

// The state behind the fakes. One at a time.
class FakeTensorRt {
 public:
  FakeTensorRt();
  ~FakeTensorRt();
  static FakeTensorRt& Now();

  clip::trt::Library library() const;

  // What the parser finds in any graph.
  std::vector<FakePort> inputs, outputs;
  void Pictures(int64_t size);
  void Texts();
  void PackedTexts();

  // What goes wrong.
  std::string parse_error, build_error, load_error, enqueue_error;
  bool capturable = true;
  int64_t extra_rows = 0;  // that the graph makes

  // What was seen.
  std::string parsed_graph, parsed_path, timings_given;
  std::vector<std::vector<clip::trt::Range>> built;  // profiles of the last engine
  int level = -1, aux_streams = -1, builds = 0, contexts = 0, enqueues = 0;
  bool tf32 = true;
  bool takes_timings = true;
  int live = 0;                         // objects
  std::vector<std::string> violations;  // of rules that the documentation states
  int32_t version_given = 0;

  // What a context computes for row r, column d of the output, given the inputs.
  static float Picture(const uint8_t* pixels, int64_t row_bytes, int64_t r, int64_t d);
  static float Text(const int32_t* ids, int64_t length, int64_t r, int64_t d);
  static float Packed(const int32_t* ids, const int32_t* positions, const int32_t* segments, int32_t end,
                      int64_t d);
};

}  // namespace clip_test

#endif  // CLIP_TESTS_TENSORRT_FAKE_TENSORRT_H_
