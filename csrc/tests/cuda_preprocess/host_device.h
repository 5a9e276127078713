// A GPU that is none: memory of the host, and streams whose work waits until somebody waits for it. So
// whoever reuses memory too early, or forgets to let a stream wait for another, gets wrong pixels.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "preprocess_device.h"

namespace clip::pictures {

class HostDevice : public PreprocessDevice {
 public:
  ~HostDevice() override;

  // Puts work on a stream, as the library behind a fake does. From any thread.
  void Queue(Stream stream, std::function<void()> work);

  // The calls with this name throw CLIP_OUT_OF_MEMORY from now on; "" for none.
  void FailIn(const std::string& call) { failing_ = call; }
  size_t live() const { return live_; }  // objects and memory not given back
  size_t pending() const;                // pieces of work that nobody has waited for
  size_t most_device_bytes() const { return most_device_; }
  size_t most_pinned_bytes() const { return most_pinned_; }
  int waits() const { return waits_; }  // of threads for events that were not reached
  int drains() const { return drains_; }
  int launches() const { return launches_; }

  void MakeCurrent() override;
  void* Allocate(size_t bytes) override;
  void Free(void* memory) noexcept override;
  void* AllocatePinned(size_t bytes) override;
  void FreePinned(void* memory) noexcept override;
  Stream CreateStream() override;
  void DestroyStream(Stream stream) noexcept override;
  Event CreateEvent() override;
  void DestroyEvent(Event event) noexcept override;
  void Record(Event event, Stream stream) override;
  void Wait(Event event) override;
  void StreamWaits(Stream stream, Event event) override;
  void Drain(Stream stream) noexcept override;
  void CopyIn(void* to, const void* from, size_t bytes, Stream stream) override;
  void LaunchFirstPass(const TaskList& list, uint32_t blocks, Stream stream) override;
  void LaunchSecondPass(const TaskList& list, uint32_t blocks, Stream stream) override;

 private:
  struct Work;
  struct Mark;

  void MayFail(const char* call);
  void RunTo(const std::shared_ptr<Work>& stream, size_t position);

  mutable std::recursive_mutex mutex_;
  std::string failing_;
  size_t live_ = 0;
  std::map<void*, size_t> device_memory_, pinned_memory_;
  std::map<Stream, std::shared_ptr<Work>> streams_;  // an event outlives its stream
  size_t device_bytes_ = 0, pinned_bytes_ = 0, most_device_ = 0, most_pinned_ = 0;
  int waits_ = 0, drains_ = 0, launches_ = 0;
};

// Runs the two kernels' bodies for all blocks of the list.
void RunFirstPass(const TaskList& list, uint32_t blocks);
void RunSecondPass(const TaskList& list, uint32_t blocks);

}  // namespace clip::pictures
