// Where the square that comes out lies in the resized picture, after torchvision's Resize and CenterCrop.
#pragma once

#include <cstdint>

namespace clip_image {

struct Geometry {
  int width = 0;  // of the picture, in pixels
  int height = 0;
  int size = 0;               // side of the square that comes out
  int64_t resized_width = 0;  // of the whole resized picture, of which only the square is computed
  int64_t resized_height = 0;
  int64_t left = 0;  // of the square in the resized picture
  int64_t top = 0;
  bool resampled = false;     // false when the shorter side is `size` already
  bool height_first = false;  // Pillow 13 does the height first where it shrinks by more than twice the width
};

// width, height and size are at least 1.
Geometry Fit(int width, int height, int size);

}  // namespace clip_image
