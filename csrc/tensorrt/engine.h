// An engine on a device, shared by its session and its lanes.
#ifndef CLIP_TENSORRT_ENGINE_H_
#define CLIP_TENSORRT_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "api.h"
#include "cudriver.h"
#include "network.h"
#include "profiles.h"

namespace clip::trt {

class Engine {
 public:
  // Deserialises a plan for the device. Throws CLIP_INVALID_ARGUMENT when TensorRT does not take it.
  Engine(const Library& library, std::shared_ptr<cu::Primary> primary, std::string_view plan);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  struct Port {
    std::string name;
    size_t item_bytes;  // of one element
    size_t most_bytes;  // of the largest batch of any profile
  };

  const cu::Primary& primary() const { return *primary_; }
  const cu::Driver& driver() const { return primary_->driver(); }
  const Signature& signature() const { return signature_; }
  const std::vector<Profile>& profiles() const { return profiles_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const Port& output() const { return output_; }
  int64_t dim() const { return signature_.outputs[0].shape[1]; }

  // Device memory that a context needs while it runs, of any profile. Contexts that never run at the same
  // time share it.
  int64_t scratch_bytes() const { return engine_->getDeviceMemorySizeV2(); }

  // A context on this profile that works in the caller's scratch memory. The device is current.
  Own<nvinfer1::IExecutionContext> NewContext(int profile, cu::DevicePtr scratch, CUstream_st* stream) const;

 private:
  void ReadProfiles();

  std::shared_ptr<cu::Primary> primary_;
  Own<nvinfer1::IRuntime> runtime_;
  Own<nvinfer1::ICudaEngine> engine_;
  Signature signature_;
  std::vector<Profile> profiles_;
  std::vector<Port> inputs_;
  Port output_;
};

// Runs free while the device is current; what is left when it cannot be made so any more is given up.
template <typename Free>
void OnDevice(const cu::Primary& primary, Free&& free) noexcept {
  AtEdge(nullptr, 0, [&] {
    cu::Current current(primary);
    free();
  });
}

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_ENGINE_H_
