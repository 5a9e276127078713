#include "engine.h"

#include <algorithm>

namespace clip::trt {
namespace {

size_t Product(const Shape& shape, size_t item_bytes) {
  size_t bytes = item_bytes;
  for (int64_t dimension : shape) bytes *= static_cast<size_t>(dimension);
  return bytes;
}

size_t ItemBytes(const Signature::Port& port) { return port.type == "uint8" ? 1 : 4; }

}  // namespace

Engine::Engine(const Library& library, std::shared_ptr<cu::Primary> primary, std::string_view plan)
    : primary_(std::move(primary)) {
  cu::Current current(*primary_);
  TheLog().Clear();
  runtime_ = NewRuntime(library);
  engine_.reset(runtime_->deserializeCudaEngine(plan.data(), plan.size()));
  if (engine_ == nullptr) FailWithLog(CLIP_INVALID_ARGUMENT, "TensorRT cannot load the engine");
  signature_ = SignatureOf(*engine_);
  ReadProfiles();
}

Engine::~Engine() {
  OnDevice(*primary_, [&] {
    engine_.reset();
    runtime_.reset();
  });
  // Without a device they cannot be freed.
  engine_.release();
  runtime_.release();
}

void Engine::ReadProfiles() {
  for (const Signature::Port& port : signature_.inputs) inputs_.push_back({port.name, ItemBytes(port), 0});
  size_t rows = 0;
  for (int32_t i = 0; i < engine_->getNbOptimizationProfiles(); ++i) {
    Profile profile;
    for (Port& input : inputs_) {
      auto shape = [&](nvinfer1::OptProfileSelector which) {
        return ShapeOf(engine_->getProfileShape(input.name.c_str(), i, which));
      };
      profile.inputs.push_back({shape(nvinfer1::OptProfileSelector::kMIN),
                                shape(nvinfer1::OptProfileSelector::kOPT),
                                shape(nvinfer1::OptProfileSelector::kMAX)});
      const Shape& most = profile.inputs.back().most;
      if (most.empty()) Fail(CLIP_INVALID_ARGUMENT, "the engine has no profile of its input ", input.name);
      input.most_bytes = std::max(input.most_bytes, Product(most, input.item_bytes));
    }
    // The last input has a number for each row: pixels, ids or ends.
    if (!profile.inputs.empty()) rows = std::max(rows, static_cast<size_t>(profile.inputs.back().most[0]));
    profiles_.push_back(std::move(profile));
  }
  if (signature_.outputs.empty() || signature_.outputs[0].shape.size() != 2 || rows == 0)
    return;  // CheckSignature says so
  size_t dim = static_cast<size_t>(std::max<int64_t>(signature_.outputs[0].shape[1], 0));
  output_ = {signature_.outputs[0].name, sizeof(float), rows * dim * sizeof(float)};
}

Own<nvinfer1::IExecutionContext> Engine::NewContext(int profile, cu::DevicePtr scratch,
                                                    CUstream_st* stream) const {
  TheLog().Clear();
  // Contexts of several lanes use the same profile at the same time, which TensorRT allows since 10.0 (it was
  // PreviewFeature::kPROFILE_SHARING_0806 before).
  Own<nvinfer1::IExecutionContext> context(
      engine_->createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED));
  if (context == nullptr) FailWithLog(CLIP_INTERNAL, "TensorRT makes no execution context");
  if (!context->setOptimizationProfileAsync(profile, stream)) {
    FailWithLog(CLIP_INTERNAL, "TensorRT does not take optimisation profile ", profile);
  }
  context->setDeviceMemoryV2(reinterpret_cast<void*>(scratch), scratch_bytes());
  return context;
}

}  // namespace clip::trt
