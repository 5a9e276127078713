#include "products.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "owners.h"

namespace clip::cuda {
namespace {

cudaDataType_t TypeOf(Elements elements) {
  switch (elements) {
    case Elements::kFloat:
      return CUDA_R_32F;
    case Elements::kBfloat16:
      return CUDA_R_16BF;
    case Elements::kHalf:
      return CUDA_R_16F;
  }
  return CUDA_R_32F;
}

constexpr int kCandidates = 8;  // of the library's own ranking
constexpr int kRuns = 5;        // of each when it is measured

}  // namespace

// One product in the library's words. To cuBLASLt matrices lie in columns, so that it is told of the
// transposes: y^T [out, rows] = matrix [out, in] x^T [in, rows], and a bias goes along the columns of y^T.
class Products::Call {
 public:
  Call(const CublasLt& lt, Elements elements, const Product& product) : lt_(lt) {
    try {
      Fill(elements, product);
    } catch (...) {
      Free();
      throw;
    }
  }
  ~Call() { Free(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  int Run(CublasLt::Handle handle, const Product& product, const CublasLt::Algorithm& algorithm,
          Workspace workspace, cudaStream_t stream) const {
    float alpha = 1, beta = 0;
    return lt_.Matmul(handle, descriptor_, &alpha, product.matrix, matrix_, product.x, x_, &beta, product.y,
                      y_, product.y, y_, &algorithm, workspace.data, workspace.bytes, stream);
  }

  std::vector<CublasLt::Heuristic> Ranking(CublasLt::Handle handle, size_t workspace_bytes) const {
    CublasLt::Preference preference = nullptr;
    CheckCublasLt(lt_.MatmulPreferenceCreate(&preference), "choosing an algorithm");
    std::vector<CublasLt::Heuristic> ranked(kCandidates);
    int got = 0;
    int status = lt_.MatmulPreferenceSetAttribute(preference, CublasLt::kMostWorkspaceBytes, &workspace_bytes,
                                                  sizeof(workspace_bytes));
    if (status == CublasLt::kSuccess) {
      status = lt_.MatmulAlgoGetHeuristic(handle, descriptor_, matrix_, x_, y_, y_, preference, kCandidates,
                                          ranked.data(), &got);
    }
    lt_.MatmulPreferenceDestroy(preference);
    if (status != CublasLt::kNotSupported) CheckCublasLt(status, "choosing an algorithm");
    ranked.resize(static_cast<size_t>(std::max(got, 0)));
    std::erase_if(ranked, [](const CublasLt::Heuristic& one) { return one.state != CublasLt::kSuccess; });
    return ranked;
  }

  bool Accepts(CublasLt::Handle handle, const CublasLt::Algorithm& algorithm, size_t workspace_bytes) const {
    CublasLt::Heuristic result = {};
    int status = lt_.MatmulAlgoCheck(handle, descriptor_, matrix_, x_, y_, y_, &algorithm, &result);
    return status == CublasLt::kSuccess && result.state == CublasLt::kSuccess &&
           result.workspace_bytes <= workspace_bytes;
  }

 private:
  void Fill(Elements elements, const Product& product) {
    const char* what = "describing a matrix product";
    cudaDataType_t type = TypeOf(elements);
    auto rows = static_cast<uint64_t>(product.rows), in = static_cast<uint64_t>(product.in),
         out = static_cast<uint64_t>(product.out);
    CheckCublasLt(lt_.MatmulDescCreate(&descriptor_, CublasLt::kCompute32F, CUDA_R_32F), what);
    int32_t transposed = CublasLt::kTransposed;
    CheckCublasLt(
        lt_.MatmulDescSetAttribute(descriptor_, CublasLt::kTransposeA, &transposed, sizeof(transposed)),
        what);
    if (product.bias != nullptr) {
      uint32_t epilogue = product.gelu ? CublasLt::kGeluBias : CublasLt::kBias;
      CheckCublasLt(lt_.MatmulDescSetAttribute(descriptor_, CublasLt::kEpilogue, &epilogue, sizeof(epilogue)),
                    what);
      CheckCublasLt(lt_.MatmulDescSetAttribute(descriptor_, CublasLt::kBiasPointer, &product.bias,
                                               sizeof(product.bias)),
                    what);
    }
    CheckCublasLt(lt_.MatrixLayoutCreate(&matrix_, type, in, out, product.in), what);
    CheckCublasLt(lt_.MatrixLayoutCreate(&x_, type, in, rows, product.in), what);
    CheckCublasLt(lt_.MatrixLayoutCreate(&y_, product.float_y ? CUDA_R_32F : type, out, rows, product.out),
                  what);
  }

  void Free() {
    for (CublasLt::Layout layout : {matrix_, x_, y_}) {
      if (layout != nullptr) lt_.MatrixLayoutDestroy(layout);
    }
    if (descriptor_ != nullptr) lt_.MatmulDescDestroy(descriptor_);
  }

  const CublasLt& lt_;
  CublasLt::Descriptor descriptor_ = nullptr;
  CublasLt::Layout matrix_ = nullptr, x_ = nullptr, y_ = nullptr;
};

Products::Products(Elements elements, std::string path)
    : lt_(OpenCublasLt()), elements_(elements), path_(std::move(path)) {
  CheckCublasLt(lt_.Create(&handle_), "starting cuBLASLt");
  ReadFile();
}

Products::~Products() { lt_.Destroy(handle_); }

bool Products::Known(const Shape& shape, CublasLt::Algorithm* algorithm) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = known_.find(shape);
  if (found == known_.end()) return false;
  *algorithm = found->second;
  return true;
}

void Products::Multiply(const Product& product, Workspace workspace, cudaStream_t stream) {
  Shape shape = {product.rows, product.in,     product.out, product.bias != nullptr,
                 product.gelu, product.float_y};
  Call call(lt_, elements_, product);
  CublasLt::Algorithm algorithm;
  if (!Known(shape, &algorithm)) {
    std::lock_guard<std::mutex> one(measuring_);
    if (!Known(shape, &algorithm)) {
      algorithm = Fastest(call, product, workspace, stream);
      AppendToFile(shape, algorithm);
      std::lock_guard<std::mutex> lock(mutex_);
      known_[shape] = algorithm;
      measured_ = true;
    }
  }
  CheckCublasLt(call.Run(handle_, product, algorithm, workspace, stream), "multiplying matrices");
}

// The product is computed anew each time, which does no harm: y depends on nothing that was in it.
CublasLt::Algorithm Products::Fastest(const Call& call, const Product& product, Workspace workspace,
                                      cudaStream_t stream) const {
  std::vector<CublasLt::Heuristic> ranked = call.Ranking(handle_, workspace.bytes);
  if (ranked.empty()) {
    Fail(CLIP_INTERNAL, "cuBLASLt has no algorithm for a product of ", product.rows, " x ", product.in,
         " by ", product.in, " x ", product.out);
  }
  Event begin = NewEvent(cudaEventDefault), end = NewEvent(cudaEventDefault);
  size_t best = 0;
  float least = 0;
  for (size_t i = 0; i < ranked.size(); ++i) {
    // The first run loads the kernel.
    if (call.Run(handle_, product, ranked[i].algorithm, workspace, stream) != CublasLt::kSuccess) continue;
    Check(cudaEventRecord(begin.get(), stream), "measuring");
    for (int run = 0; run < kRuns; ++run) call.Run(handle_, product, ranked[i].algorithm, workspace, stream);
    Check(cudaEventRecord(end.get(), stream), "measuring");
    Check(cudaEventSynchronize(end.get()), "measuring a matrix product");
    float milliseconds = 0;
    Check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "measuring");
    // A later one must be clearly faster: the ranking knows more than one noisy measurement.
    if (least == 0 || milliseconds < 0.98f * least) {
      least = milliseconds;
      best = i;
    }
  }
  return ranked[best].algorithm;
}

bool Products::all_known() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return !known_.empty() && !measured_;
}

// A line for each shape; one that is damaged is left out, and a new measurement will add it again.
void Products::ReadFile() {
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Shape shape = {};
    CublasLt::Algorithm algorithm = {};
    words >> shape.rows >> shape.in >> shape.out >> shape.bias >> shape.gelu >> shape.float_y >> std::hex;
    for (uint64_t& word : algorithm.data) words >> word;
    std::string end;
    words >> end;
    if (end != "." || shape.rows < 1 || shape.in < 1 || shape.out < 1) continue;
    // The library itself says whether it still takes the algorithm.
    alignas(16) static const char aligned[16] = {};
    Product product = {};
    product.bias = shape.bias ? aligned : nullptr;
    product.rows = shape.rows;
    product.in = shape.in;
    product.out = shape.out;
    product.gelu = shape.gelu;
    product.float_y = shape.float_y;
    if (Call(lt_, elements_, product).Accepts(handle_, algorithm, kWorkspaceBytes)) known_[shape] = algorithm;
  }
}

void Products::AppendToFile(const Shape& shape, const CublasLt::Algorithm& algorithm) {
  if (path_.empty()) return;
  std::ostringstream line;
  line << shape.rows << ' ' << shape.in << ' ' << shape.out << ' ' << shape.bias << ' ' << shape.gelu << ' '
       << shape.float_y << std::hex;
  for (uint64_t word : algorithm.data) line << ' ' << word;
  line << " .\n";
  // One write, so that two processes do not mix their lines. What cannot be kept is measured again.
  std::ofstream(path_, std::ios::app) << line.str() << std::flush;
}

}  // namespace clip::cuda
