// The matrix units, as warps of 32 lanes use them: pieces of 16x16 and 16x8 elements lie spread over the
// registers of a warp. Lane l holds, with g = l / 4 and t = l % 4 (PTX ISA, "Matrix Fragments for
// mma.m16n8k16"):
//   A [16, 16]: a[0] = row g, columns 2t and 2t+1; a[1] = row g+8; a[2], a[3] = the same, columns + 8
//   B [16, 8]:  b[0] = rows 2t and 2t+1 of column g; b[1] = rows + 8
//   C [16, 8]:  c[0], c[1] = row g, columns 2t and 2t+1; c[2], c[3] = row g+8
#ifndef CLIP_CUDA_TENSOR_CORE_H_
#define CLIP_CUDA_TENSOR_CORE_H_

#include "device.h"

namespace clip::cuda {

// Two elements in a register, the first in the lower half.
template <typename T>
__device__ inline uint32_t Two(float first, float second) {
  union {
    T at[2];
    uint32_t bits;
  } two = {{FromFloat<T>(first), FromFloat<T>(second)}};
  return two.bits;
}

#ifdef __CUDACC__

// Loads four matrices of 8x8 elements of 2 bytes; lane l gives the address (shared memory, 16 bytes aligned)
// of row l % 8 of matrix l / 8. to[i] gets, of matrix i, row g, columns 2t and 2t+1.
__device__ inline void LoadMatrices(uint32_t to[4], const void* row) {
  unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

// The same, transposed: to[i] gets rows 2t and 2t+1 of column g.
__device__ inline void LoadMatricesTransposed(uint32_t to[4], const void* row) {
  unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

// c += a b.
template <typename T>
__device__ void MultiplyAdd(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1);

template <>
__device__ inline void MultiplyAdd<Bfloat16>(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  __trap();  // Turing has no bfloat16; sessions refuse it there
#endif
}

template <>
__device__ inline void MultiplyAdd<Half>(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  // Turing multiplies 8 columns of A at a time.
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

#else

// On the processor the lanes of a warp meet and exchange what they hold.
inline void LoadMatricesAs(uint32_t to[4], const void* row, bool transposed) {
  const void* const* rows = emulation::Gather(row);
  unsigned lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    auto at = [&](unsigned r, unsigned c) -> uint32_t {
      return static_cast<const uint16_t*>(rows[i * 8 + r])[c];
    };
    to[i] = transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16 : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
  }
  emulation::WarpSync();
}

inline void LoadMatrices(uint32_t to[4], const void* row) { LoadMatricesAs(to, row, false); }
inline void LoadMatricesTransposed(uint32_t to[4], const void* row) { LoadMatricesAs(to, row, true); }

template <typename T>
void MultiplyAdd(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
  struct Held {
    uint32_t a[4], b[2];
  } held = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const void* const* lanes = emulation::Gather(&held);
  auto element = [](uint32_t two, unsigned which) {
    uint16_t bits = static_cast<uint16_t>(two >> 16 * which);
    return ToFloat(__builtin_bit_cast(T, bits));
  };
  unsigned lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const Held* of_a = static_cast<const Held*>(lanes[row % 8 * 4 + k % 8 / 2]);
      const Held* of_b = static_cast<const Held*>(lanes[column * 4 + k % 8 / 2]);
      c[i] += element(of_a->a[k / 8 * 2 + row / 8], k % 2) * element(of_b->b[k / 8], k % 2);
    }
  }
  emulation::WarpSync();
}

#endif

}  // namespace clip::cuda

#endif  // CLIP_CUDA_TENSOR_CORE_H_
