// What the preprocessor keeps for each picture of a call and for each wave.
#ifndef CLIP_CUDA_PREPROCESS_PLAN_H_
#define CLIP_CUDA_PREPROCESS_PLAN_H_

#include <cstddef>
#include <memory>

#include "geometry.h"
#include "preprocess.h"

namespace clip::pictures {

inline constexpr size_t kReadAhead = 64;  // zeros behind the bytes of a JPEG, should a decoder look there

struct GpuPreprocessor::Plan {
  Left left = Left::kNo;
  bool jpeg = false;
  bool hardware = false;  // the batch decoder takes it
  JpegInfo info;
  clip_image::Geometry geometry;
  std::shared_ptr<const PackedAxis> columns, rows;  // nullptr where nothing is resampled
  // The part of the picture that has influence.
  int first_column = 0, end_column = 0, first_row = 0, end_row = 0;
  // Of the wave's memory: bytes wanted, and where they are.
  size_t plane_bytes[3] = {}, plane_pitch[3] = {};
  size_t between_bytes = 0;
  size_t rgb_bytes = 0;  // of the part, packed
  size_t plane_at[3] = {}, between_at = 0, bytes_at = 0, rgb_at = 0;

  size_t scratch_bytes() const {
    size_t sum = RoundUp(between_bytes, kPartAlignment);
    for (const size_t bytes : plane_bytes) sum += RoundUp(bytes, kPartAlignment);
    return sum;
  }
  size_t jpeg_bytes() const { return jpeg ? RoundUp(info.length + kReadAhead, kPartAlignment) : 0; }
};

struct GpuPreprocessor::Slot {
  explicit Slot(PreprocessDevice* device)
      : device(device),
        jpegs(device, Arena::kPinned),
        upload(device, Arena::kPinned),
        uploaded(device, Arena::kDevice),
        scratch(device, Arena::kDevice),
        done(device->CreateEvent()) {}
  ~Slot() { device->DestroyEvent(done); }

  PreprocessDevice* device;
  Arena jpegs;   // files, as nvJPEG reads them
  Arena upload;  // tables, tasks and RGB pixels, on the host and, the same bytes, on the GPU
  Arena uploaded;
  Arena scratch;         // planes, and pixels between the passes
  size_t rgb_total = 0;  // bytes at the beginning of upload that hold RGB pixels
  Event done;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_PLAN_H_
