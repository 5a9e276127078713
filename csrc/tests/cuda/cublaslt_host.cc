// libcublasLt_host.so: the functions of cuBLASLt that are used, computed plainly, with matrices in columns as
// the library has them. It checks what the real one would refuse.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "emulation.h"

namespace {

enum Status { kSuccess = 0, kInvalid = 7, kNotSupported = 15 };

struct Layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t leading;
};

struct Descriptor {
  int compute_type;
  cudaDataType_t scale_type;
  int32_t transpose_a = 0, transpose_b = 0;
  uint32_t epilogue = 1;
  const void* bias = nullptr;
};

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};

constexpr uint64_t kMark = 0x636c6970;  // in every algorithm that this library gives

float At(const void* data, cudaDataType_t type, size_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  if (type == CUDA_R_16BF) return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
  return __half2float(static_cast<const __half*>(data)[i]);
}

void Put(void* data, cudaDataType_t type, size_t i, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = value;
  } else if (type == CUDA_R_16BF) {
    static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
  } else {
    static_cast<__half*>(data)[i] = __float2half_rn(value);
  }
}

bool Fits(const Descriptor& product, const Layout& a, const Layout& b, const Layout& d) {
  uint64_t m = product.transpose_a != 0 ? a.columns : a.rows,
           k = product.transpose_a != 0 ? a.rows : a.columns;
  bool types = a.type == b.type && (d.type == a.type || d.type == CUDA_R_32F);
  bool epilogue =
      product.epilogue == 1 || ((product.epilogue == 4 || product.epilogue == 36) && product.bias != nullptr);
  return product.transpose_b == 0 && b.rows == k && d.rows == m && d.columns == b.columns && types &&
         epilogue && product.compute_type == 68 && product.scale_type == CUDA_R_32F;
}

bool Aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

void Multiply(const Descriptor& product, const Layout& a_layout, const void* a, const Layout& b_layout,
              const void* b, const Layout& d_layout, void* d) {
  size_t in = b_layout.rows;
  std::vector<float> left(in), right(in);
  for (size_t column = 0; column < d_layout.columns; ++column) {
    for (size_t k = 0; k < in; ++k)
      right[k] = At(b, b_layout.type, column * static_cast<size_t>(b_layout.leading) + k);
    for (size_t row = 0; row < d_layout.rows; ++row) {
      float sum = 0;
      for (size_t k = 0; k < in; ++k) {
        size_t leading = static_cast<size_t>(a_layout.leading);
        sum +=
            At(a, a_layout.type, product.transpose_a != 0 ? row * leading + k : k * leading + row) * right[k];
      }
      if (product.epilogue != 1) sum += At(product.bias, d_layout.type, row);
      if (product.epilogue == 36) {
        constexpr float kRoot = 0.7978845608028654f;  // of 2 / pi
        sum = 0.5f * sum * (1 + std::tanh(kRoot * (sum + 0.044715f * sum * sum * sum)));
      }
      Put(d, d_layout.type, column * static_cast<size_t>(d_layout.leading) + row, sum);
    }
  }
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int cublasLtCreate(void** handle) { return *handle = new int(0), kSuccess; }
EXPORT int cublasLtDestroy(void* handle) { return delete static_cast<int*>(handle), kSuccess; }
EXPORT size_t cublasLtGetVersion() { return 130100; }
EXPORT const char* cublasLtGetStatusString(int status) {
  return status == kNotSupported ? "not supported" : "invalid value";
}

EXPORT int cublasLtMatmulDescCreate(Descriptor** descriptor, int compute_type, cudaDataType_t scale_type) {
  return *descriptor = new Descriptor{compute_type, scale_type}, kSuccess;
}
EXPORT int cublasLtMatmulDescDestroy(Descriptor* descriptor) { return delete descriptor, kSuccess; }

EXPORT int cublasLtMatmulDescSetAttribute(Descriptor* descriptor, int attribute, const void* value,
                                          size_t bytes) {
  auto set = [&](auto* field) {
    return bytes == sizeof(*field) ? std::memcpy(field, value, bytes), kSuccess : kInvalid;
  };
  switch (attribute) {
    case 3:
      return set(&descriptor->transpose_a);
    case 4:
      return set(&descriptor->transpose_b);
    case 7:
      return set(&descriptor->epilogue);
    case 8:
      return set(&descriptor->bias);
  }
  return kInvalid;
}

EXPORT int cublasLtMatrixLayoutCreate(Layout** layout, cudaDataType_t type, uint64_t rows, uint64_t columns,
                                      int64_t leading) {
  if (leading < static_cast<int64_t>(rows)) return kInvalid;
  return *layout = new Layout{type, rows, columns, leading}, kSuccess;
}
EXPORT int cublasLtMatrixLayoutDestroy(Layout* layout) { return delete layout, kSuccess; }

EXPORT int cublasLtMatmulPreferenceCreate(size_t** preference) {
  return *preference = new size_t(0), kSuccess;
}
EXPORT int cublasLtMatmulPreferenceDestroy(size_t* preference) { return delete preference, kSuccess; }
EXPORT int cublasLtMatmulPreferenceSetAttribute(size_t* preference, int attribute, const void* value,
                                                size_t bytes) {
  if (attribute != 1 || bytes != sizeof(*preference)) return kInvalid;
  return std::memcpy(preference, value, bytes), kSuccess;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, const Descriptor* product, const Layout* a, const Layout* b,
                                          const Layout* c, const Layout* d, const size_t* preference,
                                          int wanted, Heuristic* results, int* got) {
  *got = 0;
  if (!Fits(*product, *a, *b, *d) || !Fits(*product, *a, *b, *c)) return kNotSupported;
  for (; *got < wanted && *got < 2; ++*got) {
    results[*got] = {};
    results[*got].algorithm.data[0] = kMark;
    results[*got].workspace_bytes = *preference;
  }
  return kSuccess;
}

EXPORT int cublasLtMatmulAlgoCheck(void*, const Descriptor* product, const Layout* a, const Layout* b,
                                   const Layout*, const Layout* d, const Algorithm* algorithm,
                                   Heuristic* result) {
  *result = {};
  bool known = Fits(*product, *a, *b, *d) && algorithm->data[0] == kMark;
  result->state = known ? kSuccess : kNotSupported;
  return result->state;
}

EXPORT int cublasLtMatmul(void*, const Descriptor* product, const float* alpha, const void* a,
                          const Layout* a_layout, const void* b, const Layout* b_layout, const float* beta,
                          const void* c, const Layout*, void* d, const Layout* d_layout,
                          const Algorithm* algorithm, void* workspace, size_t workspace_bytes,
                          cudaStream_t stream) {
  bool good = Fits(*product, *a_layout, *b_layout, *d_layout) && algorithm->data[0] == kMark && *alpha == 1 &&
              *beta == 0 && c == d && Aligned(a) && Aligned(b) && Aligned(d) && Aligned(product->bias) &&
              (workspace_bytes == 0 || workspace != nullptr);
  if (!good) return kInvalid;
  clip::cuda::emulation::Enqueue(stream, [product = *product, al = *a_layout, a, bl = *b_layout, b,
                                          dl = *d_layout, d] { Multiply(product, al, a, bl, b, dl, d); });
  return kSuccess;
}
