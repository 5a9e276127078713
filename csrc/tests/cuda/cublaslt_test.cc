// The declarations of cublaslt.h against the library's own header, where it is installed: what they say is
// checked when this file is compiled.
#include "cublaslt.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "error.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

namespace clip::cuda {

static_assert(sizeof(CublasLt::Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(CublasLt::Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(CublasLt::Heuristic, workspace_bytes) ==
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(CublasLt::Heuristic, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(CublasLt::kSuccess == static_cast<int>(CUBLAS_STATUS_SUCCESS));
static_assert(CublasLt::kNotSupported == static_cast<int>(CUBLAS_STATUS_NOT_SUPPORTED));
static_assert(CublasLt::kCompute32F == static_cast<int>(CUBLAS_COMPUTE_32F));
static_assert(CublasLt::kTransposed == static_cast<int>(CUBLAS_OP_T));
static_assert(CublasLt::kTransposeA == static_cast<int>(CUBLASLT_MATMUL_DESC_TRANSA));
static_assert(CublasLt::kEpilogue == static_cast<int>(CUBLASLT_MATMUL_DESC_EPILOGUE));
static_assert(CublasLt::kBiasPointer == static_cast<int>(CUBLASLT_MATMUL_DESC_BIAS_POINTER));
static_assert(CublasLt::kBias == static_cast<int>(CUBLASLT_EPILOGUE_BIAS));
static_assert(CublasLt::kGeluBias == static_cast<int>(CUBLASLT_EPILOGUE_GELU_BIAS));
static_assert(CublasLt::kMostWorkspaceBytes == static_cast<int>(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES));

// Handles are pointers and enumerations are ints; the rest of each signature is the header's.
template <typename Own, typename Real>
constexpr bool kSameShape = false;
template <typename... Own, typename Result, typename... Real>
constexpr bool kSameShape<int (*)(Own...), Result (*)(Real...)> =
    sizeof...(Own) == sizeof...(Real) && ((sizeof(Own) == sizeof(Real)) && ...);
static_assert(kSameShape<decltype(CublasLt::Matmul), decltype(&cublasLtMatmul)>);
static_assert(
    kSameShape<decltype(CublasLt::MatmulAlgoGetHeuristic), decltype(&cublasLtMatmulAlgoGetHeuristic)>);
static_assert(kSameShape<decltype(CublasLt::MatmulAlgoCheck), decltype(&cublasLtMatmulAlgoCheck)>);
static_assert(kSameShape<decltype(CublasLt::MatmulDescCreate), decltype(&cublasLtMatmulDescCreate)>);
static_assert(
    kSameShape<decltype(CublasLt::MatmulDescSetAttribute), decltype(&cublasLtMatmulDescSetAttribute)>);
static_assert(kSameShape<decltype(CublasLt::MatrixLayoutCreate), decltype(&cublasLtMatrixLayoutCreate)>);
static_assert(kSameShape<decltype(CublasLt::MatmulPreferenceSetAttribute),
                         decltype(&cublasLtMatmulPreferenceSetAttribute)>);

}  // namespace clip::cuda
#endif

namespace {

TEST(CublasLtDeathTest, SaysWhatIsMissing) {
  // In a process of its own: the library stays open once it was found.
  EXPECT_EXIT(
      {
        setenv("CLIPD_CUBLASLT", "/nowhere/libcublasLt.so", 1);
        try {
          clip::cuda::OpenCublasLt();
        } catch (const clip::Error& error) {
          fprintf(stderr, "%s", error.what());
          exit(error.status());
        }
        exit(0);
      },
      testing::ExitedWithCode(CLIP_UNAVAILABLE), "/nowhere/libcublasLt.so.*CLIPD_CUBLASLT");
}

}  // namespace
