#include "api.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

// Two steps, so that the macro is replaced before it becomes text.
#define CLIP_TENSORRT_TEXT2(x) #x
#define CLIP_TENSORRT_TEXT(x) CLIP_TENSORRT_TEXT2(x)
#define CLIP_TENSORRT_MAJOR_TEXT CLIP_TENSORRT_TEXT(NV_TENSORRT_MAJOR)

namespace clip::trt {
namespace {

static_assert(NV_TENSORRT_VERSION >= 100100, "headers of TensorRT 10.1 or newer are needed");

// What an engine's contexts need (setDeviceMemoryV2) came with 10.1.
constexpr int32_t kOldest = 100100;

// More errors than this say nothing new: one failed layer makes many.
constexpr size_t kMostErrors = 6;

const char kHelp[] = "; install TensorRT " CLIP_TENSORRT_MAJOR_TEXT
                     " (NVIDIA's packages libnvinfer and libnvonnxparsers, or the wheel tensorrt), and where "
                     "its libraries are in no "
                     "standard folder name theirs in LD_LIBRARY_PATH";

std::string Text(int32_t number) {
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

template <typename Function>
Function Symbol(void* library, const std::string& file, const char* name) {
  auto symbol = reinterpret_cast<Function>(dlsym(library, name));
  if (symbol == nullptr) Fail(CLIP_UNAVAILABLE, file, " is no library of TensorRT: it exports no ", name);
  return symbol;
}

}  // namespace

std::string Library::version() const { return Text(number); }

std::string InferLibrary() { return "libnvinfer.so." CLIP_TENSORRT_MAJOR_TEXT; }
std::string ParserLibrary() { return "libnvonnxparser.so." CLIP_TENSORRT_MAJOR_TEXT; }

Library OpenLibrary(const std::string& infer, const std::string& parser) {
  void* handle = dlopen(infer.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) Fail(CLIP_UNAVAILABLE, "cannot open ", infer, " (", dlerror(), ")", kHelp);
  Library library;
  library.create_builder =
      Symbol<decltype(library.create_builder)>(handle, infer, "createInferBuilder_INTERNAL");
  library.create_runtime =
      Symbol<decltype(library.create_runtime)>(handle, infer, "createInferRuntime_INTERNAL");
  library.number = Symbol<int32_t (*)()>(handle, infer, "getInferLibVersion")();
  if (library.number / 10000 != NV_TENSORRT_MAJOR || library.number < kOldest) {
    Fail(CLIP_UNAVAILABLE, infer, " has the version number ", library.number, " (", library.version(),
         "); this build of clipd needs TensorRT ",
         NV_TENSORRT_MAJOR == 10 ? "10.1 or a newer 10.x" : CLIP_TENSORRT_MAJOR_TEXT);
  }
  void* parsing = dlopen(parser.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (parsing == nullptr) {
    library.parser_missing = "cannot open " + parser + " (" + dlerror() + ")" + kHelp;
    return library;
  }
  library.create_parser =
      Symbol<decltype(library.create_parser)>(parsing, parser, "createNvOnnxParser_INTERNAL");
  return library;
}

Log::Log() {
  const char* wanted = std::getenv("CLIPD_TENSORRT_LOG");
  if (wanted == nullptr) return;
  if (std::strcmp(wanted, "warning") == 0) shown_ = static_cast<int>(Severity::kWARNING);
  if (std::strcmp(wanted, "info") == 0) shown_ = static_cast<int>(Severity::kINFO);
  if (std::strcmp(wanted, "verbose") == 0) shown_ = static_cast<int>(Severity::kVERBOSE);
}

void Log::log(Severity severity, const char* text) noexcept {
  if (Shows(severity)) fprintf(stderr, "tensorrt: %s\n", text);
  if (severity > Severity::kERROR) return;
  try {
    std::lock_guard<std::mutex> lock(lock_);
    if (errors_.size() < kMostErrors) errors_.emplace_back(std::this_thread::get_id(), text);
  } catch (...) {
    // Without memory for the reason, the failure itself is still reported.
  }
}

std::string Log::Take() {
  std::lock_guard<std::mutex> lock(lock_);
  auto self = std::this_thread::get_id();
  std::string own, all;
  for (const auto& [thread, text] : errors_) {
    all += (all.empty() ? "" : "; ") + text;
    if (thread == self) own += (own.empty() ? "" : "; ") + text;
  }
  if (own.empty()) {
    errors_.clear();
    return all.empty() ? "TensorRT gives no reason" : all;
  }
  std::erase_if(errors_, [&](const auto& error) { return error.first == self; });
  return own;
}

void Log::Clear() {
  std::lock_guard<std::mutex> lock(lock_);
  std::erase_if(errors_, [](const auto& error) { return error.first == std::this_thread::get_id(); });
}

Log& TheLog() {
  static Log* log = new Log;  // TensorRT's threads may still use it while the process ends
  return *log;
}

namespace {

// The library is told its own version rather than that of the headers: only what all of a major version have
// is called, and an older minor one would refuse newer headers.
template <typename T>
Own<T> Made(void* made, const char* what) {
  if (made == nullptr) FailWithLog(CLIP_UNAVAILABLE, "TensorRT cannot make its ", what);
  return Own<T>(static_cast<T*>(made));
}

}  // namespace

Own<nvinfer1::IBuilder> NewBuilder(const Library& library) {
  return Made<nvinfer1::IBuilder>(library.create_builder(&TheLog(), library.number), "builder");
}

Own<nvinfer1::IRuntime> NewRuntime(const Library& library) {
  return Made<nvinfer1::IRuntime>(library.create_runtime(&TheLog(), library.number), "runtime");
}

Own<nvonnxparser::IParser> NewParser(const Library& library, nvinfer1::INetworkDefinition& network) {
  if (library.create_parser == nullptr) {
    Fail(CLIP_UNAVAILABLE, "there is no engine built ahead, and to build one: ", library.parser_missing);
  }
  return Made<nvonnxparser::IParser>(library.create_parser(&network, &TheLog(), NV_ONNX_PARSER_VERSION),
                                     "ONNX parser");
}

}  // namespace clip::trt
