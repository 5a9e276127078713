#include "row_feeder.h"

#include <string>

#include "failure.h"
#include "kernels.h"

namespace clip_image {

RowFeeder::RowFeeder(Resizer* resizer)
    : resizer_(resizer), wide_(resizer->mode() == Mode::kGray16 || resizer->mode() == Mode::kGray32) {
  if (wide_) return;
  const size_t columns = static_cast<size_t>(resizer->end_column() - resizer->first_column());
  scratch_.resize(columns * 4 + kRowPadding);
}

void RowFeeder::Push(int row, int count, const uint8_t* rows, size_t stride) {
  const Mode mode = resizer_->mode();
  const int first = resizer_->first_column();
  const size_t skipped = static_cast<size_t>(first) * static_cast<size_t>(PixelBytes(mode));
  for (int i = 0; i < count; ++i, ++row) {
    if (resizer_->complete()) return;
    if (row < resizer_->next_row()) continue;
    if (row > resizer_->next_row()) {
      throw Failure(CLIP_IMAGE_INTERNAL, "BUG: row " + std::to_string(row) + " was given where row " +
                                             std::to_string(resizer_->next_row()) + " is needed");
    }
    const uint8_t* from = rows + stride * static_cast<size_t>(i) + skipped;
    if (!wide_) {
      LoadPixels(mode, resizer_->premultiplied(), from, resizer_->end_column() - first, scratch_.data());
      from = scratch_.data();
    }
    resizer_->Push(from);
  }
}

}  // namespace clip_image
