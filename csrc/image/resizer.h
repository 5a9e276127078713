// Resizing of a picture that comes row by row: rows are filtered as they come and only those that the second
// pass still needs are kept.
#pragma once

#include <cstdint>
#include <memory>

#include "geometry.h"
#include "mode.h"

namespace clip_image {

struct Kernels;

// One resizer for one picture. Rows are pushed from top to bottom.
class Resizer {
 public:
  virtual ~Resizer() = default;

  const Geometry& geometry() const { return geometry_; }
  // The rows and columns that have influence on the square: first, and one past the last.
  int first_row() const { return first_row_; }
  int end_row() const { return end_row_; }
  int first_column() const { return first_column_; }
  int end_column() const { return end_column_; }
  // True once every row with influence was pushed.
  bool complete() const { return next_row_ >= end_row_; }
  int next_row() const { return next_row_; }

  // Takes the next needed rows, next_row() and following; 1 to kRowsAtOnce of them, and not past end_row(). A
  // row points at the pixel of first_column(). 8-bit modes: four-byte pixels as LoadPixels makes them,
  // premultiplied if premultiplied() says so, readable for kRowPadding bytes after end_column(). 16-bit
  // modes: uint16. Allocates nothing and throws nothing.
  virtual void Push(const uint8_t* const* rows, int count) = 0;

  Mode mode() const { return mode_; }
  bool premultiplied() const {
    return geometry_.resampled && (mode_ == Mode::kRgba || mode_ == Mode::kGrayAlpha);
  }

 protected:
  Resizer(const Geometry& geometry, Mode mode, uint8_t* rgb) : geometry_(geometry), mode_(mode), rgb_(rgb) {}

  // Row `y` of what comes out.
  uint8_t* rgb_row(int y) { return rgb_ + static_cast<size_t>(y) * geometry_.size * 3; }

  Geometry geometry_;
  Mode mode_;
  uint8_t* rgb_;
  int first_row_ = 0;
  int end_row_ = 0;
  int first_column_ = 0;
  int end_column_ = 0;
  int next_row_ = 0;
};

// Makes the resizer that fits the mode. It writes size x size x 3 bytes to `rgb`, which must outlive it; they
// are whole once complete().
std::unique_ptr<Resizer> MakeResizer(const Geometry& geometry, Mode mode, uint8_t* rgb);
// The same for the 8-bit modes with a given form of the kernels.
std::unique_ptr<Resizer> MakeResizer8(const Geometry& geometry, Mode mode, uint8_t* rgb,
                                      const Kernels& kernels);
// The same for 16-bit gray.
std::unique_ptr<Resizer> MakeResizer16(const Geometry& geometry, Mode mode, uint8_t* rgb);

}  // namespace clip_image
