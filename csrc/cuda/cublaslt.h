// The part of cuBLASLt that is used, opened at run time. Its C interface is declared here, because its
// headers come with a package of half a gigabyte; the declarations hold for versions 12 and 13, and
// csrc/tests/cuda/cublaslt_test.cc compares them with the real header where there is one.
#ifndef CLIP_CUDA_CUBLASLT_H_
#define CLIP_CUDA_CUBLASLT_H_

#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace clip::cuda {

struct CublasLt {
  using Handle = void*;
  using Descriptor = void*;  // of a product
  using Layout = void*;
  using Preference = void*;
  struct Algorithm {
    uint64_t data[8];  // may be kept in a file, for the same version of the library
  };
  struct Heuristic {
    Algorithm algorithm;
    size_t workspace_bytes;
    int state;  // a status
    float waves;
    int reserved[4];
  };
  enum Status { kSuccess = 0, kNotSupported = 15 };
  enum ComputeType { kCompute32F = 68 };
  enum Operation { kAsIs = 0, kTransposed = 1 };
  enum DescriptorAttribute { kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8 };
  enum Epilogue { kDefault = 1, kBias = 4, kGeluBias = 36 };  // GELU in its tanh form
  enum PreferenceAttribute { kMostWorkspaceBytes = 1 };

  int (*Create)(Handle*);
  int (*Destroy)(Handle);
  size_t (*GetVersion)();
  const char* (*GetStatusString)(int);
  int (*Matmul)(Handle, Descriptor, const void* alpha, const void* a, Layout, const void* b, Layout,
                const void* beta, const void* c, Layout, void* d, Layout, const Algorithm*, void* workspace,
                size_t workspace_bytes, cudaStream_t);
  int (*MatmulDescCreate)(Descriptor*, int compute_type, cudaDataType_t scale_type);
  int (*MatmulDescDestroy)(Descriptor);
  int (*MatmulDescSetAttribute)(Descriptor, int attribute, const void*, size_t bytes);
  int (*MatrixLayoutCreate)(Layout*, cudaDataType_t, uint64_t rows, uint64_t columns, int64_t leading);
  int (*MatrixLayoutDestroy)(Layout);
  int (*MatmulPreferenceCreate)(Preference*);
  int (*MatmulPreferenceDestroy)(Preference);
  int (*MatmulPreferenceSetAttribute)(Preference, int attribute, const void*, size_t bytes);
  int (*MatmulAlgoGetHeuristic)(Handle, Descriptor, Layout a, Layout b, Layout c, Layout d, Preference,
                                int wanted, Heuristic*, int* got);
  int (*MatmulAlgoCheck)(Handle, Descriptor, Layout a, Layout b, Layout c, Layout d, const Algorithm*,
                         Heuristic*);

  std::string path;  // as it was opened
};

// The library, opened once and for the life of the process: $CLIPD_CUBLASLT when set, else what lies beside
// this runtime or where the system looks for libraries, version 13 or 12. Throws Error with CLIP_UNAVAILABLE.
const CublasLt& OpenCublasLt();

// Throws Error unless the status is success.
void CheckCublasLt(int status, const std::string& what);

}  // namespace clip::cuda

#endif  // CLIP_CUDA_CUBLASLT_H_
