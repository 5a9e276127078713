// The kernels of the native CUDA runtime, as functions that put them on a stream. None waits, and none
// checks: the caller looks at cudaGetLastError. Matrices are in C order; rows, widths and strides count
// elements.
//
// "Elements" are what the matrix products compute with (float, bfloat16 or half); the residual stream, layer
// norms and softmax are float. Widths are divisible by 4 and at most kMostWidth.
#ifndef CLIP_CUDA_KERNELS_H_
#define CLIP_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstdint>

namespace clip::cuda {

enum class Elements { kFloat, kBfloat16, kHalf };

constexpr int kMostWidth = 4096;
constexpr int kMostHeadWidth = 128;  // columns of a head, divisible by 8

// Scale and shift of a layer norm, [width] each.
struct Norm {
  const float* scale = nullptr;
  const float* shift = nullptr;
};

// Cuts pictures into patches: pixels [pictures, size, size, 3] become rows [pictures * grid * grid, columns],
// of which the first patch * patch * 3 are the bytes of a patch as (y, x, channel), times scale, and the
// rest, up to a multiple of 8, are zero.
struct PatchRows {
  const uint8_t* pixels;
  void* rows;
  int pictures, size, patch, grid, columns;
  float scale;
};
void Launch(const PatchRows& p, Elements elements, cudaStream_t stream);

// Puts the class token before the patches and adds positions [tokens, width], which hold the class embedding:
// into the residual stream x [pictures * tokens, width], normed by pre if that is set, and normed by norm
// into y.
struct EmbedPictures {
  const void* patches;  // elements, [pictures * (tokens - 1), width]
  const float* positions;
  Norm pre, norm;
  float* x;
  void* y;  // elements
  int pictures, tokens, width;
  float epsilon;
};
void Launch(const EmbedPictures& p, Elements elements, cudaStream_t stream);

// The sum of the rows of two tables: into the residual stream x [tokens, width], and normed into y.
struct EmbedTokens {
  const void* table;       // elements
  const float* positions;  // [context, width]
  const int32_t *ids, *places;
  Norm norm;
  float* x;
  void* y;  // elements
  int tokens, width;
  float epsilon;
};
void Launch(const EmbedTokens& p, Elements elements, cudaStream_t stream);

// Adds what a block's branch made to the residual stream and norms the sum: for each of the rows
// to = from[picked or the row itself] + branch, y = norm(to). picked, branch and to may be null.
struct AddNorm {
  const float* from;
  const int32_t* picked;
  const void* branch;  // elements, [rows, width]
  float* to;
  Norm norm;
  void* y;  // elements, [rows, width]
  int rows, width;
  float epsilon;
};
void Launch(const AddNorm& p, Elements elements, cudaStream_t stream);

// to[i] = from[picked[i]], rows of elements.
struct PickRows {
  const void* from;
  const int32_t* picked;
  void* to;
  int rows, width;
};
void Launch(const PickRows& p, Elements elements, cudaStream_t stream);

enum class Activation { kGelu, kQuickGelu };

// In place; count is divisible by 8.
struct Activate {
  void* values;
  int64_t count;
  Activation activation;
};
void Launch(const Activate& p, Elements elements, cudaStream_t stream);

// softmax(q k^T) v of items of few tokens, packed one after the other; the queries are scaled already. Each
// item attends to itself only.
struct Attention {
  const void *queries, *keys, *values;  // elements, the first column of the first head
  int query_stride, key_stride;         // between rows; that of keys is that of values
  void* out;                            // elements, [queries, heads * head_width]
  const int32_t* offsets;               // [items + 1], first row of each item; null: all have length rows
  int length;                           // of the longest item, or a bound of it
  int items, heads, head_width;
  bool causal;  // a query sees keys up to its own place
  bool pooled;  // each item has one query, the row of its number, which sees all keys
};
void Launch(const Attention& p, Elements elements, cudaStream_t stream);

}  // namespace clip::cuda

#endif  // CLIP_CUDA_KERNELS_H_
