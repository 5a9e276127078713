// The builder's half: networks, configurations, profiles, the parser.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "fake_objects.h"

void NotPlayed(const char* call) {
  fprintf(stderr, "the fake does not play %s\n", call);
  abort();
}

namespace clip_test {
namespace {

using nvinfer1::Dims;

FakeTensorRt* now = nullptr;

class FakeTensor : public nvinfer1::ITensor, public nvinfer1::StubVTensor, Counted {
 public:
  explicit FakeTensor(FakePort port) : port_(std::move(port)) { mImpl = this; }
  const char* getName() const noexcept override { return port_.name.c_str(); }
  nvinfer1::DataType getType() const noexcept override { return port_.type; }
  Dims getDimensions() const noexcept override { return clip::trt::DimsOf(port_.shape); }

 private:
  FakePort port_;
};

class FakeNetwork : public nvinfer1::INetworkDefinition, public nvinfer1::StubVNetworkDefinition, Counted {
 public:
  FakeNetwork() { mImpl = this; }
  void Parsed() {
    for (const FakePort& port : now->inputs) inputs_.push_back(std::make_unique<FakeTensor>(port));
    for (const FakePort& port : now->outputs) outputs_.push_back(std::make_unique<FakeTensor>(port));
  }
  int32_t getNbInputs() const noexcept override { return static_cast<int32_t>(inputs_.size()); }
  int32_t getNbOutputs() const noexcept override { return static_cast<int32_t>(outputs_.size()); }
  nvinfer1::ITensor* getInput(int32_t i) const noexcept override {
    return inputs_[static_cast<size_t>(i)].get();
  }
  nvinfer1::ITensor* getOutput(int32_t i) const noexcept override {
    return outputs_[static_cast<size_t>(i)].get();
  }

 private:
  std::vector<std::unique_ptr<FakeTensor>> inputs_, outputs_;
};

class FakeProfile : public nvinfer1::IOptimizationProfile,
                    public nvinfer1::StubVOptimizationProfile,
                    Counted {
 public:
  FakeProfile() { mImpl = this; }
  ~FakeProfile() override = default;
  bool setDimensions(const char* name, nvinfer1::OptProfileSelector which,
                     const Dims& dims) noexcept override {
    for (size_t i = 0; i < now->inputs.size(); ++i) {
      if (now->inputs[i].name != name) continue;
      ranges.resize(now->inputs.size());
      clip::trt::Shape shape = clip::trt::ShapeOf(dims);
      for (size_t d = 0; d < shape.size(); ++d) {
        int64_t fixed = now->inputs[i].shape[d];
        if (fixed >= 0 && fixed != shape[d]) return false;
      }
      auto& range = ranges[i];
      (which == nvinfer1::OptProfileSelector::kMIN   ? range.least
       : which == nvinfer1::OptProfileSelector::kOPT ? range.best
                                                     : range.most) = shape;
      return shape.size() == now->inputs[i].shape.size();
    }
    return false;
  }
  std::vector<clip::trt::Range> ranges;
};

class FakeTimings : public nvinfer1::ITimingCache, public nvinfer1::StubVTimingCache, Counted {
 public:
  FakeTimings() { mImpl = this; }
  nvinfer1::IHostMemory* serialize() const noexcept override { return new FakeMemory("timings"); }
};

class FakeConfig : public nvinfer1::IBuilderConfig, public nvinfer1::StubVBuilderConfig, Counted {
 public:
  FakeConfig() { mImpl = this; }
  void clearFlag(nvinfer1::BuilderFlag flag) noexcept override {
    if (flag == nvinfer1::BuilderFlag::kTF32) now->tf32 = false;
  }
  void setBuilderOptimizationLevel(int32_t level) noexcept override { now->level = level; }
  // void in 10, bool since 11.
  using Taken = decltype(std::declval<nvinfer1::StubVBuilderConfig&>().setMaxAuxStreams(0));
  Taken setMaxAuxStreams(int32_t count) noexcept override {
    now->aux_streams = count;
    return static_cast<Taken>(true);
  }
  void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept override { monitor_ = monitor; }
  int32_t addOptimizationProfile(const nvinfer1::IOptimizationProfile* profile) noexcept override {
    profiles.push_back(static_cast<const FakeProfile*>(profile)->ranges);
    return static_cast<int32_t>(profiles.size()) - 1;
  }
  nvinfer1::ITimingCache* createTimingCache(const void* data, size_t size) const noexcept override {
    now->timings_given.assign(static_cast<const char*>(data), size);
    return new FakeTimings;
  }
  bool setTimingCache(const nvinfer1::ITimingCache&, bool ignore_mismatch) noexcept override {
    if (ignore_mismatch) now->violations.push_back("timings of another GPU are taken");
    return now->takes_timings || now->timings_given.empty();
  }
  std::vector<std::vector<clip::trt::Range>> profiles;

 private:
  nvinfer1::IProgressMonitor* monitor_ = nullptr;
};

class FakeBuilder : public nvinfer1::IBuilder, public nvinfer1::StubVBuilder, Counted {
 public:
  explicit FakeBuilder(nvinfer1::ILogger* logger) : logger_(logger) { mImpl = this; }
  nvinfer1::INetworkDefinition* createNetworkV2(uint32_t flags) noexcept override {
    // Strongly typed: the only kind since 11, a flag (bit 1) before.
    if (flags != (NV_TENSORRT_MAJOR >= 11 ? 0u : 2u)) now->violations.push_back("flags of a network");
    return new FakeNetwork;
  }
  nvinfer1::IBuilderConfig* createBuilderConfig() noexcept override { return new FakeConfig; }
  nvinfer1::IOptimizationProfile* createOptimizationProfile() noexcept override {
    profiles_.push_back(std::make_unique<FakeProfile>());
    return profiles_.back().get();
  }
  bool setMaxThreads(int32_t count) noexcept override { return count > 0; }
  nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition&,
                                                nvinfer1::IBuilderConfig& config) noexcept override {
    if (FakeDriver::Now().current == 0) now->violations.push_back("a build without a device");
    ++now->builds;
    now->built = static_cast<FakeConfig&>(config).profiles;
    if (now->build_error.empty()) return new FakeMemory(PlanOf(now->inputs, now->outputs, now->built));
    logger_->log(nvinfer1::ILogger::Severity::kERROR, now->build_error.c_str());
    return nullptr;
  }

 private:
  nvinfer1::ILogger* logger_;
  std::vector<std::unique_ptr<FakeProfile>> profiles_;
};

class FakeParserError : public nvonnxparser::StubIParserError {
 public:
  const char* desc() const override { return now->parse_error.c_str(); }
  const char* nodeName() const override { return "Slice_3"; }
  const char* nodeOperator() const override { return "Slice"; }
};

class FakeParser : public nvonnxparser::StubIParser, Counted {
 public:
  explicit FakeParser(FakeNetwork* network) : network_(network) {}
  bool parse(const void* data, size_t size, const char* path) noexcept override {
    now->parsed_graph.assign(static_cast<const char*>(data), size);
    now->parsed_path = path;
    if (!now->parse_error.empty()) return false;
    network_->Parsed();
    return true;
  }
  int getNbErrors() const noexcept override { return now->parse_error.empty() ? 0 : 1; }
  const nvonnxparser::IParserError* getError(int) const noexcept override { return &error_; }

 private:
  FakeNetwork* network_;
  FakeParserError error_;
};

}  // namespace

Counted::Counted() { ++now->live; }
Counted::~Counted() { --now->live; }

FakeTensorRt::FakeTensorRt() {
  now = this;
  Texts();
}
FakeTensorRt::~FakeTensorRt() { now = nullptr; }
FakeTensorRt& FakeTensorRt::Now() { return *now; }

void FakeTensorRt::Pictures(int64_t size) {
  inputs = {{"pixels", nvinfer1::DataType::kUINT8, {-1, size, size, 3}}};
  outputs = {{"embedding", nvinfer1::DataType::kFLOAT, {-1, kFakeDim}}};
}

void FakeTensorRt::Texts() {
  inputs = {{"input_ids", nvinfer1::DataType::kINT32, {-1, -1}}};
  outputs = {{"embedding", nvinfer1::DataType::kFLOAT, {-1, kFakeDim}}};
}

// In another order than clip_batch's, as TensorRT may give it.
void FakeTensorRt::PackedTexts() {
  inputs.clear();
  for (const char* name : {"ends", "segments", "ids", "positions"}) {
    inputs.push_back({name, nvinfer1::DataType::kINT32, {-1, -1}});
  }
  inputs[0].shape = {-1};
  outputs = {{"embedding", nvinfer1::DataType::kFLOAT, {-1, kFakeDim}}};
}

clip::trt::Library FakeTensorRt::library() const {
  clip::trt::Library library;
  library.number = NV_TENSORRT_MAJOR * 10000 + 400;
  library.create_builder = [](void* logger, int32_t version) -> void* {
    now->version_given = version;
    return static_cast<nvinfer1::IBuilder*>(new FakeBuilder(static_cast<nvinfer1::ILogger*>(logger)));
  };
  library.create_runtime = [](void* logger, int32_t) -> void* {
    return NewFakeRuntime(static_cast<nvinfer1::ILogger*>(logger));
  };
  library.create_parser = [](void* network, void*, int) -> void* {
    auto* real = static_cast<nvinfer1::INetworkDefinition*>(network);
    return static_cast<nvonnxparser::IParser*>(new FakeParser(static_cast<FakeNetwork*>(real)));
  };
  return library;
}

}  // namespace clip_test
