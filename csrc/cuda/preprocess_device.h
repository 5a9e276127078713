// What preprocessing needs of a GPU, as an interface, so that the tests run it on the processor.
#ifndef CLIP_CUDA_PREPROCESS_DEVICE_H_
#define CLIP_CUDA_PREPROCESS_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "preprocess_task.h"

namespace clip::pictures {

using Stream = void*;  // cudaStream_t
using Event = void*;   // cudaEvent_t

// One GPU. Every call may come from any thread; those that fail throw clip::Error with CUDA's words, of kind
// CLIP_OUT_OF_MEMORY where memory is lacking.
class PreprocessDevice {
 public:
  virtual ~PreprocessDevice() = default;

  // Makes the GPU the current one of the calling thread, as nvJPEG and CUDA want before any other call.
  virtual void MakeCurrent() = 0;

  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void* memory) noexcept = 0;  // nullptr is allowed
  // Host memory that the GPU copies from without a detour.
  virtual void* AllocatePinned(size_t bytes) = 0;
  virtual void FreePinned(void* memory) noexcept = 0;

  virtual Stream CreateStream() = 0;
  virtual void DestroyStream(Stream stream) noexcept = 0;
  virtual Event CreateEvent() = 0;  // without a clock
  virtual void DestroyEvent(Event event) noexcept = 0;
  virtual void Record(Event event, Stream stream) = 0;
  virtual void Wait(Event event) = 0;                        // this thread; at once if it was never recorded
  virtual void StreamWaits(Stream stream, Event event) = 0;  // what comes on the stream later
  virtual void Drain(Stream stream) noexcept = 0;            // waits until all on it is done, come what may

  // Queues a copy; `from` is pinned and stays as it is until the stream has passed it.
  virtual void CopyIn(void* to, const void* from, size_t bytes, Stream stream) = 0;
  // Queue the two kernels, `blocks` blocks each; with 0 blocks nothing.
  virtual void LaunchFirstPass(const TaskList& list, uint32_t blocks, Stream stream) = 0;
  virtual void LaunchSecondPass(const TaskList& list, uint32_t blocks, Stream stream) = 0;
};

// The GPU with CUDA's number; in the library of the runtime "cuda" only.
std::unique_ptr<PreprocessDevice> OpenPreprocessDevice(int number);

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_DEVICE_H_
