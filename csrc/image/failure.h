// How errors travel inside the layer and how they leave it.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "clip_image.h"

namespace clip_image {

// Thrown inside the layer; turned into a status and a sentence at the C edge.
class Failure : public std::exception {
 public:
  Failure(clip_image_status status, std::string message) : status_(status), message_(std::move(message)) {}

  clip_image_status status() const { return status_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  clip_image_status status_;
  std::string message_;
};

inline Failure Invalid(std::string message) { return Failure(CLIP_IMAGE_INVALID, std::move(message)); }

// Writes `message` to the caller's buffer, cut to fit, always terminated.
void WriteError(const char* message, char* error, size_t capacity);

// Runs `body` and turns whatever it throws into a status and a sentence.
template <typename Body>
clip_image_status Guard(char* error, size_t capacity, Body body) {
  try {
    body();
    return CLIP_IMAGE_OK;
  } catch (const Failure& failure) {
    WriteError(failure.what(), error, capacity);
    return failure.status();
  } catch (const std::bad_alloc&) {
    WriteError("out of memory", error, capacity);
    return CLIP_IMAGE_OUT_OF_MEMORY;
  } catch (const std::exception& other) {
    WriteError(other.what(), error, capacity);
    return CLIP_IMAGE_INTERNAL;
  }
}

// Throws when width x height is not between 1 and max_pixels.
void CheckSize(int64_t width, int64_t height, int64_t max_pixels);

// Throws when the options are not what this version of the header says.
void CheckOptions(const clip_image_options* options);

}  // namespace clip_image
