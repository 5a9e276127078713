#ifndef CLIP_ONNXRUNTIME_SESSION_H_
#define CLIP_ONNXRUNTIME_SESSION_H_

#include <string>

#include "api.h"
#include "plugin.h"

namespace clip {

// One tower in ONNX Runtime on the processor, fp32. All lanes share one session: its Run may be called from
// many threads at once. The calling thread works too, so that the pool holds the other threads of all lanes.
class OnnxRuntimeSession : public Session {
 public:
  OnnxRuntimeSession(const OrtEnv& env, const SessionOptions& options, const std::string& device);
  std::unique_ptr<Lane> NewLane() override;

  // Used by its lanes; may be called from many threads.
  void Run(const Batch& batch, const OrtRunOptions* options) const;

 private:
  void ReadSignature(const SessionOptions& options);

  std::vector<int> cpus_;
  Owned<OrtMemoryInfo> memory_;
  Owned<OrtSession> session_;
  std::vector<std::string> inputs_;
  std::string output_;
};

}  // namespace clip

#endif  // CLIP_ONNXRUNTIME_SESSION_H_
