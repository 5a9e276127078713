// An nvJPEG whose pictures come from libjpeg, planes as they are encoded. Work goes on the streams of a
// HostDevice, in the library's own order: pinned buffer, device buffer, planes.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "host_device.h"
#include "preprocess_nvjpeg.h"

namespace clip::pictures {

// What the next decoder does. Set before it is made; one at a time in a process.
struct FakeNvJpegScript {
  HostDevice* device = nullptr;
  bool hardware = true;      // there is a hardware decoder
  int create_status = 0;     // of the handle for single pictures
  const char* failing = "";  // this call, by the name of its field, fails
  // Whether a picture is refused: by the hardware's question, in a batch, by the host's step, by the GPU's.
  std::function<bool(const unsigned char*, size_t)> unsupported, bad_in_batch, bad_on_host, bad_on_device;
  // Counts.
  size_t live = 0;              // objects not destroyed
  std::vector<size_t> batches;  // sizes of those decoded
  size_t singles = 0;
};

FakeNvJpegScript& Script();
const NvJpeg& FakeNvJpeg();

// Whether libjpeg reads the file to its end without a warning.
bool Decodable(const unsigned char* data, size_t length);

}  // namespace clip::pictures
