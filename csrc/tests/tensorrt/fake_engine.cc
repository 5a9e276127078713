// The half that runs: runtime, engines, contexts.
#include <cstring>
#include <map>
#include <memory>
#include <sstream>

#include "fake_objects.h"

namespace clip_test {
namespace {

using clip::trt::Range;
using clip::trt::Shape;
using nvinfer1::Dims;

void Violation(const std::string& text) { FakeTensorRt::Now().violations.push_back(text); }

void Write(std::ostream& to, const Shape& shape) {
  to << ' ' << shape.size();
  for (int64_t dimension : shape) to << ' ' << dimension;
}

Shape ReadShape(std::istream& from) {
  size_t rank = 0;
  from >> rank;
  Shape shape(from ? rank : 0);
  for (int64_t& dimension : shape) from >> dimension;
  return shape;
}

class FakeEngine;

class FakeContext : public nvinfer1::IExecutionContext, public nvinfer1::StubVExecutionContext, Counted {
 public:
  explicit FakeContext(const FakeEngine& engine);
  ~FakeContext() override;
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t) noexcept override;
  bool setInputShape(const char* name, const Dims& dims) noexcept override;
  bool setTensorAddress(const char* name, void* address) noexcept override {
    Touch();
    addresses_[name] = address;
    return address != nullptr;
  }
  void setDeviceMemoryV2(void* memory, int64_t bytes) noexcept override {
    Touch();
    if (memory == nullptr || bytes < kFakeScratch) Violation("too little scratch memory");
    scratch_ = memory;
  }
  Dims getTensorShape(const char* name) const noexcept override;
  bool enqueueV3(cudaStream_t stream) noexcept override;

 private:
  // A context that a graph was captured from must stay as it is.
  void Touch() {
    if (captured_) Violation("a captured context is changed");
  }
  int64_t Rows() const;

  const FakeEngine& engine_;
  int profile_ = 0;
  std::map<std::string, Shape> shapes_;
  std::map<std::string, void*> addresses_;
  void* scratch_ = nullptr;
  bool fresh_ = true;  // shapes have changed since the last run
  bool captured_ = false;
  std::shared_ptr<int> busy_ = std::make_shared<int>(0);
};

class FakeEngine : public nvinfer1::ICudaEngine, public nvinfer1::StubVCudaEngine, Counted {
 public:
  FakeEngine(std::vector<FakePort> ports, size_t inputs, std::vector<std::vector<Range>> profiles)
      : ports_(std::move(ports)), inputs_(inputs), profiles_(std::move(profiles)) {
    mImpl = this;
  }
  ~FakeEngine() override {
    if (contexts != 0) Violation("an engine is freed before its contexts");
    if (FakeDriver::Now().current == 0) Violation("an engine is freed without a device");
  }
  int32_t getNbIOTensors() const noexcept override { return static_cast<int32_t>(ports_.size()); }
  const char* getIOTensorName(int32_t i) const noexcept override {
    return ports_[static_cast<size_t>(i)].name.c_str();
  }
  nvinfer1::TensorIOMode getTensorIOMode(const char* name) const noexcept override {
    return Index(name) < inputs_ ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
  }
  nvinfer1::DataType getTensorDataType(const char* name) const noexcept override {
    return ports_[Index(name)].type;
  }
  Dims getTensorShape(const char* name) const noexcept override {
    return clip::trt::DimsOf(ports_[Index(name)].shape);
  }
  int32_t getNbOptimizationProfiles() const noexcept override {
    return static_cast<int32_t>(profiles_.size());
  }
  Dims getProfileShape(const char* name, int32_t profile,
                       nvinfer1::OptProfileSelector which) const noexcept override {
    const Range& range = profiles_[static_cast<size_t>(profile)][Index(name)];
    return clip::trt::DimsOf(which == nvinfer1::OptProfileSelector::kMIN   ? range.least
                             : which == nvinfer1::OptProfileSelector::kOPT ? range.best
                                                                           : range.most);
  }
  int64_t getDeviceMemorySizeV2() const noexcept override { return kFakeScratch; }
  nvinfer1::IExecutionContext* createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override {
    if (strategy != nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED)
      Violation("memory for each context");
    if (FakeDriver::Now().current == 0) Violation("a context without a device");
    ++FakeTensorRt::Now().contexts;
    return new FakeContext(*this);
  }

  size_t Index(const std::string& name) const {
    size_t i = 0;
    while (i < ports_.size() && ports_[i].name != name) ++i;
    return i;
  }
  const std::vector<FakePort>& ports() const { return ports_; }
  size_t inputs() const { return inputs_; }
  const std::vector<std::vector<Range>>& profiles() const { return profiles_; }
  mutable int contexts = 0;

 private:
  std::vector<FakePort> ports_;
  size_t inputs_;
  std::vector<std::vector<Range>> profiles_;
};

FakeContext::FakeContext(const FakeEngine& engine) : engine_(engine) {
  mImpl = this;
  ++engine_.contexts;
}

FakeContext::~FakeContext() {
  --engine_.contexts;
  if (*busy_ != 0) Violation("a context is freed while the stream uses it");
  if (FakeDriver::Now().current == 0) Violation("a context is freed without a device");
}

bool FakeContext::setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) noexcept {
  Touch();
  if (stream == nullptr) Violation("a profile on the default stream");
  profile_ = profile;
  shapes_.clear();
  return profile >= 0 && static_cast<size_t>(profile) < engine_.profiles().size();
}

bool FakeContext::setInputShape(const char* name, const Dims& dims) noexcept {
  Touch();
  const Range& range = engine_.profiles()[static_cast<size_t>(profile_)].at(engine_.Index(name));
  Shape shape = clip::trt::ShapeOf(dims);
  if (shape.size() != range.most.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < range.least[i] || shape[i] > range.most[i]) return false;
  }
  fresh_ = fresh_ || shapes_[name] != shape;
  shapes_[name] = shape;
  return true;
}

int64_t FakeContext::Rows() const {
  auto ends = shapes_.find("ends");
  const Shape& shape = ends != shapes_.end() ? ends->second : shapes_.begin()->second;
  return shape[0];
}

Dims FakeContext::getTensorShape(const char* name) const noexcept {
  if (engine_.Index(name) < engine_.inputs()) return clip::trt::DimsOf(shapes_.at(name));
  return clip::trt::DimsOf({Rows() + FakeTensorRt::Now().extra_rows, kFakeDim});
}

bool FakeContext::enqueueV3(cudaStream_t stream) noexcept {
  FakeTensorRt& state = FakeTensorRt::Now();
  FakeDriver& driver = FakeDriver::Now();
  ++state.enqueues;
  driver.log.push_back("enqueue " + std::to_string(profile_));
  if (!state.enqueue_error.empty()) {
    clip::trt::TheLog().log(nvinfer1::ILogger::Severity::kERROR, state.enqueue_error.c_str());
    return false;
  }
  if (stream == nullptr) Violation("the default stream");
  if (scratch_ == nullptr) Violation("no scratch memory");
  if (shapes_.size() != engine_.inputs() || addresses_.size() != engine_.ports().size()) {
    Violation("an input without shape or address");
    return false;
  }
  if (stream->capture != nullptr) {
    if (fresh_) Violation("a capture right after a change of shapes");
    if (!state.capturable) {
      stream->broken = true;
      clip::trt::TheLog().log(nvinfer1::ILogger::Severity::kERROR,
                              "operation not permitted when stream is capturing");
      return false;
    }
    captured_ = true;
  }
  fresh_ = false;
  auto shapes = shapes_;
  auto addresses = addresses_;
  int64_t rows = Rows();
  std::string output = engine_.ports()[engine_.inputs()].name;
  void* scratch = scratch_;
  bool counted = stream->capture == nullptr;
  if (counted) ++*busy_;
  return driver.Launch(stream, [=, busy = busy_] {
    std::memset(scratch, 0x55, kFakeScratch);  // it is there
    auto* out = static_cast<float*>(addresses.at(output));
    auto ints = [&](const char* name) { return static_cast<const int32_t*>(addresses.at(name)); };
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t d = 0; d < kFakeDim; ++d) {
        float value;
        if (addresses.count("ends")) {
          value = FakeTensorRt::Packed(ints("ids"), ints("positions"), ints("segments"), ints("ends")[r], d);
        } else if (addresses.count("pixels")) {
          const Shape& shape = shapes.at("pixels");
          value = FakeTensorRt::Picture(static_cast<const uint8_t*>(addresses.at("pixels")),
                                        shape[1] * shape[2] * shape[3], r, d);
        } else {
          value = FakeTensorRt::Text(ints(shapes.begin()->first.c_str()), shapes.begin()->second[1], r, d);
        }
        out[r * kFakeDim + d] = value;
      }
    }
    if (counted) --*busy;
  });
}

class FakeRuntime : public nvinfer1::IRuntime, public nvinfer1::StubVRuntime, Counted {
 public:
  explicit FakeRuntime(nvinfer1::ILogger* logger) : logger_(logger) { mImpl = this; }
  nvinfer1::ICudaEngine* deserializeCudaEngine(const void* data, size_t size) noexcept override {
    if (FakeDriver::Now().current == 0) Violation("an engine is loaded without a device");
    std::istringstream from(std::string(static_cast<const char*>(data), size));
    std::string magic;
    size_t inputs = 0, outputs = 0, profiles = 0;
    from >> magic >> inputs >> outputs >> profiles;
    std::string fault = FakeTensorRt::Now().load_error;
    if (magic != "plan")
      fault = "Serialization assertion plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed";
    if (!fault.empty()) {
      logger_->log(nvinfer1::ILogger::Severity::kERROR, fault.c_str());
      return nullptr;
    }
    std::vector<FakePort> ports(inputs + outputs);
    for (FakePort& port : ports) {
      int type = 0;
      from >> port.name >> type;
      port.type = static_cast<nvinfer1::DataType>(type);
      port.shape = ReadShape(from);
    }
    std::vector<std::vector<Range>> ranges(profiles, std::vector<Range>(inputs));
    for (auto& profile : ranges) {
      for (Range& range : profile) range = {ReadShape(from), ReadShape(from), ReadShape(from)};
    }
    return new FakeEngine(std::move(ports), inputs, std::move(ranges));
  }

 private:
  nvinfer1::ILogger* logger_;
};

}  // namespace

std::string PlanOf(const std::vector<FakePort>& inputs, const std::vector<FakePort>& outputs,
                   const std::vector<std::vector<Range>>& profiles) {
  std::ostringstream to;
  to << "plan " << inputs.size() << ' ' << outputs.size() << ' ' << profiles.size();
  for (const auto* ports : {&inputs, &outputs}) {
    for (const FakePort& port : *ports) {
      to << ' ' << port.name << ' ' << static_cast<int>(port.type);
      Write(to, port.shape);
    }
  }
  for (const auto& profile : profiles) {
    for (const Range& range : profile) {
      for (const Shape* shape : {&range.least, &range.best, &range.most}) Write(to, *shape);
    }
  }
  return to.str();
}

nvinfer1::IRuntime* NewFakeRuntime(nvinfer1::ILogger* logger) { return new FakeRuntime(logger); }

float FakeTensorRt::Picture(const uint8_t* pixels, int64_t row_bytes, int64_t r, int64_t d) {
  float sum = 0;
  for (int64_t i = 0; i < row_bytes; ++i) sum += static_cast<float>(pixels[r * row_bytes + i]);
  return sum + static_cast<float>(d);
}

float FakeTensorRt::Text(const int32_t* ids, int64_t length, int64_t r, int64_t d) {
  float sum = 0;
  for (int64_t i = 0; i < length; ++i) sum += static_cast<float>(ids[r * length + i]);
  return sum + static_cast<float>(d);
}

float FakeTensorRt::Packed(const int32_t* ids, const int32_t* positions, const int32_t* segments, int32_t end,
                           int64_t d) {
  return static_cast<float>(ids[end] * 1000 + positions[end] * 100 + segments[end] * 10 + d);
}

}  // namespace clip_test
