// The C API of ONNX Runtime with owners for what it hands out.
#ifndef CLIP_ONNXRUNTIME_API_H_
#define CLIP_ONNXRUNTIME_API_H_

#include <onnxruntime_c_api.h>

#include <memory>

#include "error.h"

namespace clip {

// The table of the library; throws CLIP_UNAVAILABLE when the library is older than the headers.
const OrtApi& Ort();

// Throws when the status is an error: what says what was tried. otherwise is the kind of the errors that ONNX
// Runtime gives no kind of its own.
void Check(OrtStatus* status, const std::string& what, clip_status otherwise = CLIP_INTERNAL);

struct Release {
  void operator()(OrtEnv* p) const { Ort().ReleaseEnv(p); }
  void operator()(OrtMemoryInfo* p) const { Ort().ReleaseMemoryInfo(p); }
  void operator()(OrtRunOptions* p) const { Ort().ReleaseRunOptions(p); }
  void operator()(OrtSession* p) const { Ort().ReleaseSession(p); }
  void operator()(OrtSessionOptions* p) const { Ort().ReleaseSessionOptions(p); }
  void operator()(OrtTypeInfo* p) const { Ort().ReleaseTypeInfo(p); }
  void operator()(OrtValue* p) const { Ort().ReleaseValue(p); }
};

template <typename T>
using Owned = std::unique_ptr<T, Release>;

}  // namespace clip

#endif  // CLIP_ONNXRUNTIME_API_H_
