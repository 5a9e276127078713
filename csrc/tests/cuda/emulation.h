// Runs kernels on the processor. The threads of a block are fibers that take turns: each runs until it must
// wait for the others, at a barrier or in an exchange within its warp. Blocks run one after the other.
//
// device.h includes this in place of what nvcc brings, so that the kernels' own source is what runs.
#ifndef CLIP_TESTS_CUDA_EMULATION_H_
#define CLIP_TESTS_CUDA_EMULATION_H_

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

namespace clip::cuda::emulation {

// What the running fiber is.
struct Place {
  uint3 thread, block;
  dim3 block_size, grid_size;
};
const Place& Here();

void BlockSync();
void WarpSync();
unsigned char* SharedBytes();

// Every lane of the warp gives an address and gets those of all 32. They stay valid until the caller has
// called WarpSync, which all lanes must.
const void* const* Gather(const void* mine);

// Puts work on a stream: it runs when the stream is waited for, or each time that the graph is launched which
// the stream is capturing.
void Enqueue(cudaStream_t stream, std::function<void()> work);

void RunBlocks(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

template <typename Kernel, typename... Arguments>
void LaunchKernel(Kernel kernel, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                  Arguments... arguments) {
  Enqueue(stream, [=] { RunBlocks(grid, block, shared_bytes, [=] { kernel(arguments...); }); });
}

template <typename T>
T Exchange(T value, unsigned from) {
  const void* const* all = Gather(&value);
  T other;
  std::memcpy(&other, all[from % 32], sizeof(other));
  WarpSync();
  return other;
}

}  // namespace clip::cuda::emulation

#undef __shared__
#undef __launch_bounds__
#define __shared__ static thread_local
#define __launch_bounds__(...)
#define threadIdx (::clip::cuda::emulation::Here().thread)
#define blockIdx (::clip::cuda::emulation::Here().block)
#define blockDim (::clip::cuda::emulation::Here().block_size)
#define gridDim (::clip::cuda::emulation::Here().grid_size)
#define CLIP_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::clip::cuda::emulation::LaunchKernel(kernel, grid, block, shared_bytes, stream, __VA_ARGS__)
#define CLIP_SHARED_BYTES(name) unsigned char* name = ::clip::cuda::emulation::SharedBytes()

inline void __syncthreads() { ::clip::cuda::emulation::BlockSync(); }

template <typename T>
T __shfl_xor_sync(unsigned, T value, int distance) {
  return ::clip::cuda::emulation::Exchange(value, (threadIdx.x % 32) ^ static_cast<unsigned>(distance));
}

template <typename T>
T __shfl_sync(unsigned, T value, int from) {
  return ::clip::cuda::emulation::Exchange(value, static_cast<unsigned>(from));
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }

#endif  // CLIP_TESTS_CUDA_EMULATION_H_
