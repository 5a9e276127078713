// The C edge of the picture layer: encoded bytes or decoded rows in, size x size RGB pixels out.
//
// What comes out is what Pillow gives for: open, resize bicubic so that the shorter side is `size`, centre
// crop, convert to RGB. Only plain C types cross this edge: no exception, and nothing that one side allocates
// is freed by the other, except a clip_image_resizer, which is opened and closed here.
//
// Every call that can fail returns a clip_image_status and, unless it is CLIP_IMAGE_OK, writes a
// zero-terminated English sentence to the caller's error buffer (cut to fit; the buffer may be NULL with
// capacity 0). All calls may run at the same time on different threads; one resizer belongs to one thread at
// a time.
#ifndef CLIP_IMAGE_H_
#define CLIP_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clip_image_status {
  CLIP_IMAGE_OK = 0,
  CLIP_IMAGE_INVALID = 1,      // the picture is broken, cut short or of a kind that is not supported
  CLIP_IMAGE_TOO_LARGE = 2,    // the header declares more pixels than the limit
  CLIP_IMAGE_UNAVAILABLE = 3,  // this machine lacks the library for the format
  CLIP_IMAGE_OUT_OF_MEMORY = 4,
  CLIP_IMAGE_INTERNAL = 5,  // a mistake of the caller or of this layer
} clip_image_status;

typedef struct clip_image_options {
  uint32_t size;       // sizeof(clip_image_options), set by the caller
  uint32_t output;     // side of the square that comes out, in pixels, 1 to 4096
  int64_t max_pixels;  // width x height of a picture, at most
} clip_image_options;

// Decode `length` bytes at `data` and write output x output x 3 bytes, RGB, to `pixels`. `data` is only read
// until the call returns. Memory held meanwhile, for a picture of W x H:
//   jpeg: about 4 W x (support of the filter, 4 H / output) bytes; progressive ones 2 bytes a coefficient
//   more,
//         that is 3 W H (4:2:0) to 8 W H (CMYK) bytes.
//   webp: 4 W H bytes and the decoder's own, about as much again when lossless.
//   avif: 4 W H bytes and the decoder's planes, 1.5 to 8 W H bytes.
clip_image_status clip_image_jpeg(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity);
clip_image_status clip_image_webp(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity);
clip_image_status clip_image_avif(const uint8_t* data, size_t length, const clip_image_options* options,
                                  uint8_t* pixels, char* error, size_t error_capacity);

// How the samples of a decoded row lie in memory, and how they are resized.
typedef enum clip_image_mode {
  CLIP_IMAGE_GRAY = 1,        // 1 byte a pixel
  CLIP_IMAGE_GRAY_ALPHA = 2,  // 2 bytes, resized with the colour multiplied by alpha
  CLIP_IMAGE_RGB = 3,         // 3 bytes
  CLIP_IMAGE_RGBA = 4,        // 4 bytes, resized with the colours multiplied by alpha
  CLIP_IMAGE_RGBX = 5,        // 4 bytes, the last one without meaning
  CLIP_IMAGE_CMYK = 6,        // 4 bytes, 255 is full ink, resized as four channels
  CLIP_IMAGE_GRAY16 = 7,  // uint16 in the machine's byte order, each pass cut to 0..65535, white from 255 on
  CLIP_IMAGE_GRAY32 = 8,  // the same input, but passes are not cut (Pillow's mode I)
} clip_image_mode;

typedef struct clip_image_resizer clip_image_resizer;

// A resizer takes the rows of a width x height picture from top to bottom and keeps only those that the
// filter still needs. *first_row and *end_row say which rows have influence: rows outside may be left out
// when `clip_image_resizer_push` is told so by its `row`.
clip_image_status clip_image_resizer_open(int32_t width, int32_t height, clip_image_mode mode,
                                          const clip_image_options* options, clip_image_resizer** resizer,
                                          int32_t* first_row, int32_t* end_row, char* error,
                                          size_t error_capacity);

// Gives rows row .. row + count - 1, each `width` pixels, `stride` bytes apart. Rows come in rising order;
// those from first_row to end_row - 1 must all come.
clip_image_status clip_image_resizer_push(clip_image_resizer* resizer, int32_t row, int32_t count,
                                          const void* rows, size_t stride, char* error,
                                          size_t error_capacity);

// Writes output x output x 3 bytes once every needed row was given.
clip_image_status clip_image_resizer_finish(clip_image_resizer* resizer, uint8_t* pixels, char* error,
                                            size_t error_capacity);

// Frees the resizer; NULL is allowed.
void clip_image_resizer_close(clip_image_resizer* resizer);

// The instruction set that resizing runs on: "avx512", "avx2" or "scalar". A static string.
const char* clip_image_simd(void);

#ifdef __cplusplus
}
#endif

#endif  // CLIP_IMAGE_H_
