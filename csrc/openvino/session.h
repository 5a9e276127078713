#ifndef CLIP_OPENVINO_SESSION_H_
#define CLIP_OPENVINO_SESSION_H_

#include <openvino/openvino.hpp>

#include "binding.h"
#include "embedding.h"
#include "plugin.h"

namespace clip {

// One tower, compiled by OpenVINO for the processor. It has as many streams as lanes; a stream has its own
// threads and its own copy of the graph's state, while the weights are shared.
class OpenVinoSession : public Session {
 public:
  // in_force is what options.precision came to on this machine.
  OpenVinoSession(ov::Core& core, const SessionOptions& options, clip_precision in_force,
                  const std::string& device);
  std::unique_ptr<Lane> NewLane() override;

 private:
  void Open(ov::Core& core, const SessionOptions& options);
  void Compile(ov::Core& core, const SessionOptions& options);
  ov::AnyMap Settings(ov::Core& core, const SessionOptions& options);
  bool CompilePacking(ov::Core& core, const SessionOptions& options, const ov::AnyMap& settings);
  template <typename Ports>
  void ReadSignature(const Ports& inputs, const Ports& outputs, const SessionOptions& options);
  void WarmUp(uint32_t lanes);

  std::shared_ptr<const Embedding> embedding_;  // of a text tower that packs; else null
  ov::CompiledModel model_;
  std::unique_ptr<Binding> binding_;  // null: its threads run anywhere; goes before the model
};

}  // namespace clip

#endif  // CLIP_OPENVINO_SESSION_H_
