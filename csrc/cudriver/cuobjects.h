// Owners of what the CUDA driver hands out. All are made, used and destroyed while the device is current
// (Current); a destructor that fails has nobody to tell.
#ifndef CLIP_CUDRIVER_CUOBJECTS_H_
#define CLIP_CUDRIVER_CUOBJECTS_H_

#include <utility>

#include "cudriver.h"

namespace clip::cu {

// What a class below owns; 0 is nothing. Release gives it back.
template <typename Handle, Result (*Driver::*Release)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(const Driver& driver, Handle handle) : driver_(&driver), handle_(handle) {}
  Owned(Owned&& from) noexcept : driver_(from.driver_), handle_(std::exchange(from.handle_, Handle())) {}
  Owned& operator=(Owned&& from) noexcept {
    std::swap(driver_, from.driver_);
    std::swap(handle_, from.handle_);
    return *this;
  }
  ~Owned() {
    if (handle_ != Handle()) (driver_->*Release)(handle_);
  }
  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Handle(); }

 private:
  const Driver* driver_ = nullptr;
  Handle handle_ = Handle();
};

using Stream = Owned<CUstream_st*, &Driver::StreamDestroy>;
using Event = Owned<CUevent_st*, &Driver::EventDestroy>;
using DeviceMemory = Owned<DevicePtr, &Driver::MemFree>;
using HostMemory = Owned<void*, &Driver::MemFreeHost>;
using Graph = Owned<CUgraph_st*, &Driver::GraphDestroy>;
using GraphExec = Owned<CUgraphExec_st*, &Driver::GraphExecDestroy>;
using Module = Owned<CUmod_st*, &Driver::ModuleUnload>;

// A stream that does not wait for the legacy default stream.
inline Stream NewStream(const Driver& driver) {
  CUstream_st* stream = nullptr;
  Check(driver, driver.StreamCreate(&stream, kStreamNonBlocking), "cannot make a stream");
  return Stream(driver, stream);
}

// An event that a thread waits for asleep rather than spinning.
inline Event NewEvent(const Driver& driver) {
  CUevent_st* event = nullptr;
  Check(driver, driver.EventCreate(&event, kEventBlockingSync | kEventDisableTiming), "cannot make an event");
  return Event(driver, event);
}

// Nothing for 0 bytes.
inline DeviceMemory NewDeviceMemory(const Driver& driver, size_t bytes) {
  DevicePtr address = 0;
  if (bytes > 0)
    Check(driver, driver.MemAlloc(&address, bytes), "cannot get ", bytes, " bytes of GPU memory");
  return DeviceMemory(driver, address);
}

// Host memory that the device copies from and to by itself. Nothing for 0 bytes.
inline HostMemory NewHostMemory(const Driver& driver, size_t bytes) {
  void* address = nullptr;
  if (bytes > 0) {
    Check(driver, driver.MemHostAlloc(&address, bytes, kMemHostPortable), "cannot get ", bytes,
          " bytes of pinned memory");
  }
  return HostMemory(driver, address);
}

}  // namespace clip::cu

#endif  // CLIP_CUDRIVER_CUOBJECTS_H_
