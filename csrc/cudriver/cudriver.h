// The CUDA driver, opened at run time, so that a runtime for GPUs loads on a machine that has none and can
// say what is missing. Used by every runtime for NVIDIA GPUs (csrc/tensorrt, csrc/cuda): link clip_cudriver.
//
//   const cu::Driver& driver = cu::TheDriver();          // or throws CLIP_UNAVAILABLE with one sentence
//   cu::Device device = cu::FindDevice(driver, "cuda:1");
//   auto context = cu::Primary::Retain(driver, device);   // keep it as long as anything on the device lives
//   cu::Current current(*context);                        // this thread works on that device until the scope
//   ends cu::Stream stream(driver);                            // cuobjects.h: streams, events, memory,
//   graphs
//
// Only libcuda.so.1 is opened, never the CUDA runtime library: libraries that bring their own copy of that
// one (TensorRT) work in the device's primary context too, so that they share streams and memory with clipd.
#ifndef CLIP_CUDRIVER_CUDRIVER_H_
#define CLIP_CUDRIVER_CUDRIVER_H_

#include <memory>
#include <string>
#include <vector>

#include "calls.h"
#include "error.h"

namespace clip::cu {

// The table of calls. A test fills in its own functions.
struct Driver {
#define CLIP_CU_MEMBER(member, symbol, parameters) Result(*member) parameters = nullptr;
  CLIP_CU_CALLS(CLIP_CU_MEMBER)
#undef CLIP_CU_MEMBER
  int version = 0;  // of CUDA that the driver supports: 13010 is 13.1
};

// Opens the driver's library, looks up every call and initialises it. Throws CLIP_UNAVAILABLE with what is
// missing: the library, a call of it, a GPU.
Driver OpenDriver(const char* library = "libcuda.so.1");

// The driver of this process, opened on the first call that succeeds. It is never closed.
const Driver& TheDriver();

// Throws unless the result is success. The text names what was tried, the driver's words follow:
// Check(driver, result, "cannot make a stream on ", device.name).
template <typename... Parts>
void Check(const Driver& driver, Result result, Parts&&... parts);

// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"
std::string Reason(const Driver& driver, Result result);
// Which kind of failure a result other than success is.
clip_status StatusOf(Result result);

struct Device {
  DeviceId id = 0;
  int ordinal = 0;           // in the driver's order, after CUDA_VISIBLE_DEVICES
  std::string name;          // "NVIDIA H200"
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  size_t memory = 0;  // bytes
  std::string pci;    // "0000:65:00.0"
};

// Every device, in the driver's order; at least one, or it throws CLIP_UNAVAILABLE.
std::vector<Device> Devices(const Driver& driver);

// The device that a session asks for: "cuda" (the first), "cuda:1" or "cuda:0000:65:00.0" (its PCI bus id).
// Throws CLIP_UNAVAILABLE and names those that are there.
Device FindDevice(const Driver& driver, const std::string& text);

// "cuda:0 NVIDIA H200", for clip_session_info.
std::string DeviceText(const Device& device);
// "fp32 bf16 fp16": the precisions that the matrix units compute, as bits and as text.
uint32_t DevicePrecisions(const Device& device);
std::string PrecisionNames(uint32_t precisions);
// "cuda:0 NVIDIA H200, 140 GiB, compute capability 9.0, fp32 bf16 fp16", for clip_runtime_info.
std::string DeviceLine(const Device& device);

// A device's primary context, the one that the CUDA runtime library uses too. Shared by all that lives on the
// device.
class Primary {
 public:
  static std::shared_ptr<Primary> Retain(const Driver& driver, const Device& device);
  ~Primary();
  Primary(const Primary&) = delete;
  Primary& operator=(const Primary&) = delete;

  const Driver& driver() const { return driver_; }
  const Device& device() const { return device_; }
  CUctx_st* context() const { return context_; }

 private:
  Primary(const Driver& driver, const Device& device, CUctx_st* context)
      : driver_(driver), device_(device), context_(context) {}

  const Driver& driver_;
  Device device_;
  CUctx_st* context_;
};

// Makes the device current on the calling thread, and the one before it when the scope ends. Every call on
// streams, events and memory needs one: Go moves a goroutine from thread to thread.
class Current {
 public:
  explicit Current(const Primary& primary);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Driver& driver_;
};

template <typename... Parts>
void Check(const Driver& driver, Result result, Parts&&... parts) {
  if (result != kSuccess) Fail(StatusOf(result), std::forward<Parts>(parts)..., ": ", Reason(driver, result));
}

}  // namespace clip::cu

#endif  // CLIP_CUDRIVER_CUDRIVER_H_
