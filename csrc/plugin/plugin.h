// What a runtime implements in C++. Plugin<Runtime> turns it into the table of clip_runtime.h: it checks what
// comes in, keeps exceptions in, and converts the structs, so that a runtime only deals with its own library.
#ifndef CLIP_PLUGIN_PLUGIN_H_
#define CLIP_PLUGIN_PLUGIN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clip_runtime.h"
#include "error.h"

namespace clip {

// clip_session_options, checked: graph_path names a readable file, lanes and threads are at least 1 and not
// absurd, device is not empty.
struct SessionOptions {
  std::string graph_path;
  std::string cache_dir;  // "" or a folder that exists
  std::string device;     // "cpu" by default
  clip_tower tower = CLIP_TOWER_IMAGE;
  clip_precision precision = CLIP_PRECISION_AUTO;
  uint32_t lanes = 1;
  uint32_t threads = 1;  // for each lane
  // Processors that its threads may run on, ascending; empty: all. The calling thread is on them while
  // NewSession and NewLane run, so that threads made there inherit them; for other threads the runtime has to
  // see to it.
  std::vector<int> cpus;
  uint32_t nice = 0;                      // 0 to 19
  uint32_t max_rows = 0, max_length = 0;  // of a batch; 0: not known
};

struct SessionInfo {
  clip_precision precision = CLIP_PRECISION_FP32;  // in force
  std::string device;                              // in force
  clip_tower tower = CLIP_TOWER_IMAGE;
  uint32_t dim = 0;
  uint32_t image_size = 0;  // 0: the graph takes any
  bool cached = false;
  bool packs = false;  // text: the graph takes several texts in a line
};

// One batch whose sizes have been checked against the session.
struct Batch {
  struct Input {
    void* data;  // uint8 for pictures, int32 for texts; only read
    size_t bytes;
    std::vector<int64_t> shape;
  };
  std::vector<Input> inputs;  // of the graph, in its order
  uint32_t rows, length;      // as the caller gave them, for messages
  float* output;              // [rows, dim]
  size_t output_count;
};

// "8 rows of length 12", for messages.
std::string Describe(const Batch& batch);

class Lane {
 public:
  virtual ~Lane() = default;
  virtual void Run(const Batch& batch) = 0;
};

class Session {
 public:
  virtual ~Session() = default;
  virtual std::unique_ptr<Lane> NewLane() = 0;
  const SessionInfo& info() const { return info_; }

 protected:
  SessionInfo info_;
};

struct RuntimeInfo {
  std::string name, version;
  std::vector<std::string> devices;  // "cpu AMD EPYC 9R45, fp32 bf16"
  uint32_t precisions = 0;           // bits 1 << clip_precision
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual RuntimeInfo Describe() = 0;
  virtual std::unique_ptr<Session> NewSession(const SessionOptions& options) = 0;
};

const char* PrecisionName(clip_precision precision);

// The table over the runtime that make() returns. It is made once, on the first call, and lives as long as
// the process: the libraries behind it keep threads that must not outlive them. make may throw.
const clip_runtime_api* MakeApi(uint32_t abi, Runtime* (*make)(), char* error, size_t capacity);

}  // namespace clip

#endif  // CLIP_PLUGIN_PLUGIN_H_
