#include "failure.h"

#include <algorithm>
#include <cstring>

namespace clip_image {

void WriteError(const char* message, char* error, size_t capacity) {
  if (error == nullptr || capacity == 0) return;
  const size_t length = std::min(std::strlen(message), capacity - 1);
  std::memcpy(error, message, length);
  error[length] = '\0';
}

void CheckSize(int64_t width, int64_t height, int64_t max_pixels) {
  const std::string declared = std::to_string(width) + "×" + std::to_string(height);
  if (width < 1 || height < 1) throw Invalid(declared + ": a picture needs at least one pixel each way");
  if (width > INT32_MAX || height > INT32_MAX || width > max_pixels / height) {
    throw Failure(CLIP_IMAGE_TOO_LARGE,
                  declared + ": more than the limit of " + std::to_string(max_pixels) + " pixels");
  }
}

void CheckOptions(const clip_image_options* options) {
  if (options == nullptr || options->size != sizeof(clip_image_options)) {
    throw Failure(CLIP_IMAGE_INTERNAL, "BUG: clip_image_options of another version of clip_image.h");
  }
  if (options->output < 1 || options->output > 4096) {
    throw Failure(CLIP_IMAGE_INTERNAL,
                  "output side " + std::to_string(options->output) + " is not between 1 and 4096");
  }
  if (options->max_pixels < 1) {
    throw Failure(CLIP_IMAGE_INTERNAL,
                  "max_pixels must be at least 1, got " + std::to_string(options->max_pixels));
  }
}

}  // namespace clip_image
