// The runtime "openvino": the processor, by OpenVINO.
#include <algorithm>
#include <openvino/openvino.hpp>

#include "cpu.h"
#include "session.h"

namespace clip {
namespace {

class OpenVino : public Runtime {
 public:
  OpenVino() {
    name_ = core_.get_property("CPU", ov::device::full_name);
    name_.erase(name_.find_last_not_of(" \t") + 1);
    auto capabilities = core_.get_property("CPU", ov::device::capabilities);
    auto has = [&](const char* one) {
      return std::find(capabilities.begin(), capabilities.end(), one) != capabilities.end();
    };
    bf16_ = HasNativeBf16() && has(ov::device::capability::BF16);
    fp16_ = has(ov::device::capability::FP16);
  }

  RuntimeInfo Describe() override {
    RuntimeInfo info;
    info.name = "openvino";
    info.version = ov::get_openvino_version().buildNumber;
    info.devices = {"cpu " + name_ + ", " + Precisions()};
    info.precisions = 1u << CLIP_PRECISION_FP32;
    if (bf16_) info.precisions |= 1u << CLIP_PRECISION_BF16;
    if (fp16_) info.precisions |= 1u << CLIP_PRECISION_FP16;
    return info;
  }

  std::unique_ptr<Session> NewSession(const SessionOptions& options) override {
    if (options.device != "cpu") {
      Fail(CLIP_UNAVAILABLE, "runtime \"openvino\" has no device \"", options.device, "\"; it has cpu");
    }
    return std::make_unique<OpenVinoSession>(core_, options, InForce(options.precision), "cpu " + name_);
  }

 private:
  std::string Precisions() const {
    return std::string("fp32") + (bf16_ ? " bf16" : "") + (fp16_ ? " fp16" : "");
  }

  clip_precision InForce(clip_precision asked) const {
    if (asked == CLIP_PRECISION_AUTO) return bf16_ ? CLIP_PRECISION_BF16 : CLIP_PRECISION_FP32;
    bool missing = (asked == CLIP_PRECISION_BF16 && !bf16_) || (asked == CLIP_PRECISION_FP16 && !fp16_);
    if (missing) {
      Fail(CLIP_UNAVAILABLE, "precision ", PrecisionName(asked), " asked, but ", name_, " computes ",
           Precisions(), " natively (bf16 needs AVX512-BF16 or AMX-BF16); ask for one of these or for auto");
    }
    return asked;
  }

  ov::Core core_;
  std::string name_;
  bool bf16_ = false, fp16_ = false;
};

}  // namespace
}  // namespace clip

extern "C" __attribute__((visibility("default"))) const clip_runtime_api* clip_runtime_get(
    uint32_t abi, char* error, size_t error_capacity) {
  return clip::MakeApi(abi, []() -> clip::Runtime* { return new clip::OpenVino; }, error, error_capacity);
}
