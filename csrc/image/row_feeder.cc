#include "row_feeder.h"

#include <algorithm>
#include <string>

#include "failure.h"
#include "kernels.h"

namespace clip_image {

RowFeeder::RowFeeder(Resizer* resizer)
    : resizer_(resizer), wide_(resizer->mode() == Mode::kGray16 || resizer->mode() == Mode::kGray32) {
  if (wide_) return;
  const size_t columns = static_cast<size_t>(resizer->end_column() - resizer->first_column());
  scratch_stride_ = columns * 4 + kRowPadding;
  scratch_.resize(scratch_stride_ * kRowsAtOnce);
}

void RowFeeder::Push(int row, int count, const uint8_t* rows, size_t stride) {
  const int skipped_rows = std::max(0, resizer_->next_row() - row);
  if (skipped_rows > 0) {
    row += skipped_rows;
    count -= skipped_rows;
    rows += stride * static_cast<size_t>(skipped_rows);
  }
  count = std::min(count, resizer_->end_row() - row);
  if (count <= 0 || resizer_->complete()) return;
  if (row > resizer_->next_row()) {
    throw Failure(CLIP_IMAGE_INTERNAL, "BUG: row " + std::to_string(row) + " was given where row " +
                                           std::to_string(resizer_->next_row()) + " is needed");
  }
  const Mode mode = resizer_->mode();
  const int columns = resizer_->end_column() - resizer_->first_column();
  rows += static_cast<size_t>(resizer_->first_column()) * static_cast<size_t>(PixelBytes(mode));
  const uint8_t* batch[kRowsAtOnce];
  for (int i = 0; i < count; i += kRowsAtOnce) {
    const int some = std::min(kRowsAtOnce, count - i);
    for (int r = 0; r < some; ++r) {
      const uint8_t* from = rows + stride * static_cast<size_t>(i + r);
      batch[r] = from;
      if (wide_) continue;
      uint8_t* widened = &scratch_[scratch_stride_ * static_cast<size_t>(r)];
      LoadPixels(mode, resizer_->premultiplied(), from, columns, widened);
      batch[r] = widened;
    }
    resizer_->Push(batch, some);
  }
}

}  // namespace clip_image
