// Matrix products by cuBLASLt. Which of its algorithms is fastest for a product is measured the first time
// that the product is computed, on its own operands, and kept in a file for the next start.
#ifndef CLIP_CUDA_PRODUCTS_H_
#define CLIP_CUDA_PRODUCTS_H_

#include <cuda_runtime_api.h>

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "cublaslt.h"
#include "kernels.h"

namespace clip::cuda {

// y = x times the transposed matrix, plus bias: x [rows, in], matrix [out, in], bias [out] or null, y [rows,
// out], all in C order and of one element type, save that y may be float.
struct Product {
  const void *x, *matrix, *bias;
  void* y;
  int rows, in, out;
  bool gelu = false;  // of the result, in its tanh form; needs a bias
  bool float_y = false;
};

// Scratch memory of a lane for the algorithms.
struct Workspace {
  void* data;
  size_t bytes;
};

constexpr size_t kWorkspaceBytes = 32 << 20;

// Shared by the lanes of a session; safe for concurrent use.
class Products {
 public:
  // path names the file with what was measured before, "" for none.
  Products(Elements elements, std::string path);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  // Puts the product on the stream. The stream must not be capturing when the product's shape is a new one.
  void Multiply(const Product& product, Workspace workspace, cudaStream_t stream);

  // Whether every algorithm came from the file, so far.
  bool all_known() const;

 private:
  struct Shape {
    int rows, in, out;
    bool bias, gelu, float_y;
    auto operator<=>(const Shape&) const = default;
  };
  class Call;

  bool Known(const Shape& shape, CublasLt::Algorithm* algorithm) const;
  CublasLt::Algorithm Fastest(const Call& call, const Product& product, Workspace workspace,
                              cudaStream_t stream) const;
  void ReadFile();
  void AppendToFile(const Shape& shape, const CublasLt::Algorithm& algorithm);

  const CublasLt& lt_;
  CublasLt::Handle handle_ = nullptr;
  Elements elements_;
  std::string path_;
  std::mutex measuring_;  // one measurement at a time, so that none disturbs another
  mutable std::mutex mutex_;
  std::map<Shape, CublasLt::Algorithm> known_;
  bool measured_ = false;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_PRODUCTS_H_
