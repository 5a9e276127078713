#include "runtime.h"

#include "session.h"

namespace clip::trt {

RuntimeInfo TensorRt::Describe() {
  RuntimeInfo info;
  info.name = "tensorrt";
  info.version = library_.version();
  std::vector<cu::Device> devices = cu::Devices(driver_);
  for (const cu::Device& device : devices) info.devices.push_back(cu::DeviceLine(device));
  info.precisions = cu::DevicePrecisions(devices[0]);
  return info;
}

std::unique_ptr<Session> TensorRt::NewSession(const SessionOptions& options) {
  return std::make_unique<TensorRtSession>(library_, driver_, options);
}

}  // namespace clip::trt
