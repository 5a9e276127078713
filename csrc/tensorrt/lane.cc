#include "lane.h"

#include <cstring>

namespace clip::trt {
namespace {

// Graphs of a lane. Each keeps a context, some megabytes.
constexpr size_t kMostGraphs = 32;
// Shapes that are counted.
constexpr size_t kMostCounted = 256;
// A shape is hot when it has come so often; where a graph must go for it, when it has come this much oftener,
// so that shapes that take turns do not push out one another's graphs.
constexpr int kHot = 3, kHotter = 64;

size_t BytesOf(const Shape& shape, size_t item_bytes) {
  size_t bytes = item_bytes;
  for (int64_t dimension : shape) bytes *= static_cast<size_t>(dimension);
  return bytes;
}

// Rows of the answer: the last input has a number for each.
int64_t RowsOf(const std::vector<Shape>& shapes) { return shapes.back()[0]; }

// Waits, when the scope ends, for what a stream was given in it: it may still use what lives in the scope.
struct Drained {
  const cu::Driver& driver;
  CUstream_st* stream;
  ~Drained() { driver.StreamSynchronize(stream); }
};

void* Address(const cu::DeviceMemory& memory) { return reinterpret_cast<void*>(memory.get()); }

}  // namespace

TensorRtLane::Device::Device(const Engine& engine)
    : stream(cu::NewStream(engine.driver())),
      done(cu::NewEvent(engine.driver())),
      scratch(cu::NewDeviceMemory(engine.driver(), static_cast<size_t>(engine.scratch_bytes()))),
      contexts(engine.profiles().size()),
      graphs(kMostGraphs) {
  auto buffer = [&](size_t bytes) {
    return Buffer{cu::NewHostMemory(engine.driver(), bytes), cu::NewDeviceMemory(engine.driver(), bytes),
                  bytes};
  };
  for (const Engine::Port& port : engine.inputs()) inputs.push_back(buffer(port.most_bytes));
  output = buffer(engine.output().most_bytes);
}

TensorRtLane::TensorRtLane(std::shared_ptr<const Engine> engine)
    : engine_(std::move(engine)), driver_(engine_->driver()), uses_(kMostCounted) {
  cu::Current current(engine_->primary());
  device_ = std::make_unique<Device>(*engine_);
  try {
    WarmUp();
  } catch (...) {
    device_.reset();  // while the device is current
    throw;
  }
}

TensorRtLane::~TensorRtLane() {
  OnDevice(engine_->primary(), [&] { device_.reset(); });
  device_.release();  // without a device it cannot be freed
}

// The first run of a profile loads its kernels, which belongs to loading.
void TensorRtLane::WarmUp() {
  for (Buffer& input : device_->inputs) std::memset(input.host.get(), 0, input.bytes);
  for (size_t i = 0; i < engine_->profiles().size(); ++i) {
    Shapes shapes;
    for (const Range& range : engine_->profiles()[i].inputs) shapes.push_back(range.best);
    Execute(shapes, static_cast<int>(i));
  }
}

void TensorRtLane::Run(const Batch& batch) {
  cu::Current current(engine_->primary());
  Shapes shapes;
  for (const Batch::Input& input : batch.inputs) shapes.push_back(input.shape);
  int profile = ProfileFor(shapes, Describe(batch));
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    std::memcpy(device_->inputs[i].host.get(), batch.inputs[i].data, batch.inputs[i].bytes);
  }
  Captured* captured = device_->graphs.Find(shapes);
  if (captured != nullptr) {
    cu::Check(driver_, driver_.GraphLaunch(captured->exec.get(), device_->stream.get()),
              "cannot launch a CUDA graph");
    Wait();
  } else {
    Execute(shapes, profile);
  }
  std::memcpy(batch.output, device_->output.host.get(), batch.output_count * sizeof(float));
  if (captured == nullptr) Consider(shapes, profile);
}

int TensorRtLane::ProfileFor(const Shapes& shapes, const std::string& batch) const {
  int profile = ChooseProfile(engine_->profiles(), shapes);
  if (profile < 0) {
    Fail(CLIP_INVALID_ARGUMENT, "a batch of ", batch, " (", clip::trt::Describe(shapes),
         ") is larger than the engine was built for: at most ", Largest(engine_->profiles()));
  }
  return profile;
}

nvinfer1::IExecutionContext& TensorRtLane::Context(int profile) {
  auto& context = device_->contexts[static_cast<size_t>(profile)];
  if (context == nullptr)
    context = engine_->NewContext(profile, device_->scratch.get(), device_->stream.get());
  return *context;
}

void TensorRtLane::Bind(nvinfer1::IExecutionContext* context, const Shapes& shapes) const {
  for (size_t i = 0; i < shapes.size(); ++i) {
    const char* name = engine_->inputs()[i].name.c_str();
    if (!context->setInputShape(name, DimsOf(shapes[i]))) {
      FailWithLog(CLIP_INTERNAL, "TensorRT does not take the shape ", clip::trt::Describe({shapes[i]}),
                  " of its input ", name);
    }
    if (!context->setTensorAddress(name, Address(device_->inputs[i].device))) {
      FailWithLog(CLIP_INTERNAL, "TensorRT does not take the memory of its input ", name);
    }
  }
  const char* name = engine_->output().name.c_str();
  if (!context->setTensorAddress(name, Address(device_->output.device))) {
    FailWithLog(CLIP_INTERNAL, "TensorRT does not take the memory of its output ", name);
  }
  Shape made = ShapeOf(context->getTensorShape(name)), wanted = {RowsOf(shapes), engine_->dim()};
  if (made != wanted) {
    Fail(CLIP_INTERNAL, "the graph makes ", clip::trt::Describe({made}), " of ", clip::trt::Describe(shapes),
         "; expected ", clip::trt::Describe({wanted}));
  }
}

void TensorRtLane::Enqueue(nvinfer1::IExecutionContext* context, const Shapes& shapes) const {
  CUstream_st* stream = device_->stream.get();
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Buffer& input = device_->inputs[i];
    size_t bytes = BytesOf(shapes[i], engine_->inputs()[i].item_bytes);
    cu::Check(driver_, driver_.MemcpyHtoDAsync(input.device.get(), input.host.get(), bytes, stream),
              "cannot copy a batch to the GPU");
  }
  if (!context->enqueueV3(stream)) {
    FailWithLog(CLIP_INTERNAL, "TensorRT cannot run a batch of ", clip::trt::Describe(shapes));
  }
  size_t bytes = static_cast<size_t>(RowsOf(shapes) * engine_->dim()) * sizeof(float);
  cu::Check(driver_,
            driver_.MemcpyDtoHAsync(device_->output.host.get(), device_->output.device.get(), bytes, stream),
            "cannot copy embeddings from the GPU");
}

void TensorRtLane::Wait() const {
  cu::Check(driver_, driver_.EventRecord(device_->done.get(), device_->stream.get()), "cannot end a batch");
  cu::Check(driver_, driver_.EventSynchronize(device_->done.get()), "the GPU cannot run a batch");
}

void TensorRtLane::Execute(const Shapes& shapes, int profile) {
  TheLog().Clear();
  Drained drained{driver_,
                  device_->stream.get()};  // also after a failure: what was enqueued uses the buffers
  nvinfer1::IExecutionContext& context = Context(profile);
  Bind(&context, shapes);
  Enqueue(&context, shapes);
  Wait();
}

void TensorRtLane::Consider(const Shapes& shapes, int profile) {
  if (!captures_) return;
  if (uses_.Find(shapes) == nullptr) uses_.Put(shapes, 0);
  int& uses = *uses_.Find(shapes);
  if (++uses < (device_->graphs.full() ? kHotter : kHot)) return;
  uses = 0;
  // The batch is answered already: whatever fails here is no failure of it. A lane that cannot capture
  // enqueues.
  captures_ = AtEdge(nullptr, 0, [&] { Capture(shapes, profile); }) == CLIP_OK;
}

void TensorRtLane::Capture(const Shapes& shapes, int profile) {
  CUstream_st* stream = device_->stream.get();
  Captured made;
  Drained drained{driver_, stream};
  made.context = engine_->NewContext(profile, device_->scratch.get(), stream);
  Bind(made.context.get(), shapes);
  // The first run after a change of shape does work that is not to be captured.
  Enqueue(made.context.get(), shapes);
  Wait();
  cu::Check(driver_, driver_.StreamBeginCapture(stream, cu::kCaptureThreadLocal),
            "cannot capture a CUDA graph");
  clip_status recorded = AtEdge(nullptr, 0, [&] { Enqueue(made.context.get(), shapes); });
  // In any case, or the stream stays in its capture.
  CUgraph_st* raw = nullptr;
  cu::Result ended = driver_.StreamEndCapture(stream, &raw);
  cu::Graph graph(driver_, raw);
  cu::Check(driver_, ended, "cannot capture a CUDA graph");
  if (recorded != CLIP_OK || !graph)
    Fail(CLIP_INTERNAL, "cannot capture a CUDA graph of ", clip::trt::Describe(shapes));
  CUgraphExec_st* exec = nullptr;
  cu::Check(driver_, driver_.GraphInstantiate(&exec, graph.get(), 0), "cannot make a CUDA graph");
  made.exec = cu::GraphExec(driver_, exec);
  device_->graphs.Put(shapes, std::move(made));
}

}  // namespace clip::trt
