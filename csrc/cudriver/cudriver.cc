#include "cudriver.h"

#include <dlfcn.h>

#include <mutex>

namespace clip::cu {

Driver OpenDriver(const char* library) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    Fail(CLIP_UNAVAILABLE, "no NVIDIA driver on this machine (", dlerror(),
         "); install the driver of its GPU, or use the runtime openvino or onnxruntime on the processor");
  }
  Driver driver;
#define CLIP_CU_LOOK_UP(member, symbol, parameters)                                  \
  driver.member = reinterpret_cast<decltype(driver.member)>(dlsym(handle, #symbol)); \
  if (driver.member == nullptr) {                                                    \
    Fail(CLIP_UNAVAILABLE, "the NVIDIA driver (", library,                           \
         ") is too old: it has no " #symbol "; install version 525 or newer");       \
  }
  CLIP_CU_CALLS(CLIP_CU_LOOK_UP)
#undef CLIP_CU_LOOK_UP
  Result result = driver.Init(0);
  if (result == kNoDevice) {
    Fail(CLIP_UNAVAILABLE,
         "the NVIDIA driver finds no GPU; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use the runtime "
         "openvino or "
         "onnxruntime on the processor");
  }
  if (result != kSuccess) {
    Fail(CLIP_UNAVAILABLE, "the NVIDIA driver does not start: ", Reason(driver, result), "; see nvidia-smi");
  }
  Check(driver, driver.DriverGetVersion(&driver.version), "cannot ask the NVIDIA driver for its version");
  return driver;
}

const Driver& TheDriver() {
  static std::mutex once;
  static const Driver* driver = nullptr;
  std::lock_guard<std::mutex> lock(once);
  if (driver == nullptr) driver = new Driver(OpenDriver());
  return *driver;
}

std::string Reason(const Driver& driver, Result result) {
  const char *name = nullptr, *text = nullptr;
  driver.GetErrorName(result, &name);
  driver.GetErrorString(result, &text);
  if (name == nullptr || text == nullptr) return "CUDA error " + std::to_string(result);
  return std::string(text) + " (" + name + ")";
}

clip_status StatusOf(Result result) {
  switch (result) {
    case kOutOfMemory:
      return CLIP_OUT_OF_MEMORY;
    case kStubLibrary:
    case kDeviceUnavailable:
    case kNoDevice:
    case kInvalidDevice:
    case kSystemNotReady:
    case kSystemDriverMismatch:
    case kCompatNotSupported:
      return CLIP_UNAVAILABLE;
    default:
      return CLIP_INTERNAL;
  }
}

std::shared_ptr<Primary> Primary::Retain(const Driver& driver, const Device& device) {
  CUctx_st* context = nullptr;
  Check(driver, driver.PrimaryCtxRetain(&context, device.id), "cannot use ", DeviceText(device));
  try {
    return std::shared_ptr<Primary>(new Primary(driver, device, context));
  } catch (...) {
    driver.PrimaryCtxRelease(device.id);
    throw;
  }
}

Primary::~Primary() { driver_.PrimaryCtxRelease(device_.id); }

Current::Current(const Primary& primary) : driver_(primary.driver()) {
  Check(driver_, driver_.CtxPushCurrent(primary.context()), "cannot work on ", DeviceText(primary.device()));
}

Current::~Current() {
  CUctx_st* context = nullptr;
  driver_.CtxPopCurrent(&context);
}

}  // namespace clip::cu
