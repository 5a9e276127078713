#include <algorithm>
#include <cstring>
#include <vector>

#include "axis.h"
#include "kernels.h"
#include "resizer.h"

namespace clip_image {
namespace {

// No resampling: the square is cut out of the picture.
class Cropper : public Resizer {
 public:
  Cropper(const Geometry& geometry, Mode mode, uint8_t* rgb) : Resizer(geometry, mode, rgb) {
    first_row_ = next_row_ = static_cast<int>(geometry.top);
    end_row_ = first_row_ + geometry.size;
    first_column_ = static_cast<int>(geometry.left);
    end_column_ = first_column_ + geometry.size;
  }

  void Push(const uint8_t* const* rows, int count) override {
    for (int i = 0; i < count; ++i, ++next_row_) {
      StoreRgb(mode_, false, rows[i], geometry_.size, rgb_row(next_row_ - first_row_));
    }
  }
};

// Two passes, each rounded to 8 bits and clamped. The ring keeps the last rows of the first stage: filtered
// rows when the width goes first, rows as they came when the height goes first.
class Resizer8 : public Resizer {
 public:
  Resizer8(const Geometry& geometry, Mode mode, uint8_t* rgb, const Kernels& kernels)
      : Resizer(geometry, mode, rgb), kernels_(kernels) {
    const Axis columns = MakeAxis(geometry.width, geometry.resized_width, geometry.left, geometry.size);
    rows_ = MakeAxis(geometry.height, geometry.resized_height, geometry.top, geometry.size);
    first_row_ = next_row_ = rows_.first();
    end_row_ = rows_.end();
    first_column_ = columns.first();
    end_column_ = columns.end();
    packed_columns_ = kernels.pack_columns(Windowed(columns));
    packed_rows_ = kernels.pack_rows(rows_);

    output_bytes_ = RowBytes(geometry.size);
    line_.assign(output_bytes_, 0);
    input_bytes_ = static_cast<size_t>(end_column_ - first_column_) * 4;
    ring_bytes_ =
        (geometry.height_first ? RowBytes(end_column_ - first_column_) : output_bytes_) + kRowPadding;
    // Rows that come together must not push out those that the next output row still needs.
    ring_rows_ = rows_.max_taps + kRowsAtOnce - 1;
    ring_.assign(ring_bytes_ * ring_rows_, 0);
    if (geometry.height_first) between_.assign(ring_bytes_, 0);
    taken_.resize(rows_.stride);
  }

  void Push(const uint8_t* const* rows, int count) override {
    uint8_t* slots[kRowsAtOnce];
    for (int i = 0; i < count; ++i) slots[i] = Slot(next_row_ + i);
    if (geometry_.height_first) {
      for (int i = 0; i < count; ++i) std::memcpy(slots[i], rows[i], input_bytes_);
    } else {
      kernels_.horizontal(packed_columns_, rows, slots, count);
    }
    next_row_ += count;
    while (done_ < rows_.count && rows_.start[done_] + rows_.taps[done_] <= next_row_) Emit(done_++);
  }

 private:
  uint8_t* Slot(int row) { return &ring_[ring_bytes_ * ((row - first_row_) % ring_rows_)]; }

  // Computes output row `y`, whose inputs are all in the ring.
  void Emit(int y) {
    const int taps = rows_.taps[y];
    const int padded = (taps + 3) / 4 * 4;
    for (int t = 0; t < padded; ++t) taken_[t] = Slot(rows_.start[y] + std::min(t, taps - 1));
    const int32_t* weights = packed_rows_.row(y);
    if (geometry_.height_first) {
      kernels_.vertical(taken_.data(), weights, padded, between_.data(), ring_bytes_ - kRowPadding);
      const uint8_t* in[] = {between_.data()};
      uint8_t* out[] = {line_.data()};
      kernels_.horizontal(packed_columns_, in, out, 1);
    } else {
      kernels_.vertical(taken_.data(), weights, padded, line_.data(), output_bytes_);
    }
    StoreRgb(mode_, premultiplied(), line_.data(), geometry_.size, rgb_row(y));
  }

  const Kernels& kernels_;
  Axis rows_;
  PackedColumns packed_columns_;
  PackedRows packed_rows_;
  size_t input_bytes_ = 0;
  size_t output_bytes_ = 0;
  size_t ring_bytes_ = 0;
  int ring_rows_ = 0;
  int done_ = 0;                       // output rows that are ready
  std::vector<uint8_t> line_;          // one row that comes out, four bytes a pixel
  std::vector<uint8_t> ring_;          // [ring_rows_, ring_bytes_]
  std::vector<uint8_t> between_;       // one row between the passes, when the height goes first
  std::vector<const uint8_t*> taken_;  // rows of the ring that go into one output row
};

}  // namespace

std::unique_ptr<Resizer> MakeResizer8(const Geometry& geometry, Mode mode, uint8_t* rgb,
                                      const Kernels& kernels) {
  if (!geometry.resampled) return std::make_unique<Cropper>(geometry, mode, rgb);
  return std::make_unique<Resizer8>(geometry, mode, rgb, kernels);
}

std::unique_ptr<Resizer> MakeResizer(const Geometry& geometry, Mode mode, uint8_t* rgb) {
  if (mode == Mode::kGray16 || mode == Mode::kGray32) return MakeResizer16(geometry, mode, rgb);
  return MakeResizer8(geometry, mode, rgb, BestKernels());
}

}  // namespace clip_image
