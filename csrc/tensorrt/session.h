#ifndef CLIP_TENSORRT_SESSION_H_
#define CLIP_TENSORRT_SESSION_H_

#include <memory>

#include "engine.h"
#include "engine_file.h"
#include "graph.h"
#include "plugin.h"

namespace clip::trt {

// One tower as a TensorRT engine on one GPU: one that lies built beside the graph, one from the cache, or a
// new one.
class TensorRtSession : public Session {
 public:
  TensorRtSession(const Library& library, const cu::Driver& driver, const SessionOptions& options);
  std::unique_ptr<Lane> NewLane() override;

 private:
  std::unique_ptr<Engine> LoadBeside(const Making& wanted);
  std::unique_ptr<Engine> LoadCached(const std::string& path);
  std::unique_ptr<Engine> BuildNew(const GraphFacts& facts, const Making& making);
  // Throws when the engine is no tower as the options ask for, or takes smaller batches.
  void Check(const Engine& engine);

  const Library& library_;
  SessionOptions options_;
  std::shared_ptr<cu::Primary> primary_;
  std::shared_ptr<const Engine> engine_;
};

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_SESSION_H_
