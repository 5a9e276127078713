// The two inner loops of resizing, in one form for each instruction set. All forms give identical bytes.
//
// Pixels are four bytes wide in every mode: gray is repeated, the fourth byte of RGB has no meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "axis.h"

namespace clip_image {

// Bytes that a kernel may read past the last pixel of a row; their values do not matter. Four taps of 4 bytes
// would do; a whole vector is kept so that every form may load as it likes.
inline constexpr size_t kRowPadding = 64;

// Rows that the vertical kernel reads and writes are a multiple of this long (before the padding).
inline constexpr size_t kRowAlignment = 64;

// Rows that go through the horizontal kernel together, at most.
inline constexpr int kRowsAtOnce = 4;

inline size_t RowBytes(int pixels) {
  return (static_cast<size_t>(pixels) * 4 + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

// The weights of the horizontal pass in the order that a form of the kernel loads them.
struct PackedColumns {
  int count = 0;
  int chunks = 0;               // groups of four taps for every output pixel
  std::vector<int32_t> offset;  // byte offset of the first tap of each output pixel in the row that is given
  std::vector<int32_t> data;    // layout of the form
  std::vector<uint8_t>
      gather;  // AVX-512: where the bytes of a group lie, if one vector holds them; else empty
};

// The weights of the vertical pass likewise.
struct PackedRows {
  size_t stride = 0;          // numbers for one output row
  std::vector<int32_t> data;  // [axis.count, stride], layout of the form

  const int32_t* row(int i) const { return &data[stride * i]; }
};

struct Kernels {
  const char* name;
  // Packs `axis`, made by Windowed, for rows whose first pixel is input axis.first().
  PackedColumns (*pack_columns)(const Axis& axis);
  PackedRows (*pack_rows)(const Axis& axis);
  // For each of `rows` rows (1 to kRowsAtOnce): writes axis.count pixels to out[r], which has room for
  // RowBytes of them, from the row at in[r]. Several rows at a time spare loading the weights for each.
  void (*horizontal)(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out, int rows);
  // out[i] = the sum of rows[t][i] times weight t of the packed row `weights`, for t below `taps`, a multiple
  // of four (rows past the real taps may be any readable ones), and i below `bytes`, a multiple of
  // kRowAlignment.
  void (*vertical)(const uint8_t* const* rows, const int32_t* weights, int taps, uint8_t* out, size_t bytes);
};

const Kernels& ScalarKernels();
// NULL where the compiler does not target x86-64 or this processor lacks the instructions.
const Kernels* Avx2Kernels();
const Kernels* Avx512Kernels();

// The best form for this processor. CLIP_SIMD=scalar|avx2|avx512 in the environment asks for a lesser one.
const Kernels& BestKernels();

}  // namespace clip_image
