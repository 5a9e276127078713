// TensorRT's libraries, opened at run time: the C++ API of the headers that this was compiled with, of the
// same major version. Its classes are called through their virtual tables, so that no symbol is linked.
#ifndef CLIP_TENSORRT_API_H_
#define CLIP_TENSORRT_API_H_

#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "error.h"

namespace clip::trt {

// The entry points. A test fills in its own.
struct Library {
  void* (*create_builder)(void* logger, int32_t version) = nullptr;
  void* (*create_runtime)(void* logger, int32_t version) = nullptr;
  // nullptr where the parser's library is missing: engines that are built already run without it.
  void* (*create_parser)(void* network, void* logger, int version) = nullptr;
  std::string parser_missing;  // why
  int32_t number = 0;          // 110400 is 11.4.0
  std::string version() const;
};

// The names of the libraries, with the major version of the headers: libnvinfer.so.11.
std::string InferLibrary();
std::string ParserLibrary();

// Opens both. Throws CLIP_UNAVAILABLE when libnvinfer is missing, lacks a symbol or is of another major
// version.
Library OpenLibrary(const std::string& infer = InferLibrary(), const std::string& parser = ParserLibrary());

// What TensorRT says while it works. Errors are kept until somebody reports them; with the environment
// variable CLIPD_TENSORRT_LOG (warning, info, verbose) everything down to that level goes to the standard
// error too. TensorRT keeps one logger for the process, so there is one.
class Log : public nvinfer1::ILogger {
 public:
  Log();
  void log(Severity severity, const char* text) noexcept override;

  // The errors since the last call, in order, joined: those that came from the calling thread, or those of
  // TensorRT's own threads where there are none. "TensorRT gives no reason" when there is nothing.
  std::string Take();
  void Clear();
  bool Shows(Severity severity) const { return static_cast<int>(severity) <= shown_; }

 private:
  std::mutex lock_;
  std::vector<std::pair<std::thread::id, std::string>> errors_;
  int shown_ = -1;
};

Log& TheLog();

// Throws with the errors of the log. Those that speak of memory become CLIP_OUT_OF_MEMORY.
template <typename... Parts>
[[noreturn]] void FailWithLog(clip_status status, Parts&&... parts) {
  std::string reason = TheLog().Take();
  bool memory =
      reason.find("ut of memory") != std::string::npos || reason.find("OutOfMemory") != std::string::npos;
  Fail(memory ? CLIP_OUT_OF_MEMORY : status, std::forward<Parts>(parts)..., ": ", reason);
}

// TensorRT's objects are deleted through their virtual destructors, which run in its library.
template <typename T>
using Own = std::unique_ptr<T>;

Own<nvinfer1::IBuilder> NewBuilder(const Library& library);
Own<nvinfer1::IRuntime> NewRuntime(const Library& library);
Own<nvonnxparser::IParser> NewParser(const Library& library, nvinfer1::INetworkDefinition& network);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_API_H_
