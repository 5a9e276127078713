// What the kernels of preprocessing are told about one picture. Plain structs that lie in device memory as
// they are; every pointer is a device pointer.
#ifndef CLIP_CUDA_PREPROCESS_TASK_H_
#define CLIP_CUDA_PREPROCESS_TASK_H_

#include <cstdint>

namespace clip::pictures {

inline constexpr int kThreads = 128;  // of a block

// How the samples of a picture lie in memory.
enum class Samples : uint8_t {
  kRgb,   // plane[0]: R G B, 3 bytes a pixel
  kGray,  // plane[0]
  kYcc,   // three planes as a JPEG has them; the second and third may be narrower or lower
};

// Which pass comes first, as clip_image::Geometry says.
enum class Order : uint8_t { kWidthFirst, kHeightFirst, kCropOnly };

// One direction of the filter, of clip_image::Axis.
struct TaskAxis {
  const int32_t* start;  // [count], first input of each output sample
  const int32_t*
      weights;         // [taps, count], times 2^22; transposed so that neighbouring threads read side by side
  int32_t count;       // output samples
  int32_t taps;        // the most that a sample has; others end with zeros
  int32_t first, end;  // inputs that have influence
};

struct PictureTask {
  const uint8_t* plane[3];
  uint32_t pitch[3];  // bytes from row to row
  // Pixel that lies at plane[0], of pictures of which only a part was brought here; 0 for JPEG.
  int32_t origin_column, origin_row;
  // Of planes 1 and 2, and by how many bits each direction is narrower than plane 0.
  int32_t chroma_width, chroma_height;
  uint8_t across_bits, down_bits;
  Samples samples;
  Order order;
  uint8_t interpolated;  // chroma is interpolated as libjpeg-turbo does, where 2 samples were made one; else
                         // repeated
  int32_t size;          // side of what comes out
  int32_t left, top;     // kCropOnly: of the square in the picture
  TaskAxis columns, rows;
  uint32_t* between;  // pixels between the passes: [rows.end - rows.first, size], height first [size,
                      // columns.end - columns.first]
  uint8_t* out;       // [size, size, 3]
};

// The pictures of one launch. Pictures differ in size, so each has a range of blocks: picture i has the
// blocks from first_block[i] to first_block[i + 1] - 1.
struct TaskList {
  const PictureTask* tasks;
  const uint32_t* first_block;  // [count + 1]
  int32_t count;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_TASK_H_
