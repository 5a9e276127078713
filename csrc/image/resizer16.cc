// 16-bit gray: sums in double, in Pillow's order. It is rare and has no vector form. The file is compiled
// without contraction to fused multiply-adds, so that every machine rounds alike.
#include <algorithm>
#include <cstring>
#include <vector>

#include "axis.h"
#include "resizer.h"

namespace clip_image {
namespace {

class Resizer16 : public Resizer {
 public:
  Resizer16(const Geometry& geometry, Mode mode, uint8_t* rgb) : Resizer(geometry, mode, rgb) {
    const int size = geometry.size;
    if (geometry.resampled) {
      columns_ = MakeAxis(geometry.width, geometry.resized_width, geometry.left, size);
      rows_ = MakeAxis(geometry.height, geometry.resized_height, geometry.top, size);
    } else {
      columns_ = Identity(static_cast<int>(geometry.left), size);
      rows_ = Identity(static_cast<int>(geometry.top), size);
    }
    first_row_ = next_row_ = rows_.first();
    end_row_ = rows_.end();
    first_column_ = columns_.first();
    end_column_ = columns_.end();
    width_ = end_column_ - first_column_;
    ring_width_ = geometry.height_first ? width_ : size;
    ring_.resize(static_cast<size_t>(ring_width_) * rows_.max_taps);
    input_.resize(width_);
    between_.resize(width_);
    line_.resize(size);
  }

  void Push(const uint8_t* const* rows, int count) override {
    for (int i = 0; i < count; ++i) PushOne(rows[i]);
  }

 private:
  void PushOne(const uint8_t* row) {
    for (int x = 0; x < width_; ++x) {
      uint16_t value;
      std::memcpy(&value, row + 2 * x, 2);
      input_[x] = value;
    }
    int32_t* slot = Slot(next_row_);
    if (geometry_.height_first) {
      std::copy(input_.begin(), input_.end(), slot);
    } else {
      Horizontal(input_.data(), slot);
    }
    ++next_row_;
    while (done_ < rows_.count && rows_.start[done_] + rows_.taps[done_] <= next_row_) Emit(done_++);
  }

  static Axis Identity(int offset, int count) {
    Axis axis;
    axis.count = count;
    axis.max_taps = axis.stride = 1;
    for (int i = 0; i < count; ++i) axis.start.push_back(offset + i);
    axis.taps.assign(count, 1);
    axis.weights.assign(count, 1.0);
    return axis;
  }

  int32_t* Slot(int row) {
    return &ring_[static_cast<size_t>(ring_width_) * ((row - first_row_) % rows_.max_taps)];
  }

  int32_t Round(double sum) const {
    const int32_t value = static_cast<int32_t>(sum >= 0.0 ? sum + 0.5 : sum - 0.5);
    return mode_ == Mode::kGray16 ? std::clamp(value, 0, 65535) : value;
  }

  void Horizontal(const int32_t* in, int32_t* out) const {
    for (int i = 0; i < columns_.count; ++i) {
      const double* weights = &columns_.weights[static_cast<size_t>(i) * columns_.stride];
      const int32_t* from = in + (columns_.start[i] - first_column_);
      double sum = 0.0;
      for (int t = 0; t < columns_.taps[i]; ++t) sum += from[t] * weights[t];
      out[i] = Round(sum);
    }
  }

  void Vertical(int y, int32_t* out) {
    const double* weights = &rows_.weights[static_cast<size_t>(y) * rows_.stride];
    for (int x = 0; x < ring_width_; ++x) {
      double sum = 0.0;
      for (int t = 0; t < rows_.taps[y]; ++t) sum += Slot(rows_.start[y] + t)[x] * weights[t];
      out[x] = Round(sum);
    }
  }

  void Emit(int y) {
    if (geometry_.height_first) {
      Vertical(y, between_.data());
      Horizontal(between_.data(), line_.data());
    } else {
      Vertical(y, line_.data());
    }
    uint8_t* rgb = rgb_row(y);
    for (const int32_t value : line_) {
      std::memset(rgb, std::clamp(value, 0, 255), 3);
      rgb += 3;
    }
  }

  Axis columns_;
  Axis rows_;
  int width_ = 0;       // columns that have influence
  int ring_width_ = 0;  // samples in a row of the ring
  int done_ = 0;
  std::vector<int32_t> ring_;
  std::vector<int32_t> input_;
  std::vector<int32_t> between_;
  std::vector<int32_t> line_;
};

}  // namespace

std::unique_ptr<Resizer> MakeResizer16(const Geometry& geometry, Mode mode, uint8_t* rgb) {
  return std::make_unique<Resizer16>(geometry, mode, rgb);
}

}  // namespace clip_image
