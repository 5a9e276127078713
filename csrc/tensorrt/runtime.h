#ifndef CLIP_TENSORRT_RUNTIME_H_
#define CLIP_TENSORRT_RUNTIME_H_

#include <memory>
#include <utility>

#include "api.h"
#include "cudriver.h"
#include "plugin.h"

namespace clip::trt {

class TensorRt : public Runtime {
 public:
  TensorRt(Library library, const cu::Driver& driver) : library_(std::move(library)), driver_(driver) {}
  RuntimeInfo Describe() override;
  std::unique_ptr<Session> NewSession(const SessionOptions& options) override;

 private:
  Library library_;
  const cu::Driver& driver_;
};

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_RUNTIME_H_
