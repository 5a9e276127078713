// A stand-in for libnvidia-ml.so.1 with two GPUs, compiled by TestRealBindings against go-nvml's header. It
// is an old driver: most functions are missing. Soon after somebody waits for events, GPU 1 reports XID 79.
#include <nvml.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct nvmlDevice_st {
  unsigned index;
};
static struct nvmlDevice_st devices[2] = {{0}, {1}};
static atomic_int reported;
static atomic_int registered;

nvmlReturn_t nvmlInit_v2(void) { return NVML_SUCCESS; }
nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }
const char* nvmlErrorString(nvmlReturn_t result) { return result == NVML_SUCCESS ? "fine" : "not fine"; }

nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned length) {
  snprintf(version, length, "470.57.02");
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* version) {
  *version = 11040;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t* device) {
  if (index >= 2) return NVML_ERROR_INVALID_ARGUMENT;
  device->handle = &devices[index];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned length) {
  snprintf(uuid, length, "GPU-%08x-d72c-4106-c12f-20bd9faed9f6", 0x8932f937 + device.handle->index);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  for (unsigned i = 0; i < 2; i++) {
    char own[NVML_DEVICE_UUID_BUFFER_SIZE];
    nvmlDeviceGetUUID((nvmlDevice_t){&devices[i]}, own, sizeof own);
    if (strcmp(own, uuid) == 0) return nvmlDeviceGetHandleByIndex_v2(i, device);
  }
  return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned length) {
  snprintf(name, length, device.handle->index == 0 ? "NVIDIA A30" : "Tesla T4");
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  memset(pci, 0, sizeof *pci);
  pci->bus = 0x3b + device.handle->index;
  snprintf(pci->busId, sizeof pci->busId, "00000000:%02X:00.0", pci->bus);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major, int* minor) {
  *major = device.handle->index == 0 ? 8 : 7;
  *minor = device.handle->index == 0 ? 0 : 5;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  memory->total = (device.handle->index == 0 ? 24ULL : 15ULL) << 30;
  memory->used = 1ULL << 30;
  memory->free = memory->total - memory->used;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned size, unsigned long* set,
                                                 nvmlAffinityScope_t scope) {
  (void)scope;
  memset(set, 0, size * sizeof *set);
  set[0] = device.handle->index == 0 ? 0x0f : 0xf0;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* utilization) {
  utilization->gpu = 50 + device.handle->index;
  utilization->memory = 20;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long* reasons) {
  (void)device;
  *reasons = nvmlClocksEventReasonSwThermalSlowdown;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long* types) {
  (void)device;
  *types = nvmlEventTypeXidCriticalError;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t* set) {
  set->handle = (struct nvmlEventSet_st*)devices;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
  (void)set;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
  (void)device;
  if (types != nvmlEventTypeXidCriticalError || set.handle != (struct nvmlEventSet_st*)devices)
    return NVML_ERROR_INVALID_ARGUMENT;
  registered++;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t* data, unsigned milliseconds) {
  (void)set;
  if (registered == 2 && atomic_exchange(&reported, 1) == 0) {
    data->device.handle = &devices[1];
    data->eventType = nvmlEventTypeXidCriticalError;
    data->eventData = 79;
    data->gpuInstanceId = data->computeInstanceId = 0xffffffff;
    return NVML_SUCCESS;
  }
  usleep(milliseconds * 100);
  return NVML_ERROR_TIMEOUT;
}
