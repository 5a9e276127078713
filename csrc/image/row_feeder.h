// Rows of any mode to a resizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "resizer.h"

namespace clip_image {

// Widens rows to the pixels that the resizer takes and leaves out the rows and columns without influence.
class RowFeeder {
 public:
  explicit RowFeeder(Resizer* resizer);
  // Gives rows row .. row + count - 1, each of the whole width, `stride` bytes apart. Throws Failure when a
  // needed row was left out.
  void Push(int row, int count, const uint8_t* rows, size_t stride);

 private:
  Resizer* resizer_;
  bool wide_;  // 16-bit modes go through as they are
  size_t scratch_stride_ = 0;
  std::vector<uint8_t> scratch_;  // rows of four-byte pixels and the padding, kRowsAtOnce of them
};

}  // namespace clip_image
