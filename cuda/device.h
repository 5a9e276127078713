// What the kernels share: how they are launched, elements and their conversions, sums over a warp and a
// block. The same source compiles for the processor, where csrc/tests/cuda/emulation.h stands in for the GPU.
#ifndef CLIP_CUDA_DEVICE_H_
#define CLIP_CUDA_DEVICE_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels.h"

#ifdef __CUDACC__
#define CLIP_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)
// Memory shared by a block, sized at the launch.
#define CLIP_SHARED_BYTES(name) extern __shared__ __align__(16) unsigned char name[]
#else
#include "emulation.h"
#endif

namespace clip::cuda {

using Bfloat16 = __nv_bfloat16;
using Half = __half;

__host__ __device__ inline float ToFloat(float x) { return x; }
__host__ __device__ inline float ToFloat(Bfloat16 x) { return __bfloat162float(x); }
__host__ __device__ inline float ToFloat(Half x) { return __half2float(x); }

template <typename T>
__host__ __device__ inline T FromFloat(float x);
template <>
__host__ __device__ inline float FromFloat<float>(float x) {
  return x;
}
template <>
__host__ __device__ inline Bfloat16 FromFloat<Bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__host__ __device__ inline Half FromFloat<Half>(float x) {
  return __float2half_rn(x);
}

// N elements that are read and written at once.
template <typename T, int N>
struct alignas(sizeof(T) * N > 16 ? 16 : sizeof(T) * N) Pack {
  T at[N];
};

template <int N, typename T>
__device__ inline Pack<T, N> LoadPack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <int N, typename T>
__device__ inline void StorePack(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

__device__ inline float WarpSum(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);
  return value;
}

// The sum over all threads of a block of whole warps, in each of them. partial is shared, [32].
__device__ inline float BlockSum(float value, float* partial) {
  value = WarpSum(value);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += partial[warp];
  __syncthreads();
  return sum;
}

}  // namespace clip::cuda

// Calls body with a value of the element type, whose type names the instance: CLIP_FOR_ELEMENTS(elements, T,
// { ... }).
#define CLIP_FOR_ELEMENTS(elements, T, ...)   \
  switch (elements) {                         \
    case ::clip::cuda::Elements::kFloat: {    \
      using T = float;                        \
      __VA_ARGS__                             \
    } break;                                  \
    case ::clip::cuda::Elements::kBfloat16: { \
      using T = ::clip::cuda::Bfloat16;       \
      __VA_ARGS__                             \
    } break;                                  \
    case ::clip::cuda::Elements::kHalf: {     \
      using T = ::clip::cuda::Half;           \
      __VA_ARGS__                             \
    } break;                                  \
  }

#endif  // CLIP_CUDA_DEVICE_H_
