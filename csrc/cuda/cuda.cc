// The runtime "cuda": NVIDIA GPUs by own kernels and cuBLASLt. It needs a driver and cuBLAS, nothing else.
#include <cuda_runtime_api.h>
#include <strings.h>

#include <vector>

#include "cublaslt.h"
#include "owners.h"
#include "session.h"

namespace clip::cuda {
namespace {

// The oldest that the kernels are compiled for: Turing.
constexpr int kLeastMajor = 7, kLeastMinor = 5;

std::string Version(size_t number) {
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

std::vector<Gpu> FindGpus() {
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    int runtime = 0, driver = 0;
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    std::string cuda = std::to_string(runtime / 1000) + "." + std::to_string(runtime % 1000 / 10);
    if (driver == 0)
      Fail(CLIP_UNAVAILABLE, "no NVIDIA driver on this machine; one for CUDA ", cuda, " is needed");
    Fail(CLIP_UNAVAILABLE,
         "no GPU can be used: ", status == cudaSuccess ? "there is none" : cudaGetErrorString(status),
         " (driver for CUDA ", driver / 1000, ".", driver % 1000 / 10, "; ", cuda, " is needed)");
  }
  std::vector<Gpu> gpus;
  for (int number = 0; number < count; ++number) {
    cudaDeviceProp properties;
    Check(cudaGetDeviceProperties(&properties, number),
          "asking GPU " + std::to_string(number) + " what it is");
    char pci[32] = "";
    Check(cudaDeviceGetPCIBusId(pci, sizeof(pci), number),
          "asking GPU " + std::to_string(number) + " where it is");
    gpus.push_back({number, properties.name, pci, properties.major, properties.minor});
  }
  return gpus;
}

class CudaRuntime : public Runtime {
 public:
  CudaRuntime() : gpus_(FindGpus()), version_(Version(OpenCublasLt().GetVersion())) {}

  RuntimeInfo Describe() override {
    RuntimeInfo info;
    info.name = "cuda";
    info.version = "cuBLASLt " + version_;
    for (const Gpu& gpu : gpus_) {
      info.devices.push_back("cuda:" + std::to_string(gpu.number) + " " + gpu.name + ", fp32 " +
                             (gpu.HasBfloat16() ? "bf16 " : "") + "fp16");
    }
    info.precisions = 1u << CLIP_PRECISION_FP32 | 1u << CLIP_PRECISION_FP16;
    if (gpus_[0].HasBfloat16()) info.precisions |= 1u << CLIP_PRECISION_BF16;
    return info;
  }

  std::unique_ptr<Session> NewSession(const SessionOptions& options) override {
    const Gpu* chosen = nullptr;
    std::string known;
    for (const Gpu& gpu : gpus_) {
      std::string name = "cuda:" + std::to_string(gpu.number);
      bool named = options.device == name || (options.device == "cuda" && gpu.number == 0) ||
                   strcasecmp(options.device.c_str(), ("cuda:" + gpu.pci).c_str()) == 0;
      if (named) chosen = &gpu;
      known += (known.empty() ? "" : ", ") + name + " (" + gpu.pci + ")";
    }
    if (chosen == nullptr) {
      Fail(CLIP_UNAVAILABLE, "runtime \"cuda\" has no device \"", options.device, "\"; it has ", known);
    }
    if (chosen->major * 10 + chosen->minor < kLeastMajor * 10 + kLeastMinor) {
      Fail(CLIP_UNAVAILABLE, chosen->name, " has compute capability ", chosen->major, ".", chosen->minor,
           "; the runtime cuda needs ", kLeastMajor, ".", kLeastMinor, " or newer: use onnxruntime");
    }
    return std::make_unique<CudaSession>(*chosen, options);
  }

 private:
  std::vector<Gpu> gpus_;
  std::string version_;
};

}  // namespace
}  // namespace clip::cuda

extern "C" __attribute__((visibility("default"))) const clip_runtime_api* clip_runtime_get(
    uint32_t abi, char* error, size_t error_capacity) {
  return clip::MakeApi(
      abi, []() -> clip::Runtime* { return new clip::cuda::CudaRuntime; }, error, error_capacity);
}
