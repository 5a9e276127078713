// What a JPEG says of itself, and whether the GPU's decoder may have it. Only files whose structure is whole
// get that far: all others go to the processor's decoder, which words the error or takes what Pillow takes.
#ifndef CLIP_CUDA_PREPROCESS_JPEG_H_
#define CLIP_CUDA_PREPROCESS_JPEG_H_

#include <cstddef>
#include <cstdint>

namespace clip::pictures {

// Why a picture was left to the processor.
enum class Left : uint8_t {
  kNo = 0,        // it was done
  kNotJpeg = 1,   // no JPEG by its first bytes
  kBroken = 2,    // its structure has a fault: cut short, tables missing, lengths that do not fit
  kKind = 3,      // CMYK, stored as RGB, 12 bit, arithmetic, lossless, unusual sampling
  kTooLarge = 4,  // more pixels than the limit, or than there is memory for
  kRefused = 5,   // the GPU's decoder does not take it, or failed on it
};

// "its structure is broken", for logs and tests.
const char* LeftReason(Left left);

struct JpegInfo {
  int width = 0, height = 0;
  int components = 0;        // 1 or 3, Y Cb Cr
  int across = 1, down = 1;  // samples of luma for each of chroma, in each direction: 1, 2 or 4
  bool baseline = false;     // SOF0 in one scan: what the hardware decoder can take
  size_t length = 0;         // bytes up to and with the end marker; what follows has no influence

  int chroma_width() const { return (width + across - 1) / across; }
  int chroma_height() const { return (height + down - 1) / down; }
};

// Reads all markers of the file, not its entropy-coded data.
Left InspectJpeg(const uint8_t* data, size_t length, JpegInfo* info);

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_JPEG_H_
