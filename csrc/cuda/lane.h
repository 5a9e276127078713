#ifndef CLIP_CUDA_LANE_H_
#define CLIP_CUDA_LANE_H_

#include <memory>

#include "forward.h"
#include "graphs.h"
#include "plugin.h"
#include "texts.h"

namespace clip::cuda {

// One stream with memory of its own. While one lane waits for its kernels another one's copies go on.
class CudaLane : public Lane {
 public:
  // Network and products are the session's, which outlives its lanes. Memory is taken for max_rows (0: not
  // known) at once, and grows with larger batches up to what one pass takes.
  CudaLane(const Network& network, Products* products, int device, uint32_t max_rows, uint32_t max_length);
  ~CudaLane() override;

  void Run(const Batch& batch) override;

 private:
  void RunImages(const Batch& batch);
  void RunTexts(const Batch& batch);
  void WarmUp(uint32_t max_rows, uint32_t max_length);

  void Reserve(const PassShape& shape);
  void CopyPixels(const uint8_t* pixels, size_t bytes);
  // Runs what lies in the buffers and copies the first rows of the result to output.
  void Finish(const PassShape& shape, size_t rows, float* output);
  void Wait();

  const Network& network_;
  Products* products_;
  int device_;
  Stream stream_;
  Event done_;
  std::unique_ptr<Buffers> buffers_;
  PinnedMemory<uint8_t> pixels_;    // of a pass
  PinnedMemory<int32_t> integers_;  // of a pass
  PinnedMemory<float> output_;
  Graphs graphs_;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_LANE_H_
