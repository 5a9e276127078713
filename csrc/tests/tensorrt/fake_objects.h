// What both halves of the fake TensorRT share.
#ifndef CLIP_TESTS_TENSORRT_FAKE_OBJECTS_H_
#define CLIP_TESTS_TENSORRT_FAKE_OBJECTS_H_

#include <string>
#include <utility>
#include <vector>

#include "fake_driver.h"
#include "fake_tensorrt.h"
#include "network.h"
#include "stubs.h"

namespace clip_test {

// Counts itself among the live objects.
class Counted {
 public:
  Counted();
  ~Counted();
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

class FakeMemory : public nvinfer1::IHostMemory, public nvinfer1::StubVHostMemory, Counted {
 public:
  explicit FakeMemory(std::string bytes) : bytes_(std::move(bytes)) { mImpl = this; }
  void* data() const noexcept override { return const_cast<char*>(bytes_.data()); }
  size_t size() const noexcept override { return bytes_.size(); }

 private:
  std::string bytes_;
};

// An engine as text.
std::string PlanOf(const std::vector<FakePort>& inputs, const std::vector<FakePort>& outputs,
                   const std::vector<std::vector<clip::trt::Range>>& profiles);
nvinfer1::IRuntime* NewFakeRuntime(nvinfer1::ILogger* logger);

}  // namespace clip_test

#endif  // CLIP_TESTS_TENSORRT_FAKE_OBJECTS_H_
