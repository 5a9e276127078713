#include "api.h"

namespace clip {
namespace {

clip_status StatusOf(OrtErrorCode code, const std::string& text, clip_status otherwise) {
  switch (code) {
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_GRAPH:
    case ORT_INVALID_PROTOBUF:
    case ORT_NO_MODEL:
    case ORT_NO_SUCHFILE:
    case ORT_NOT_IMPLEMENTED:  // an operator that this build has no kernel for
      return CLIP_INVALID_ARGUMENT;
    default:
      // There is no code of its own for this.
      bool memory = text.find("Failed to allocate memory") != std::string::npos ||
                    text.find("bad_alloc") != std::string::npos;
      return memory ? CLIP_OUT_OF_MEMORY : otherwise;
  }
}

}  // namespace

const OrtApi& Ort() {
  static const OrtApi* api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    Fail(CLIP_UNAVAILABLE, "libonnxruntime ", OrtGetApiBase()->GetVersionString(), " is too old: 1.",
         ORT_API_VERSION, " or newer is needed");
  }
  return *api;
}

void Check(OrtStatus* status, const std::string& what, clip_status otherwise) {
  if (status == nullptr) return;
  std::string text = Ort().GetErrorMessage(status);
  OrtErrorCode code = Ort().GetErrorCode(status);
  Ort().ReleaseStatus(status);
  throw Error(StatusOf(code, text, otherwise), what + ": " + text);
}

}  // namespace clip
