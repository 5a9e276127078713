#include "pictures.h"

#include <cstdio>
#include <cstdlib>

// clang-format off: it needs size_t and FILE before it
#include <jpeglib.h>
// clang-format on

namespace clip_image {

std::vector<uint8_t> NoiseBytes(size_t count, uint32_t seed) {
  std::vector<uint8_t> bytes(count);
  uint32_t state = seed * 2654435761u + 1;
  for (uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

std::vector<uint8_t> MakeJpeg(const JpegOptions& options) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);  // an error ends the test program
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long length = 0;  // NOLINT: the library's type
  jpeg_mem_dest(&info, &memory, &length);
  info.image_width = static_cast<JDIMENSION>(options.width);
  info.image_height = static_cast<JDIMENSION>(options.height);
  info.input_components = options.components;
  info.in_color_space = options.components == 1   ? JCS_GRAYSCALE
                        : options.components == 3 ? JCS_RGB
                                                  : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 85, TRUE);
  info.comp_info[0].h_samp_factor = options.horizontal;
  info.comp_info[0].v_samp_factor = options.vertical;
  if (options.progressive) jpeg_simple_progression(&info);
  info.restart_in_rows = options.restart_rows;
  jpeg_start_compress(&info, TRUE);
  const std::vector<uint8_t> noise = NoiseBytes(4096, options.seed);
  std::vector<uint8_t> row(static_cast<size_t>(options.width) * options.components);
  for (int y = 0; y < options.height; ++y) {
    for (int x = 0; x < options.width; ++x) {
      for (int c = 0; c < options.components; ++c) {
        const int edge = ((x / 13 + y / 11 + c) % 3) * 60;
        const int smooth = (x * (c + 1) + y * (3 - c)) / 4 % 128;
        row[static_cast<size_t>(x) * options.components + c] =
            static_cast<uint8_t>(edge + smooth / 2 + noise[(x * 7 + y * 131 + c) % noise.size()] / 8);
      }
    }
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::vector<uint8_t> bytes(memory, memory + length);
  std::free(memory);
  return bytes;
}

}  // namespace clip_image
