// WebP through libwebp. The first frame of an animation lies on a transparent canvas, as libwebp's animation
// decoder, which Pillow uses, puts it.
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>
#include <string>

#include "decode.h"
#include "failure.h"
#include "resizer.h"
#include "row_feeder.h"

namespace clip_image {
namespace {

struct DemuxerDelete {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

struct Frame {
  WebPIterator iterator = {};
  ~Frame() { WebPDemuxReleaseIterator(&iterator); }
};

const char* Reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "data ends early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "the file uses a feature that libwebp does not support";
    default:
      return "the data of the picture is broken";
  }
}

// Decodes the frame into its place on the canvas of `width` pixels, four bytes each.
void DecodeFrame(const WebPIterator& frame, int width, uint8_t* canvas) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw Failure(CLIP_IMAGE_INTERNAL, "libwebp is of another version");
  const size_t stride = static_cast<size_t>(width) * 4;
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba =
      canvas + stride * static_cast<size_t>(frame.y_offset) + 4 * static_cast<size_t>(frame.x_offset);
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size =
      stride * static_cast<size_t>(frame.height - 1) + static_cast<size_t>(frame.width) * 4;
  const VP8StatusCode status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
  if (status != VP8_STATUS_OK) throw Invalid(Reason(status));
}

}  // namespace

void DecodeWebp(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(data, length, &features);
  if (status != VP8_STATUS_OK)
    throw Invalid(status == VP8_STATUS_NOT_ENOUGH_DATA ? "data ends early" : "the header is broken");
  CheckSize(features.width, features.height, options.max_pixels);
  const std::string sized = std::to_string(features.width) + "×" + std::to_string(features.height) + ": ";

  const WebPData bytes = {data, length};
  const std::unique_ptr<WebPDemuxer, DemuxerDelete> demuxer(WebPDemux(&bytes));
  if (demuxer == nullptr) throw Invalid(sized + "data ends early or its parts do not fit together");
  const int width = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  const int height = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  CheckSize(width, height, options.max_pixels);
  Frame frame;
  if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame.iterator)) throw Invalid(sized + "there is no frame");
  const WebPIterator& at = frame.iterator;
  if (at.width < 1 || at.height < 1 || at.x_offset < 0 || at.y_offset < 0 || at.width > width - at.x_offset ||
      at.height > height - at.y_offset) {
    throw Invalid(sized + "the first frame lies outside of the picture");
  }

  const size_t stride = static_cast<size_t>(width) * 4;
  // calloc: pages of a large picture are zero without being written.
  const std::unique_ptr<uint8_t, void (*)(void*)> canvas(
      static_cast<uint8_t*>(std::calloc(static_cast<size_t>(height), stride)), std::free);
  if (canvas == nullptr) throw std::bad_alloc();
  try {
    DecodeFrame(at, width, canvas.get());
  } catch (const Failure& failure) {
    throw Failure(failure.status(), sized + failure.what());
  }
  const auto resizer = MakeResizer(Fit(width, height, static_cast<int>(options.output)),
                                   features.has_alpha ? Mode::kRgba : Mode::kRgbx, rgb);
  RowFeeder(resizer.get()).Push(0, height, canvas.get(), stride);
}

}  // namespace clip_image
