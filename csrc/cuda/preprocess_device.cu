// The two kernels of preprocessing and the GPU behind PreprocessDevice.
#include <cuda_runtime.h>

#include <string>

#include "error.h"
#include "preprocess_device.h"
#include "preprocess_kernels.h"
#include "preprocess_nvjpeg.h"

#if __has_include(<nvjpeg.h>)
#include <nvjpeg.h>
// preprocess_nvjpeg.h has declarations of its own, as nvjpeg.h needs CUDA's headers; they must say the same.
static_assert(sizeof(nvjpegImage_t) == sizeof(clip::pictures::NvJpegImage));
static_assert(offsetof(nvjpegImage_t, pitch) == offsetof(clip::pictures::NvJpegImage, pitch));
static_assert(NVJPEG_MAX_COMPONENT == clip::pictures::kNvJpegPlanes);
static_assert(NVJPEG_STATUS_SUCCESS == clip::pictures::kNvJpegSuccess);
static_assert(NVJPEG_OUTPUT_UNCHANGED == clip::pictures::kNvJpegUnchanged);
static_assert(NVJPEG_BACKEND_DEFAULT == clip::pictures::kNvJpegDefault);
static_assert(NVJPEG_BACKEND_HYBRID == clip::pictures::kNvJpegHybrid);
static_assert(NVJPEG_BACKEND_HARDWARE == clip::pictures::kNvJpegHardware);
static_assert(NVJPEG_FLAGS_BITSTREAM_STRICT == clip::pictures::kNvJpegStrict);
#endif

namespace clip::pictures {
namespace {

struct DeviceBlock {
  uint32_t* tile;
  Sums own;

  __device__ Sums& sums(int) { return own; }
  template <typename Body>
  __device__ __forceinline__ void Each(Body body) {
    body(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
};

__global__ void __launch_bounds__(kThreads) FirstPassKernel(TaskList list) {
  __shared__ uint32_t tile[kTilePixels];
  DeviceBlock block{tile, {}};
  FirstPass(block, list, blockIdx.x);
}

__global__ void __launch_bounds__(kThreads) SecondPassKernel(TaskList list) {
  __shared__ uint32_t tile[kTilePixels];
  DeviceBlock block{tile, {}};
  SecondPass(block, list, blockIdx.x);
}

void Check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that a failure without consequences is not found again by the next call
  Fail(status == cudaErrorMemoryAllocation ? CLIP_OUT_OF_MEMORY : CLIP_INTERNAL,
       "preprocessing on the GPU: ", what, ": ", cudaGetErrorString(status));
}

cudaStream_t Cast(Stream stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t CastEvent(Event event) { return static_cast<cudaEvent_t>(event); }

class CudaDevice : public PreprocessDevice {
 public:
  explicit CudaDevice(int number) : number_(number) { MakeCurrent(); }

  void MakeCurrent() override { Check(cudaSetDevice(number_), "cudaSetDevice"); }

  void* Allocate(size_t bytes) override {
    void* memory = nullptr;
    Check(cudaMalloc(&memory, bytes), ("cudaMalloc of " + std::to_string(bytes) + " bytes").c_str());
    return memory;
  }
  void Free(void* memory) noexcept override { cudaFree(memory); }

  void* AllocatePinned(size_t bytes) override {
    void* memory = nullptr;
    Check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault),
          ("cudaHostAlloc of " + std::to_string(bytes) + " bytes").c_str());
    return memory;
  }
  void FreePinned(void* memory) noexcept override { cudaFreeHost(memory); }

  Stream CreateStream() override {
    cudaStream_t stream = nullptr;
    Check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    return stream;
  }
  void DestroyStream(Stream stream) noexcept override { cudaStreamDestroy(Cast(stream)); }

  Event CreateEvent() override {
    cudaEvent_t event = nullptr;
    // A thread that waits sleeps: the cores are needed for Huffman codes.
    Check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync),
          "cudaEventCreate");
    return event;
  }
  void DestroyEvent(Event event) noexcept override { cudaEventDestroy(CastEvent(event)); }
  void Record(Event event, Stream stream) override {
    Check(cudaEventRecord(CastEvent(event), Cast(stream)), "cudaEventRecord");
  }
  void Wait(Event event) override { Check(cudaEventSynchronize(CastEvent(event)), "cudaEventSynchronize"); }
  void StreamWaits(Stream stream, Event event) override {
    Check(cudaStreamWaitEvent(Cast(stream), CastEvent(event), 0), "cudaStreamWaitEvent");
  }
  void Drain(Stream stream) noexcept override { cudaStreamSynchronize(Cast(stream)); }

  void CopyIn(void* to, const void* from, size_t bytes, Stream stream) override {
    Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, Cast(stream)), "cudaMemcpyAsync");
  }

  void LaunchFirstPass(const TaskList& list, uint32_t blocks, Stream stream) override {
    if (blocks == 0) return;
    FirstPassKernel<<<blocks, kThreads, 0, Cast(stream)>>>(list);
    Check(cudaGetLastError(), "launch of the first pass");
  }
  void LaunchSecondPass(const TaskList& list, uint32_t blocks, Stream stream) override {
    if (blocks == 0) return;
    SecondPassKernel<<<blocks, kThreads, 0, Cast(stream)>>>(list);
    Check(cudaGetLastError(), "launch of the second pass");
  }

 private:
  int number_;
};

}  // namespace

std::unique_ptr<PreprocessDevice> OpenPreprocessDevice(int number) {
  return std::make_unique<CudaDevice>(number);
}

}  // namespace clip::pictures
