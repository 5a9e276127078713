// The part of the CUDA runtime that libclip_cuda.so calls, for a GPU that is not there: device memory is the
// process's own, filled with what is no number; a stream is a list of work that runs only when somebody waits
// for it, so that whoever does not wait, or overwrites what is still to be copied, gets wrong answers.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "emulation.h"

using Work = std::vector<std::function<void()>>;

struct CUstream_st {
  std::mutex mutex;
  Work pending;
  Work* recording = nullptr;
};

struct CUevent_st {
  cudaStream_t stream = nullptr;
};

struct CUgraph_st {
  Work work;
};

struct CUgraphExec_st {
  Work work;
};

namespace {

void Drain(cudaStream_t stream) {
  if (stream == nullptr) return;  // copies on the default stream are done at once here
  std::lock_guard<std::mutex> lock(stream->mutex);
  if (stream->recording != nullptr) abort();  // as on a GPU, a stream that records cannot be waited for
  Work work;
  work.swap(stream->pending);
  for (const auto& one : work) one();
}

}  // namespace

namespace clip::cuda::emulation {

void Enqueue(cudaStream_t stream, std::function<void()> work) {
  std::lock_guard<std::mutex> lock(stream->mutex);
  (stream->recording != nullptr ? *stream->recording : stream->pending).push_back(std::move(work));
}

}  // namespace clip::cuda::emulation

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  const char* missing = getenv("CLIPD_EMULATION_NO_GPU");
  *count = missing == nullptr ? 1 : 0;
  return missing == nullptr ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::memset(properties, 0, sizeof(*properties));
  snprintf(properties->name, sizeof(properties->name), "emulated");
  const char* old = getenv("CLIPD_EMULATION_CAPABILITY");  // 75: without bfloat16
  int capability = old == nullptr ? 90 : atoi(old);
  properties->major = capability / 10;
  properties->minor = capability % 10;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int capacity, int) {
  return snprintf(text, static_cast<size_t>(capacity), "0000:0A:00.0"), cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
cudaError_t cudaDriverGetVersion(int* version) {
  return *version = getenv("CLIPD_EMULATION_NO_GPU") == nullptr ? 13000 : 0, cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorNoDevice ? "no device" : "an error";
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*memory, 0xFF, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) { return free(memory), cudaSuccess; }
cudaError_t cudaMallocHost(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  return std::memcpy(to, from, bytes), cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  clip::cuda::emulation::Enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return *stream = new CUstream_st, cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return Drain(stream), cudaSuccess; }

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->recording = new Work;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  std::unique_ptr<Work> work(stream->recording);
  stream->recording = nullptr;
  *graph = new CUgraph_st{std::move(*work)};
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  Work* work = &graph->work;
  clip::cuda::emulation::Enqueue(stream, [work] {
    for (const auto& one : *work) one();
  });
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return delete graph, cudaSuccess; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new CUevent_st, cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return event->stream = stream, cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaErrorNotReady; }
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return Drain(event->stream), cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  return *milliseconds = 1, cudaSuccess;
}

}  // extern "C"
