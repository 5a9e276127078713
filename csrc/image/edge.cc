// The C edge: plain arguments in, statuses and sentences out.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "clip_image.h"
#include "decode.h"
#include "failure.h"
#include "kernels.h"
#include "resizer.h"
#include "row_feeder.h"

using clip_image::Failure;

struct clip_image_resizer {
  std::vector<uint8_t> rgb;  // what comes out; copied to the caller at the end
  std::unique_ptr<clip_image::Resizer> resizer;
  std::unique_ptr<clip_image::RowFeeder> feeder;
};

namespace {

using Decoder = void (*)(const uint8_t*, size_t, const clip_image_options&, uint8_t*);

clip_image_status Decode(Decoder decode, const uint8_t* data, size_t length,
                         const clip_image_options* options, uint8_t* pixels, char* error, size_t capacity) {
  return clip_image::Guard(error, capacity, [&] {
    clip_image::CheckOptions(options);
    if (data == nullptr || length == 0) throw clip_image::Invalid("no data");
    decode(data, length, *options, pixels);
  });
}

clip_image::Mode ToMode(clip_image_mode mode) {
  using clip_image::Mode;
  switch (mode) {
    case CLIP_IMAGE_GRAY:
      return Mode::kGray;
    case CLIP_IMAGE_GRAY_ALPHA:
      return Mode::kGrayAlpha;
    case CLIP_IMAGE_RGB:
      return Mode::kRgb;
    case CLIP_IMAGE_RGBA:
      return Mode::kRgba;
    case CLIP_IMAGE_RGBX:
      return Mode::kRgbx;
    case CLIP_IMAGE_CMYK:
      return Mode::kCmyk;
    case CLIP_IMAGE_GRAY16:
      return Mode::kGray16;
    case CLIP_IMAGE_GRAY32:
      return Mode::kGray32;
  }
  throw Failure(CLIP_IMAGE_INTERNAL, "BUG: clip_image_mode " + std::to_string(static_cast<int>(mode)));
}

}  // namespace

extern "C" {

clip_image_status clip_image_jpeg(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity) {
  return Decode(clip_image::DecodeJpeg, data, length, options, pixels, error, error_capacity);
}

clip_image_status clip_image_webp(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity) {
  return Decode(clip_image::DecodeWebp, data, length, options, pixels, error, error_capacity);
}

clip_image_status clip_image_avif(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity) {
  return Decode(clip_image::DecodeAvif, data, length, options, pixels, error, error_capacity);
}

clip_image_status clip_image_resizer_open(int32_t width, int32_t height, clip_image_mode mode,
                                          const clip_image_options* options, clip_image_resizer** resizer,
                                          int32_t* first_row, int32_t* end_row, char* error,
                                          size_t error_capacity) {
  *resizer = nullptr;
  return clip_image::Guard(error, error_capacity, [&] {
    clip_image::CheckOptions(options);
    clip_image::CheckSize(width, height, options->max_pixels);
    auto made = std::make_unique<clip_image_resizer>();
    made->rgb.resize(static_cast<size_t>(options->output) * options->output * 3);
    made->resizer = clip_image::MakeResizer(clip_image::Fit(width, height, static_cast<int>(options->output)),
                                            ToMode(mode), made->rgb.data());
    made->feeder = std::make_unique<clip_image::RowFeeder>(made->resizer.get());
    *first_row = made->resizer->first_row();
    *end_row = made->resizer->end_row();
    *resizer = made.release();
  });
}

clip_image_status clip_image_resizer_push(clip_image_resizer* resizer, int32_t row, int32_t count,
                                          const void* rows, size_t stride, char* error,
                                          size_t error_capacity) {
  return clip_image::Guard(error, error_capacity, [&] {
    resizer->feeder->Push(row, count, static_cast<const uint8_t*>(rows), stride);
  });
}

clip_image_status clip_image_resizer_finish(clip_image_resizer* resizer, uint8_t* pixels, char* error,
                                            size_t error_capacity) {
  return clip_image::Guard(error, error_capacity, [&] {
    if (!resizer->resizer->complete()) {
      throw Failure(CLIP_IMAGE_INTERNAL,
                    "BUG: row " + std::to_string(resizer->resizer->next_row()) + " was never given");
    }
    std::memcpy(pixels, resizer->rgb.data(), resizer->rgb.size());
  });
}

void clip_image_resizer_close(clip_image_resizer* resizer) { delete resizer; }

const char* clip_image_simd(void) { return clip_image::BestKernels().name; }

}  // extern "C"
