// The runtime "tensorrt": NVIDIA GPUs, by TensorRT.
#include "runtime.h"

extern "C" __attribute__((visibility("default"))) const clip_runtime_api* clip_runtime_get(
    uint32_t abi, char* error, size_t error_capacity) {
  auto make = []() -> clip::Runtime* {
    const clip::cu::Driver& driver = clip::cu::TheDriver();
    clip::cu::Devices(driver);  // or there is none
    return new clip::trt::TensorRt(clip::trt::OpenLibrary(), driver);
  };
  return clip::MakeApi(abi, make, error, error_capacity);
}
