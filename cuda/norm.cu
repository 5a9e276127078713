// Layer norms, fused with what stands before them: embeddings or the sum of a branch and the residual stream.
// A block computes one row, a thread four columns of it, which stay in registers.
#include "device.h"

namespace clip::cuda {
namespace {

constexpr int kColumns = 4;  // of a thread

__device__ int Column() { return static_cast<int>(threadIdx.x) * kColumns; }

struct Row {
  float at[kColumns] = {0, 0, 0, 0};
};

template <typename T>
__device__ void Add(Row* row, const T* from) {
  Pack<T, kColumns> pack = LoadPack<kColumns>(from + Column());
#pragma unroll
  for (int i = 0; i < kColumns; ++i) row->at[i] += ToFloat(pack.at[i]);
}

template <typename T>
__device__ void Store(const Row& row, T* to) {
  Pack<T, kColumns> pack;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) pack.at[i] = FromFloat<T>(row.at[i]);
  StorePack(to + Column(), pack);
}

// Mean and variance in two passes over the registers: the sum of squares alone loses what a large mean leaves
// of them. All threads of the block must call this; those beyond the width hold zeros and get zeros.
__device__ Row Normed(const Row& row, const Norm& norm, int width, float epsilon, float* partial) {
  bool inside = Column() < width;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) sum += row.at[i];
  float mean = BlockSum(sum, partial) / static_cast<float>(width);
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) squares += inside ? (row.at[i] - mean) * (row.at[i] - mean) : 0.0f;
  float variance = BlockSum(squares, partial) / static_cast<float>(width);
  float factor = rsqrtf(variance + epsilon);
  Row normed;
  if (inside) {
    Pack<float, kColumns> scale = LoadPack<kColumns>(norm.scale + Column());
    Pack<float, kColumns> shift = LoadPack<kColumns>(norm.shift + Column());
#pragma unroll
    for (int i = 0; i < kColumns; ++i) normed.at[i] = (row.at[i] - mean) * factor * scale.at[i] + shift.at[i];
  }
  return normed;
}

template <typename T>
__global__ void AddNormKernel(AddNorm p) {
  __shared__ float partial[32];
  int64_t row = blockIdx.x, from = p.picked != nullptr ? p.picked[row] : row;
  bool inside = Column() < p.width;
  Row sum;
  if (inside) {
    Add(&sum, p.from + from * p.width);
    if (p.branch != nullptr) Add(&sum, static_cast<const T*>(p.branch) + row * p.width);
    if (p.to != nullptr) Store(sum, p.to + row * p.width);
  }
  Row normed = Normed(sum, p.norm, p.width, p.epsilon, partial);
  if (inside) Store(normed, static_cast<T*>(p.y) + row * p.width);
}

template <typename T>
__global__ void EmbedPicturesKernel(EmbedPictures p) {
  __shared__ float partial[32];
  int64_t row = blockIdx.x, picture = row / p.tokens, token = row % p.tokens;
  bool inside = Column() < p.width;
  Row sum;
  if (inside) {
    Add(&sum, p.positions + token * p.width);
    if (token > 0)
      Add(&sum, static_cast<const T*>(p.patches) + (picture * (p.tokens - 1) + token - 1) * p.width);
  }
  if (p.pre.scale != nullptr) sum = Normed(sum, p.pre, p.width, p.epsilon, partial);
  if (inside) Store(sum, p.x + row * p.width);
  Row normed = Normed(sum, p.norm, p.width, p.epsilon, partial);
  if (inside) Store(normed, static_cast<T*>(p.y) + row * p.width);
}

template <typename T>
__global__ void EmbedTokensKernel(EmbedTokens p) {
  __shared__ float partial[32];
  int64_t row = blockIdx.x;
  bool inside = Column() < p.width;
  Row sum;
  if (inside) {
    Add(&sum, static_cast<const T*>(p.table) + static_cast<int64_t>(p.ids[row]) * p.width);
    Add(&sum, p.positions + static_cast<int64_t>(p.places[row]) * p.width);
    Store(sum, p.x + row * p.width);
  }
  Row normed = Normed(sum, p.norm, p.width, p.epsilon, partial);
  if (inside) Store(normed, static_cast<T*>(p.y) + row * p.width);
}

unsigned Threads(int width) {
  return static_cast<unsigned>((width + 32 * kColumns - 1) / (32 * kColumns) * 32);
}

}  // namespace

void Launch(const AddNorm& p, Elements elements, cudaStream_t stream) {
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = AddNormKernel<T>;
    CLIP_LAUNCH(kernel, dim3(static_cast<unsigned>(p.rows)), dim3(Threads(p.width)), 0, stream, p);
  })
}

void Launch(const EmbedPictures& p, Elements elements, cudaStream_t stream) {
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = EmbedPicturesKernel<T>;
    CLIP_LAUNCH(kernel, dim3(static_cast<unsigned>(p.pictures * p.tokens)), dim3(Threads(p.width)), 0, stream,
                p);
  })
}

void Launch(const EmbedTokens& p, Elements elements, cudaStream_t stream) {
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = EmbedTokensKernel<T>;
    CLIP_LAUNCH(kernel, dim3(static_cast<unsigned>(p.tokens)), dim3(Threads(p.width)), 0, stream, p);
  })
}

}  // namespace clip::cuda
