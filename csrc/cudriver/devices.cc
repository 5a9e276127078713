#include <algorithm>
#include <charconv>
#include <cstdio>

#include "cudriver.h"

namespace clip::cu {
namespace {

// Compute capabilities from which on matrix units (or, for fp16, the processors themselves) compute a type.
constexpr int kFp16Major = 7, kBf16Major = 8;

Device Describe(const Driver& driver, DeviceId id, int ordinal) {
  Device device;
  device.id = id;
  device.ordinal = ordinal;
  char text[256] = "";
  auto check = [&](Result result) { Check(driver, result, "cannot ask what cuda:", ordinal, " is"); };
  check(driver.DeviceGetName(text, sizeof(text), id));
  device.name = text;
  check(driver.DeviceGetAttribute(&device.major, kAttributeMajor, id));
  check(driver.DeviceGetAttribute(&device.minor, kAttributeMinor, id));
  check(driver.DeviceGetAttribute(&device.multiprocessors, kAttributeMultiprocessors, id));
  check(driver.DeviceTotalMem(&device.memory, id));
  check(driver.DeviceGetPCIBusId(text, sizeof(text), id));
  device.pci = text;
  return device;
}

std::string Names(const std::vector<Device>& devices) {
  std::string text;
  for (const Device& device : devices)
    text += (text.empty() ? "" : ", ") + DeviceText(device) + " (" + device.pci + ")";
  return text;
}

}  // namespace

std::vector<Device> Devices(const Driver& driver) {
  int count = 0;
  Check(driver, driver.DeviceGetCount(&count), "cannot count the GPUs");
  if (count == 0)
    Fail(CLIP_UNAVAILABLE, "the NVIDIA driver finds no GPU; see nvidia-smi and CUDA_VISIBLE_DEVICES");
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i) {
    DeviceId id = 0;
    Check(driver, driver.DeviceGet(&id, i), "cannot use cuda:", i);
    devices.push_back(Describe(driver, id, i));
  }
  return devices;
}

Device FindDevice(const Driver& driver, const std::string& text) {
  std::vector<Device> devices = Devices(driver);
  std::string rest = text;
  bool named = text.rfind("cuda:", 0) == 0;
  if (text == "cuda") return devices[0];
  if (named) {
    rest = text.substr(5);
    size_t ordinal = 0;
    auto read = std::from_chars(rest.data(), rest.data() + rest.size(), ordinal);
    bool number = read.ec == std::errc() && read.ptr == rest.data() + rest.size();
    if (number && ordinal < devices.size()) return devices[ordinal];
    DeviceId id = 0;
    if (!number && driver.DeviceGetByPCIBusId(&id, rest.c_str()) == kSuccess) {
      auto found = std::find_if(devices.begin(), devices.end(), [&](const Device& d) { return d.id == id; });
      if (found != devices.end()) return *found;
    }
  }
  Fail(CLIP_UNAVAILABLE, "there is no device \"", text, "\"; this machine has ", Names(devices),
       ", to be named cuda, cuda:N or cuda:<PCI bus id>");
}

std::string DeviceText(const Device& device) {
  return "cuda:" + std::to_string(device.ordinal) + " " + device.name;
}

uint32_t DevicePrecisions(const Device& device) {
  uint32_t precisions = 1u << CLIP_PRECISION_FP32;
  if (device.major >= kBf16Major) precisions |= 1u << CLIP_PRECISION_BF16;
  if (device.major >= kFp16Major) precisions |= 1u << CLIP_PRECISION_FP16;
  return precisions;
}

std::string PrecisionNames(uint32_t precisions) {
  std::string text = "fp32";
  if (precisions & (1u << CLIP_PRECISION_BF16)) text += " bf16";
  if (precisions & (1u << CLIP_PRECISION_FP16)) text += " fp16";
  return text;
}

std::string DeviceLine(const Device& device) {
  char text[64];
  snprintf(text, sizeof(text), ", %zu GiB, compute capability %d.%d, ", device.memory >> 30, device.major,
           device.minor);
  return DeviceText(device) + text + PrecisionNames(DevicePrecisions(device));
}

}  // namespace clip::cu
