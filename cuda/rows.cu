// What moves rows about or changes each element by itself: patches out of pictures, picked rows, activations.
#include "device.h"

namespace clip::cuda {
namespace {

constexpr int kAtOnce = 8;  // elements of a thread, 16 bytes of bfloat16

// A block writes one patch.
template <typename T>
__global__ void PatchRowsKernel(PatchRows p) {
  int patch = static_cast<int>(blockIdx.x), cells = p.grid * p.grid;
  int picture = patch / cells, cell = patch % cells;
  int line = p.patch * 3, used = p.patch * line;  // bytes of a line of the patch, and of all
  const uint8_t* corner =
      p.pixels + ((static_cast<int64_t>(picture) * p.size + cell / p.grid * p.patch) * p.size +
                  cell % p.grid * p.patch) *
                     3;
  T* row = static_cast<T*>(p.rows) + static_cast<int64_t>(patch) * p.columns;
  // Lines of the picture and of the patch that are multiples of 8 bytes can be read 8 at a time.
  bool whole = line % kAtOnce == 0 && p.size * 3 % kAtOnce == 0;
  for (int column = static_cast<int>(threadIdx.x) * kAtOnce; column < p.columns;
       column += static_cast<int>(blockDim.x) * kAtOnce) {
    Pack<uint8_t, kAtOnce> bytes = {};
    if (whole) {
      const uint8_t* from = corner + static_cast<int64_t>(column / line) * p.size * 3 + column % line;
      if (column < used) bytes = LoadPack<kAtOnce>(from);
    } else {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        int at = column + i;
        if (at < used) bytes.at[i] = corner[static_cast<int64_t>(at / line) * p.size * 3 + at % line];
      }
    }
    Pack<T, kAtOnce> values;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) values.at[i] = FromFloat<T>(static_cast<float>(bytes.at[i]) * p.scale);
    StorePack(row + column, values);
  }
}

template <typename T>
__global__ void PickRowsKernel(PickRows p) {
  const T* from = static_cast<const T*>(p.from) + static_cast<int64_t>(p.picked[blockIdx.x]) * p.width;
  T* to = static_cast<T*>(p.to) + static_cast<int64_t>(blockIdx.x) * p.width;
  constexpr int kColumns = 4;
  for (int column = static_cast<int>(threadIdx.x) * kColumns; column < p.width;
       column += static_cast<int>(blockDim.x) * kColumns) {
    StorePack(to + column, LoadPack<kColumns>(from + column));
  }
}

__device__ float Activated(float x, Activation activation) {
  constexpr float kRootHalf = 0.70710678118654752f;
  if (activation == Activation::kGelu) return 0.5f * x * (1.0f + erff(x * kRootHalf));
  return x / (1.0f + expf(-1.702f * x));
}

template <typename T>
__global__ void ActivateKernel(Activate p) {
  int64_t first = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kAtOnce;
  if (first >= p.count) return;
  T* values = static_cast<T*>(p.values) + first;
  Pack<T, kAtOnce> pack = LoadPack<kAtOnce>(values);
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) pack.at[i] = FromFloat<T>(Activated(ToFloat(pack.at[i]), p.activation));
  StorePack(values, pack);
}

}  // namespace

void Launch(const PatchRows& p, Elements elements, cudaStream_t stream) {
  unsigned patches = static_cast<unsigned>(p.pictures * p.grid * p.grid);
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = PatchRowsKernel<T>;
    CLIP_LAUNCH(kernel, dim3(patches), dim3(128), 0, stream, p);
  })
}

void Launch(const PickRows& p, Elements elements, cudaStream_t stream) {
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = PickRowsKernel<T>;
    CLIP_LAUNCH(kernel, dim3(static_cast<unsigned>(p.rows)), dim3(128), 0, stream, p);
  })
}

void Launch(const Activate& p, Elements elements, cudaStream_t stream) {
  constexpr int64_t kThreads = 256;
  unsigned blocks = static_cast<unsigned>((p.count + kThreads * kAtOnce - 1) / (kThreads * kAtOnce));
  CLIP_FOR_ELEMENTS(elements, T, {
    auto kernel = ActivateKernel<T>;
    CLIP_LAUNCH(kernel, dim3(blocks), dim3(static_cast<unsigned>(kThreads)), 0, stream, p);
  })
}

}  // namespace clip::cuda
