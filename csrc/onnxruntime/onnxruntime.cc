// The runtime "onnxruntime": the processor, by ONNX Runtime, in fp32.
#include <fstream>

#include "api.h"
#include "session.h"

namespace clip {
namespace {

// "model name" of /proc/cpuinfo; other architectures have no such line.
std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "processor";
}

class OnnxRuntime : public Runtime {
 public:
  OnnxRuntime() : name_(ProcessorName()) {
    OrtEnv* env = nullptr;
    // Errors come back as statuses; written to the standard error as well they would only be noise.
    Check(Ort().CreateEnv(ORT_LOGGING_LEVEL_FATAL, "clipd", &env), "cannot start ONNX Runtime");
    env_.reset(env);
  }

  RuntimeInfo Describe() override {
    RuntimeInfo info;
    info.name = "onnxruntime";
    info.version = OrtGetApiBase()->GetVersionString();
    info.devices = {"cpu " + name_ + ", fp32"};
    info.precisions = 1u << CLIP_PRECISION_FP32;
    return info;
  }

  std::unique_ptr<Session> NewSession(const SessionOptions& options) override {
    if (options.device != "cpu") {
      Fail(CLIP_UNAVAILABLE, "runtime \"onnxruntime\" has no device \"", options.device, "\"; it has cpu");
    }
    if (options.precision != CLIP_PRECISION_AUTO && options.precision != CLIP_PRECISION_FP32) {
      Fail(CLIP_UNAVAILABLE, "precision ", PrecisionName(options.precision),
           " asked, but ONNX Runtime computes fp32 on a processor; ask for fp32 or auto, or use openvino");
    }
    return std::make_unique<OnnxRuntimeSession>(*env_, options, "cpu " + name_);
  }

 private:
  std::string name_;
  Owned<OrtEnv> env_;
};

}  // namespace
}  // namespace clip

extern "C" __attribute__((visibility("default"))) const clip_runtime_api* clip_runtime_get(
    uint32_t abi, char* error, size_t error_capacity) {
  return clip::MakeApi(abi, []() -> clip::Runtime* { return new clip::OnnxRuntime; }, error, error_capacity);
}
