#include "host_device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "error.h"
#include "preprocess_kernels.h"

namespace clip::pictures {
namespace {

// The threads of a block one after another. Shared memory begins with rubbish, as on a GPU.
struct HostBlock {
  uint32_t tile[kTilePixels];
  Sums own[kThreads];

  HostBlock() {
    std::memset(tile, 0xA5, sizeof(tile));
    std::memset(own, 0xA5, sizeof(own));
  }
  Sums& sums(int thread) { return own[thread]; }
  template <typename Body>
  void Each(Body body) {
    for (int thread = 0; thread < kThreads; ++thread) body(thread);
  }
};

}  // namespace

void RunFirstPass(const TaskList& list, uint32_t blocks) {
  for (uint32_t i = 0; i < blocks; ++i) {
    HostBlock block;
    FirstPass(block, list, i);
  }
}

void RunSecondPass(const TaskList& list, uint32_t blocks) {
  for (uint32_t i = 0; i < blocks; ++i) {
    HostBlock block;
    SecondPass(block, list, i);
  }
}

struct HostDevice::Work {
  std::vector<std::function<void()>> all;
  size_t done = 0;
};

struct HostDevice::Mark {
  std::shared_ptr<Work> stream;  // nullptr: never recorded
  size_t position = 0;
};

HostDevice::~HostDevice() {
  if (live_ == 0) return;
  std::fprintf(stderr, "HostDevice: %zu objects were not given back\n", live_);
  std::abort();
}

void HostDevice::MayFail(const char* call) {
  if (failing_ == call) Fail(CLIP_OUT_OF_MEMORY, call, " failed as the test wants it");
}

void HostDevice::Queue(Stream stream, std::function<void()> work) {
  std::lock_guard lock(mutex_);
  streams_.at(stream)->all.push_back(std::move(work));
}

size_t HostDevice::pending() const {
  std::lock_guard lock(mutex_);
  size_t sum = 0;
  for (const auto& [name, stream] : streams_) sum += stream->all.size() - stream->done;
  return sum;
}

void HostDevice::RunTo(const std::shared_ptr<Work>& stream, size_t position) {
  while (stream->done < position) {
    const std::function<void()> work = std::move(stream->all[stream->done]);
    ++stream->done;
    work();
  }
}

void HostDevice::MakeCurrent() { MayFail("MakeCurrent"); }

void* HostDevice::Allocate(size_t bytes) {
  std::lock_guard lock(mutex_);
  MayFail("Allocate");
  void* memory = std::malloc(bytes);
  std::memset(memory, 0x5A, bytes);
  device_memory_[memory] = bytes;
  most_device_ = std::max(most_device_, device_bytes_ += bytes);
  ++live_;
  return memory;
}

void HostDevice::Free(void* memory) noexcept {
  if (memory == nullptr) return;
  std::lock_guard lock(mutex_);
  device_bytes_ -= device_memory_.at(memory);
  device_memory_.erase(memory);
  --live_;
  std::free(memory);
}

void* HostDevice::AllocatePinned(size_t bytes) {
  std::lock_guard lock(mutex_);
  MayFail("AllocatePinned");
  void* memory = std::malloc(bytes);
  std::memset(memory, 0x5A, bytes);
  pinned_memory_[memory] = bytes;
  most_pinned_ = std::max(most_pinned_, pinned_bytes_ += bytes);
  ++live_;
  return memory;
}

void HostDevice::FreePinned(void* memory) noexcept {
  if (memory == nullptr) return;
  std::lock_guard lock(mutex_);
  pinned_bytes_ -= pinned_memory_.at(memory);
  pinned_memory_.erase(memory);
  --live_;
  std::free(memory);
}

Stream HostDevice::CreateStream() {
  std::lock_guard lock(mutex_);
  MayFail("CreateStream");
  auto stream = std::make_shared<Work>();
  streams_[stream.get()] = stream;
  ++live_;
  return stream.get();
}

void HostDevice::DestroyStream(Stream stream) noexcept {
  std::lock_guard lock(mutex_);
  Drain(stream);
  streams_.erase(stream);
  --live_;
}

Event HostDevice::CreateEvent() {
  std::lock_guard lock(mutex_);
  MayFail("CreateEvent");
  ++live_;
  return new Mark;
}

void HostDevice::DestroyEvent(Event event) noexcept {
  std::lock_guard lock(mutex_);
  delete static_cast<Mark*>(event);
  --live_;
}

void HostDevice::Record(Event event, Stream stream) {
  std::lock_guard lock(mutex_);
  MayFail("Record");
  const auto& work = streams_.at(stream);
  *static_cast<Mark*>(event) = {work, work->all.size()};
}

void HostDevice::Wait(Event event) {
  std::lock_guard lock(mutex_);
  const Mark mark = *static_cast<Mark*>(event);
  if (mark.stream == nullptr || mark.stream->done >= mark.position) return;
  ++waits_;
  RunTo(mark.stream, mark.position);
}

void HostDevice::StreamWaits(Stream stream, Event event) {
  std::lock_guard lock(mutex_);
  MayFail("StreamWaits");
  const Mark mark = *static_cast<Mark*>(event);
  if (mark.stream == nullptr) return;
  Queue(stream, [this, mark] { RunTo(mark.stream, mark.position); });
}

void HostDevice::Drain(Stream stream) noexcept {
  std::lock_guard lock(mutex_);
  ++drains_;
  const auto work = streams_.at(stream);
  RunTo(work, work->all.size());
}

void HostDevice::CopyIn(void* to, const void* from, size_t bytes, Stream stream) {
  MayFail("CopyIn");
  Queue(stream, [=] { std::memcpy(to, from, bytes); });
}

void HostDevice::LaunchFirstPass(const TaskList& list, uint32_t blocks, Stream stream) {
  MayFail("LaunchFirstPass");
  ++launches_;
  Queue(stream, [=] { RunFirstPass(list, blocks); });
}

void HostDevice::LaunchSecondPass(const TaskList& list, uint32_t blocks, Stream stream) {
  MayFail("LaunchSecondPass");
  ++launches_;
  Queue(stream, [=] { RunSecondPass(list, blocks); });
}

}  // namespace clip::pictures
