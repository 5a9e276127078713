// The modes of decoded rows: how they become the four-byte pixels that are resized, and those become RGB.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clip_image {

enum class Mode { kGray, kGrayAlpha, kRgb, kRgba, kRgbx, kCmyk, kGray16, kGray32 };

// Bytes of a pixel as the caller gives it.
int PixelBytes(Mode mode);

// Widens `count` pixels to four bytes: gray is repeated. With `premultiply` colours are multiplied by alpha
// where the mode has one. Not for the 16-bit modes.
void LoadPixels(Mode mode, bool premultiply, const uint8_t* in, int count, uint8_t* out);

// Turns `count` four-byte pixels into RGB; the inverse of `premultiply` comes first.
void StoreRgb(Mode mode, bool premultiplied, const uint8_t* in, int count, uint8_t* rgb);

}  // namespace clip_image
