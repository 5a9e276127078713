// The decoders of this layer. Each writes the finished square of options.output pixels to `rgb` or throws
// Failure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "clip_image.h"

namespace clip_image {

void DecodeJpeg(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb);
void DecodeWebp(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb);
void DecodeAvif(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb);

}  // namespace clip_image
