#ifndef CLIP_CUDA_SESSION_H_
#define CLIP_CUDA_SESSION_H_

#include <memory>

#include "network.h"
#include "plugin.h"
#include "products.h"

namespace clip::cuda {

struct Gpu {
  int number = 0;
  std::string name;
  std::string pci;           // "0000:65:00.0"
  int major = 0, minor = 0;  // compute capability

  bool HasBfloat16() const { return major >= 8; }
};

// One tower on one GPU.
class CudaSession : public Session {
 public:
  CudaSession(const Gpu& gpu, const SessionOptions& options);
  ~CudaSession() override;
  std::unique_ptr<Lane> NewLane() override;

 private:
  Gpu gpu_;
  uint32_t max_rows_, max_length_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Products> products_;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_SESSION_H_
