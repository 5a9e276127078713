// Pictures made for the tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clip_image {

// Bytes that look random but are the same in every run.
std::vector<uint8_t> NoiseBytes(size_t count, uint32_t seed);

struct JpegOptions {
  int width = 64;
  int height = 64;
  int components = 3;  // 1, 3 or 4
  int horizontal = 2;  // sampling factors of the first component; the others have 1
  int vertical = 2;
  bool progressive = false;
  int restart_rows = 0;
  uint32_t seed = 1;
};

// A picture of smooth gradients, edges and noise, encoded.
std::vector<uint8_t> MakeJpeg(const JpegOptions& options);

}  // namespace clip_image
