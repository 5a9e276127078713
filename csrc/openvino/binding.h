#ifndef CLIP_OPENVINO_BINDING_H_
#define CLIP_OPENVINO_BINDING_H_

#include <memory>
#include <mutex>
#include <openvino/openvino.hpp>
#include <vector>

namespace clip {

// Keeps the threads that compute for one compiled model on some processors.
//
// That threads inherit the processors of the one that makes them is not enough here. A stream of OpenVINO
// works inside a TBB arena, and whoever enters one, the stream's own thread and the workers of the process
// that help it, is given all processors (or those of the NUMA node that OpenVINO chose) while inside; workers
// go from the arena of one model to that of another; and the streams of a closed model are used again for the
// next one. OpenVINO's own pinning begins with the first processor for each model, so that the two towers of
// a replica either share nothing (with reservation) or all replicas share the same ones.
//
// So an observer in the arena of each stream puts every thread that enters on these processors, after TBB has
// done its part. A worker that leaves may run anywhere again.
class Binding {
 public:
  explicit Binding(std::vector<int> cpus);
  ~Binding();
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  // Runs one request of a model on each of its streams at the same time and puts an observer into the arenas
  // that have none. Every request has the same inputs; the model's first output is float32 [rows, columns]
  // with rows not fixed. Throws when not all streams could be reached.
  void Attach(ov::CompiledModel& model, const std::vector<ov::Tensor>& inputs, size_t columns,
              uint32_t streams);

  // Makes the streams that a model compiled with these settings will get, and attaches to them, so that what
  // compiling and the first run write lies on the right NUMA node. It relies on OpenVINO giving the idle
  // streams of a closed model to the next one with the same settings; where it does not, Attach still binds
  // later.
  void Prepare(ov::Core& core, const ov::AnyMap& settings, uint32_t streams);

 private:
  class Observer;
  struct Meeting;
  struct Allocator;

  void Enter(Meeting& meeting);

  std::vector<int> cpus_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Observer>> observers_;
};

}  // namespace clip

#endif  // CLIP_OPENVINO_BINDING_H_
