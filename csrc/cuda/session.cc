#include "session.h"

#include "files.h"
#include "lane.h"

namespace clip::cuda {
namespace {

Elements ElementsOf(clip_precision precision) {
  switch (precision) {
    case CLIP_PRECISION_BF16:
      return Elements::kBfloat16;
    case CLIP_PRECISION_FP16:
      return Elements::kHalf;
    default:
      return Elements::kFloat;
  }
}

clip_precision Choose(const Gpu& gpu, clip_precision wanted) {
  if (wanted == CLIP_PRECISION_AUTO) return gpu.HasBfloat16() ? CLIP_PRECISION_BF16 : CLIP_PRECISION_FP16;
  if (wanted == CLIP_PRECISION_BF16 && !gpu.HasBfloat16()) {
    Fail(CLIP_UNAVAILABLE, "precision bf16 asked, but ", gpu.name, " (compute capability ", gpu.major, ".",
         gpu.minor, ") computes fp16 and fp32; ask for one of these or auto");
  }
  return wanted;
}

}  // namespace

CudaSession::CudaSession(const Gpu& gpu, const SessionOptions& options)
    : gpu_(gpu), max_rows_(options.max_rows), max_length_(options.max_length) {
  info_.precision = Choose(gpu, options.precision);
  info_.device = "cuda:" + std::to_string(gpu.number) + " " + gpu.name;
  Check(cudaSetDevice(gpu.number), "choosing the GPU");
  Elements elements = ElementsOf(info_.precision);
  {
    OnnxModel model(options.graph_path);
    network_ = std::make_unique<Network>(ReadTower(model, options, &info_), elements);
  }
  int driver = 0;
  Check(cudaDriverGetVersion(&driver), "asking the driver for its version");
  std::string folder = CacheFolder(options.cache_dir, options.graph_path,
                                   {"cuda", std::to_string(OpenCublasLt().GetVersion()),
                                    std::to_string(driver), gpu.name, PrecisionName(info_.precision)});
  products_ = std::make_unique<Products>(elements, folder.empty() ? "" : folder + "/products.txt");
  // What the first lane does not have to measure was kept by an earlier start.
  info_.cached = products_->all_known();
}

CudaSession::~CudaSession() { cudaSetDevice(gpu_.number); }

std::unique_ptr<Lane> CudaSession::NewLane() {
  return std::make_unique<CudaLane>(*network_, products_.get(), gpu_.number, max_rows_, max_length_);
}

}  // namespace clip::cuda
