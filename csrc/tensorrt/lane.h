#ifndef CLIP_TENSORRT_LANE_H_
#define CLIP_TENSORRT_LANE_H_

#include <memory>
#include <vector>

#include "cuobjects.h"
#include "engine.h"
#include "lru.h"
#include "plugin.h"

namespace clip::trt {

// One stream with buffers for the largest batch, in pinned host memory and on the device, and an execution
// context for each profile, so that a change of profile costs nothing. The contexts never run at the same
// time and share one scratch memory. A shape that comes again and again gets a CUDA graph: one launch instead
// of some hundred.
class TensorRtLane : public Lane {
 public:
  explicit TensorRtLane(std::shared_ptr<const Engine> engine);
  ~TensorRtLane() override;
  void Run(const Batch& batch) override;

 private:
  using Shapes = std::vector<Shape>;  // of the inputs

  // TensorRT's documentation: a graph holds the state of the context that it was captured from, which must
  // not be touched any more. So each has a context of its own.
  struct Captured {
    Own<nvinfer1::IExecutionContext> context;
    cu::GraphExec exec;
  };
  struct Buffer {
    cu::HostMemory host;
    cu::DeviceMemory device;
    size_t bytes = 0;
  };

  // All that lives on the device.
  struct Device {
    explicit Device(const Engine& engine);

    cu::Stream stream;
    cu::Event done;
    cu::DeviceMemory scratch;
    std::vector<Buffer> inputs;
    Buffer output;
    std::vector<Own<nvinfer1::IExecutionContext>> contexts;  // by profile, made when first used
    Lru<Shapes, Captured> graphs;
  };

  void WarmUp();
  int ProfileFor(const Shapes& shapes, const std::string& batch) const;
  nvinfer1::IExecutionContext& Context(int profile);
  // Sets shapes and addresses, and checks that the output is [rows, dim].
  void Bind(nvinfer1::IExecutionContext* context, const Shapes& shapes) const;
  // Copies in, computes, copies out; all of it only enqueued.
  void Enqueue(nvinfer1::IExecutionContext* context, const Shapes& shapes) const;
  void Wait() const;
  void Execute(const Shapes& shapes, int profile);
  // Counts the shape, and captures it when it is hot.
  void Consider(const Shapes& shapes, int profile);
  void Capture(const Shapes& shapes, int profile);

  std::shared_ptr<const Engine> engine_;
  const cu::Driver& driver_;
  std::unique_ptr<Device> device_;
  Lru<Shapes, int> uses_;  // of shapes without a graph
  bool captures_ = true;   // false once a capture has failed
};

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_LANE_H_
