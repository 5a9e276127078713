// Engines and timings on disk.
#ifndef CLIP_TENSORRT_ENGINE_FILE_H_
#define CLIP_TENSORRT_ENGINE_FILE_H_

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "content.h"

namespace clip::trt {

// What an engine was made from and for. An engine runs only on the GPU and with the TensorRT that built it.
struct Making {
  std::string tensorrt;    // "11.4.0"
  std::string gpu;         // "NVIDIA H200"
  std::string capability;  // "9.0"
  std::string graph;       // ContentHash
  std::string precision;   // "bf16"
  std::string batches;     // "rows 64, length 77": what the profiles were fitted to
  std::string level;       // of the builder

  // Hash of all of it: the name of the engine in a cache.
  std::string Key() const;
};

// What keeps an engine that was made thus from being used where that is wanted, in words, or "". Batches and
// level may differ: an engine built ahead has its own.
std::string Misfit(const Making& made, const Making& wanted);

struct EngineFile {
  Making making;
  std::shared_ptr<Mapped> file;
  std::string_view plan;  // as TensorRT serialised it, in file
};

// Reads what Write wrote. Throws CLIP_INVALID_ARGUMENT when the file is damaged or something else; nothing
// when there is no such file.
std::optional<EngineFile> ReadEngine(const std::string& path);

// Both write beside the file and rename, so that nobody ever reads a half. They throw CLIP_INVALID_ARGUMENT.
void WriteEngine(const std::string& path, const Making& making, std::string_view plan);
void WriteAtOnce(const std::string& path, std::initializer_list<std::string_view> parts);

// The whole file, or "" when there is none.
std::string ReadWhole(const std::string& path);

// "…/image.engine" for "…/image.onnx": an engine that was built ahead is looked for there.
std::string EngineBeside(const std::string& graph_path);
// "<cache_dir>/tensorrt-<key>.engine"
std::string EngineInCache(const std::string& cache_dir, const Making& making);
// "<cache_dir>/tensorrt-timing-<hash of version and GPU>.cache": how long kernels take, for all graphs.
std::string TimingCache(const std::string& cache_dir, const Making& making);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_ENGINE_FILE_H_
