#include "geometry.h"

#include <algorithm>
#include <cmath>

namespace clip_image {
namespace {

// round((n - size) / 2), halves to even, as Python rounds.
int64_t CropOffset(int64_t n, int size) {
  const int64_t difference = n - size;
  int64_t half = difference / 2;
  if (difference % 2 != 0 && half % 2 != 0) ++half;
  return half;
}

}  // namespace

Geometry Fit(int width, int height, int size) {
  Geometry g;
  g.width = width;
  g.height = height;
  g.size = size;
  const int shorter = std::min(width, height);
  const int longer = std::max(width, height);
  g.resampled = shorter != size;
  // Python: int(size * long / short), a correctly rounded division of integers, then cut.
  const int64_t resized_longer =
      g.resampled ? static_cast<int64_t>(static_cast<double>(static_cast<int64_t>(size) * longer) / shorter)
                  : longer;
  g.resized_width = width <= height ? size : resized_longer;
  g.resized_height = width <= height ? resized_longer : size;
  g.left = CropOffset(g.resized_width, size);
  g.top = CropOffset(g.resized_height, size);
  const int64_t width_loss = width - g.resized_width;
  const int64_t height_loss = height - g.resized_height;
  g.height_first = height_loss > 0 && height_loss > 2 * width_loss;
  return g;
}

}  // namespace clip_image
