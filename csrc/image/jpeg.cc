// JPEG: bytes to the square, row by row, decoding only the columns that the square needs.
#include <algorithm>
#include <string>
#include <vector>

#include "clip_image.h"
#include "decode.h"
#include "failure.h"
#include "jpeg_reader.h"
#include "kernels.h"
#include "resizer.h"

namespace clip_image {
namespace {

std::string Sized(const JpegReader& reader, const std::string& reason) {
  return std::to_string(reader.width()) + "×" + std::to_string(reader.height()) + ": " + reason;
}

// CMYK is taken as stored inverted, as Adobe's programs do and Pillow assumes.
void Invert(uint8_t* row, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) row[i] = static_cast<uint8_t>(255 - row[i]);
}

void DecodeRows(JpegReader* reader, Resizer* resizer) {
  const size_t bytes = static_cast<size_t>(reader->columns()) * 4;
  const size_t stride = bytes + kRowPadding;
  std::vector<uint8_t> buffer(stride * kRowsAtOnce);
  uint8_t* rows[kRowsAtOnce];
  for (int i = 0; i < kRowsAtOnce; ++i) rows[i] = &buffer[stride * i];
  const size_t skipped = static_cast<size_t>(resizer->first_column() - reader->first_column()) * 4;

  if (!reader->SkipTo(resizer->first_row())) throw Invalid(Sized(*reader, reader->error()));
  while (!resizer->complete()) {
    const int wanted = std::min(kRowsAtOnce, resizer->end_row() - reader->row());
    // The library gives as many rows a call as it has colour rows ready, one or two as a rule.
    for (int count = 0; count < wanted;) {
      const int more = reader->Read(rows + count, wanted - count);
      if (more == 0) throw Invalid(Sized(*reader, reader->error()));
      count += more;
    }
    if (resizer->mode() == Mode::kCmyk) {
      for (int i = 0; i < wanted; ++i) Invert(rows[i], bytes);
    }
    const uint8_t* inside[kRowsAtOnce];
    for (int i = 0; i < wanted; ++i) inside[i] = rows[i] + skipped;
    resizer->Push(inside, wanted);
  }
}

}  // namespace

void DecodeJpeg(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb) {
  JpegReader reader(data, length);
  if (!reader.ReadHeader()) throw Invalid(reader.error());
  CheckSize(reader.width(), reader.height(), options.max_pixels);
  const int components = reader.components();
  if (components != 1 && components != 3 && components != 4) {
    throw Invalid(Sized(reader, std::to_string(components) + " components; 1, 3 and 4 are supported"));
  }
  const Geometry geometry = Fit(reader.width(), reader.height(), static_cast<int>(options.output));
  const auto resizer = MakeResizer(geometry, components == 4 ? Mode::kCmyk : Mode::kRgbx, rgb);
  if (!reader.Start(resizer->first_column(), resizer->end_column())) {
    throw Invalid(Sized(reader, reader.error()));
  }
  DecodeRows(&reader, resizer.get());
  if (!reader.Finish()) throw Invalid(Sized(reader, reader.error()));
}

}  // namespace clip_image
