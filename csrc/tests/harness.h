// Calls of the C ABI as a program makes them, for tests.
#ifndef CLIP_TESTS_HARNESS_H_
#define CLIP_TESTS_HARNESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "clip_runtime.h"

namespace clip_test {

constexpr uint32_t kDim = 12, kImageRows = 3, kImageSize = 16, kTextRows = 4, kTextLength = 9;

// The runtimes that the tests run on. OpenVINO opens a library with RTLD_DEEPBIND, which ends a program that
// is built with the address sanitizer; with the other sanitizers it runs.
inline const std::vector<const char*>& Runtimes() {
#ifdef __SANITIZE_ADDRESS__
  static const std::vector<const char*> all = {"onnxruntime"};
#else
  static const std::vector<const char*> all = {"openvino", "onnxruntime"};
#endif
  return all;
}

std::string GraphPath(const std::string& name);

// The whole of a file in the folder of graphs; fails the test when it cannot be read.
template <typename T>
std::vector<T> Read(const std::string& name);

// Opens libclip_<name>.so; fails the test when it cannot be opened.
const clip_runtime_api* Open(const std::string& name);

// A status and the sentence that came with it.
struct Outcome {
  clip_status status = CLIP_OK;
  std::string text;
};

clip_session_options Options(const std::string& graph, clip_tower tower,
                             clip_precision precision = CLIP_PRECISION_FP32);

// A session with its lanes, destroyed in the right order.
class Sessions {
 public:
  explicit Sessions(const clip_runtime_api* api) : api_(api) {}
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  Outcome Create(const clip_session_options& options);
  clip_lane* NewLane();
  Outcome Run(clip_lane* lane, uint32_t rows, uint32_t length, const void* input, float* output);
  const clip_session_info& info() const { return info_; }
  clip_session* session() const { return session_; }

 private:
  const clip_runtime_api* api_;
  clip_session* session_ = nullptr;
  clip_session_info info_ = {};
  std::vector<clip_lane*> lanes_;
};

// The largest difference between two vectors.
float Difference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace clip_test

#endif  // CLIP_TESTS_HARNESS_H_
