#include "mode.h"

#include <algorithm>
#include <cstring>

namespace clip_image {
namespace {

// a * b / 255, rounded as Pillow does it.
uint8_t Multiply255(unsigned a, unsigned b) {
  const unsigned t = a * b + 128;
  return static_cast<uint8_t>((t + (t >> 8)) >> 8);
}

uint8_t Unmultiply(unsigned colour, unsigned alpha) {
  if (alpha == 0 || alpha == 255) return static_cast<uint8_t>(colour);
  return static_cast<uint8_t>(std::min(255u, 255 * colour / alpha));
}

void LoadRgba(bool premultiply, const uint8_t* in, int count, uint8_t* out) {
  if (!premultiply) {
    std::memcpy(out, in, static_cast<size_t>(count) * 4);
    return;
  }
  for (int i = 0; i < count; ++i, in += 4, out += 4) {
    for (int c = 0; c < 3; ++c) out[c] = Multiply255(in[c], in[3]);
    out[3] = in[3];
  }
}

void StoreCmyk(const uint8_t* in, int count, uint8_t* rgb) {
  for (int i = 0; i < count; ++i, in += 4, rgb += 3) {
    const int light = 255 - in[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(std::max(0, light - Multiply255(in[c], light)));
  }
}

}  // namespace

int PixelBytes(Mode mode) {
  switch (mode) {
    case Mode::kGray:
      return 1;
    case Mode::kGrayAlpha:
    case Mode::kGray16:
    case Mode::kGray32:
      return 2;
    case Mode::kRgb:
      return 3;
    case Mode::kRgba:
    case Mode::kRgbx:
    case Mode::kCmyk:
      return 4;
  }
  return 0;
}

void LoadPixels(Mode mode, bool premultiply, const uint8_t* in, int count, uint8_t* out) {
  switch (mode) {
    case Mode::kGray:
      for (int i = 0; i < count; ++i) std::memset(out + 4 * i, in[i], 4);
      break;
    case Mode::kGrayAlpha:
      for (int i = 0; i < count; ++i) {
        const uint8_t alpha = in[2 * i + 1];
        std::memset(out + 4 * i, premultiply ? Multiply255(in[2 * i], alpha) : in[2 * i], 3);
        out[4 * i + 3] = alpha;
      }
      break;
    case Mode::kRgb:
      for (int i = 0; i < count; ++i) {
        std::memcpy(out + 4 * i, in + 3 * i, 3);
        out[4 * i + 3] = 0;
      }
      break;
    case Mode::kRgba:
      LoadRgba(premultiply, in, count, out);
      break;
    case Mode::kRgbx:
    case Mode::kCmyk:
      std::memcpy(out, in, static_cast<size_t>(count) * 4);
      break;
    case Mode::kGray16:
    case Mode::kGray32:
      break;
  }
}

void StoreRgb(Mode mode, bool premultiplied, const uint8_t* in, int count, uint8_t* rgb) {
  if (mode == Mode::kCmyk) {
    StoreCmyk(in, count, rgb);
    return;
  }
  if (premultiplied && (mode == Mode::kRgba || mode == Mode::kGrayAlpha)) {
    for (int i = 0; i < count; ++i) {
      for (int c = 0; c < 3; ++c) rgb[3 * i + c] = Unmultiply(in[4 * i + c], in[4 * i + 3]);
    }
    return;
  }
  // Four bytes are written for three; the next pixel overwrites the fourth.
  for (int i = 0; i + 1 < count; ++i) std::memcpy(rgb + 3 * i, in + 4 * i, 4);
  std::memcpy(rgb + 3 * (count - 1), in + 4 * (count - 1), 3);
}

}  // namespace clip_image
