// The calls of the CUDA driver that clipd makes, as X(member, symbol, parameters). The symbols are those that
// cuda.h maps its names to (cuMemAlloc is cuMemAlloc_v2); all have been there since driver 470 (CUDA 11.4).
// Types are spelled so that cuda.h may be included beside this header.
#ifndef CLIP_CUDRIVER_CALLS_H_
#define CLIP_CUDRIVER_CALLS_H_

#include <cstddef>
#include <cstdint>

struct CUctx_st;
struct CUevent_st;
struct CUfunc_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUmod_st;
struct CUstream_st;

namespace clip::cu {

using Result = int;                    // CUresult; 0 is success
using DeviceId = int;                  // CUdevice
using DevicePtr = unsigned long long;  // CUdeviceptr, an address on the device

// Constants of cuda.h.
constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kStubLibrary = 34,
                 kDeviceUnavailable = 46, kNoDevice = 100, kInvalidDevice = 101, kSystemNotReady = 802,
                 kSystemDriverMismatch = 803, kCompatNotSupported = 804, kCaptureUnsupported = 900,
                 kCaptureInvalidated = 901;
constexpr int kAttributeMajor = 75, kAttributeMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
constexpr int kAttributeMultiprocessors = 16;              // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
constexpr unsigned kStreamNonBlocking = 1;                 // CU_STREAM_NON_BLOCKING
constexpr unsigned kEventBlockingSync = 1, kEventDisableTiming = 2;
constexpr unsigned kMemHostPortable = 1;            // CU_MEMHOSTALLOC_PORTABLE
constexpr int kCaptureThreadLocal = 1;              // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
constexpr int kFunctionMaxDynamicSharedMemory = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES

// clang-format off
#define CLIP_CU_CALLS(X)                                                                                     \
  X(Init, cuInit, (unsigned flags))                                                                          \
  X(DriverGetVersion, cuDriverGetVersion, (int* version))                                                    \
  X(GetErrorName, cuGetErrorName, (Result error, const char** text))                                         \
  X(GetErrorString, cuGetErrorString, (Result error, const char** text))                                     \
  X(DeviceGetCount, cuDeviceGetCount, (int* count))                                                          \
  X(DeviceGet, cuDeviceGet, (DeviceId* device, int ordinal))                                                 \
  X(DeviceGetName, cuDeviceGetName, (char* name, int capacity, DeviceId device))                             \
  X(DeviceGetAttribute, cuDeviceGetAttribute, (int* value, int attribute, DeviceId device))                  \
  X(DeviceGetByPCIBusId, cuDeviceGetByPCIBusId, (DeviceId* device, const char* pci_bus_id))                  \
  X(DeviceGetPCIBusId, cuDeviceGetPCIBusId, (char* pci_bus_id, int capacity, DeviceId device))               \
  X(DeviceTotalMem, cuDeviceTotalMem_v2, (size_t* bytes, DeviceId device))                                   \
  X(PrimaryCtxRetain, cuDevicePrimaryCtxRetain, (CUctx_st** context, DeviceId device))                       \
  X(PrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (DeviceId device))                                      \
  X(CtxPushCurrent, cuCtxPushCurrent_v2, (CUctx_st* context))                                                \
  X(CtxPopCurrent, cuCtxPopCurrent_v2, (CUctx_st** context))                                                 \
  X(MemGetInfo, cuMemGetInfo_v2, (size_t* free, size_t* total))                                              \
  X(MemAlloc, cuMemAlloc_v2, (DevicePtr* address, size_t bytes))                                             \
  X(MemFree, cuMemFree_v2, (DevicePtr address))                                                              \
  X(MemHostAlloc, cuMemHostAlloc, (void** address, size_t bytes, unsigned flags))                            \
  X(MemFreeHost, cuMemFreeHost, (void* address))                                                             \
  X(MemcpyHtoD, cuMemcpyHtoD_v2, (DevicePtr to, const void* from, size_t bytes))                             \
  X(MemcpyDtoH, cuMemcpyDtoH_v2, (void* to, DevicePtr from, size_t bytes))                                   \
  X(MemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (DevicePtr to, const void* from, size_t bytes, CUstream_st* stream)) \
  X(MemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void* to, DevicePtr from, size_t bytes, CUstream_st* stream))    \
  X(MemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (DevicePtr to, DevicePtr from, size_t bytes, CUstream_st* stream)) \
  X(MemsetD8Async, cuMemsetD8Async, (DevicePtr to, unsigned char value, size_t bytes, CUstream_st* stream))  \
  X(StreamCreate, cuStreamCreate, (CUstream_st** stream, unsigned flags))                                    \
  X(StreamDestroy, cuStreamDestroy_v2, (CUstream_st* stream))                                                \
  X(StreamSynchronize, cuStreamSynchronize, (CUstream_st* stream))                                           \
  X(StreamWaitEvent, cuStreamWaitEvent, (CUstream_st* stream, CUevent_st* event, unsigned flags))            \
  X(StreamBeginCapture, cuStreamBeginCapture_v2, (CUstream_st* stream, int mode))                            \
  X(StreamEndCapture, cuStreamEndCapture, (CUstream_st* stream, CUgraph_st** graph))                         \
  X(EventCreate, cuEventCreate, (CUevent_st** event, unsigned flags))                                        \
  X(EventDestroy, cuEventDestroy_v2, (CUevent_st* event))                                                    \
  X(EventRecord, cuEventRecord, (CUevent_st* event, CUstream_st* stream))                                    \
  X(EventSynchronize, cuEventSynchronize, (CUevent_st* event))                                               \
  X(EventElapsedTime, cuEventElapsedTime, (float* milliseconds, CUevent_st* start, CUevent_st* end))         \
  X(GraphInstantiate, cuGraphInstantiateWithFlags, (CUgraphExec_st** exec, CUgraph_st* graph, unsigned long long flags)) \
  X(GraphLaunch, cuGraphLaunch, (CUgraphExec_st* exec, CUstream_st* stream))                                 \
  X(GraphExecDestroy, cuGraphExecDestroy, (CUgraphExec_st* exec))                                            \
  X(GraphDestroy, cuGraphDestroy, (CUgraph_st* graph))                                                       \
  X(ModuleLoadData, cuModuleLoadData, (CUmod_st** module, const void* image))                                \
  X(ModuleUnload, cuModuleUnload, (CUmod_st* module))                                                        \
  X(ModuleGetFunction, cuModuleGetFunction, (CUfunc_st** function, CUmod_st* module, const char* name))      \
  X(FuncSetAttribute, cuFuncSetAttribute, (CUfunc_st* function, int attribute, int value))                   \
  X(LaunchKernel, cuLaunchKernel,                                                                            \
    (CUfunc_st* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
     unsigned block_z, unsigned shared_bytes, CUstream_st* stream, void** parameters, void** extra))
// clang-format on

}  // namespace clip::cu

#endif  // CLIP_CUDRIVER_CALLS_H_
