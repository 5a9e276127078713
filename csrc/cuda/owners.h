// Owners of what the CUDA runtime hands out, and the check of its statuses.
#ifndef CLIP_CUDA_OWNERS_H_
#define CLIP_CUDA_OWNERS_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>

#include "error.h"

namespace clip::cuda {

// Throws Error, with CLIP_OUT_OF_MEMORY or CLIP_INTERNAL, when the status is one; what says what was tried.
inline void Check(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that can be got over is not to be seen again
  Fail(status == cudaErrorMemoryAllocation ? CLIP_OUT_OF_MEMORY : CLIP_INTERNAL, what, ": ",
       cudaGetErrorString(status));
}

template <cudaError_t (*kFree)(void*)>
struct FreeWith {
  void operator()(void* memory) const { kFree(memory); }
};

// Memory of the device that is current, [count] of T.
template <typename T>
using DeviceMemory = std::unique_ptr<T[], FreeWith<cudaFree>>;

// Memory of the host that the device can copy from and to while the processor does other things.
template <typename T>
using PinnedMemory = std::unique_ptr<T[], FreeWith<cudaFreeHost>>;

template <typename T>
DeviceMemory<T> AllocateDevice(size_t count) {
  void* memory = nullptr;
  Check(cudaMalloc(&memory, count * sizeof(T)),
        "taking " + std::to_string(count * sizeof(T) >> 20) + " MiB of the GPU's memory");
  return DeviceMemory<T>(static_cast<T*>(memory));
}

template <typename T>
PinnedMemory<T> AllocatePinned(size_t count) {
  void* memory = nullptr;
  Check(cudaMallocHost(&memory, count * sizeof(T)),
        "pinning " + std::to_string(count * sizeof(T) >> 20) + " MiB of memory");
  return PinnedMemory<T>(static_cast<T*>(memory));
}

// Copies to the device; when it returns the copy is there for every stream. (cudaMemcpy alone may return
// while the last part is on its way, and streams that do not wait for the default one would not wait for it.)
inline void CopyToDevice(void* to, const void* from, size_t bytes, const std::string& what) {
  Check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), what);
  Check(cudaStreamSynchronize(nullptr), what);
}

struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream>;

// A stream that does not wait for the default one.
inline Stream NewStream() {
  cudaStream_t stream = nullptr;
  Check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  return Stream(stream);
}

struct DestroyEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;

inline Event NewEvent(unsigned flags) {
  cudaEvent_t event = nullptr;
  Check(cudaEventCreateWithFlags(&event, flags), "making an event");
  return Event(event);
}

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

struct DestroyGraphExec {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
using GraphExec = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyGraphExec>;

}  // namespace clip::cuda

#endif  // CLIP_CUDA_OWNERS_H_
