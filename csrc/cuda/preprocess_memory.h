// Memory that grows to what the largest batch so far wanted and is then used again and again.
#ifndef CLIP_CUDA_PREPROCESS_MEMORY_H_
#define CLIP_CUDA_PREPROCESS_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "preprocess_device.h"

namespace clip::pictures {

// Every part of a layout begins at a multiple of this.
inline constexpr size_t kPartAlignment = 256;
inline constexpr size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Places parts one after another: Take gives the offset of the next.
class Layout {
 public:
  size_t Take(size_t bytes) {
    const size_t at = size_;
    size_ += RoundUp(bytes, kPartAlignment);
    return at;
  }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

// One piece of memory on the GPU, or pinned on the host.
class Arena {
 public:
  enum Kind { kDevice, kPinned };

  Arena(PreprocessDevice* device, Kind kind) : device_(device), kind_(kind) {}
  ~Arena() { Release(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Makes room for `bytes`; what it held is lost. Nothing may be in use any more. Throws CLIP_OUT_OF_MEMORY.
  void Reserve(size_t bytes) {
    if (bytes <= capacity_) return;
    Release();
    // A quarter more, so that batches that differ a little do not allocate each time.
    const size_t wanted = RoundUp(bytes + bytes / 4, 1u << 20);
    memory_ =
        static_cast<uint8_t*>(kind_ == kDevice ? device_->Allocate(wanted) : device_->AllocatePinned(wanted));
    capacity_ = wanted;
  }
  uint8_t* at(size_t offset) const { return memory_ + offset; }
  size_t capacity() const { return capacity_; }

 private:
  void Release() {
    if (memory_ == nullptr) return;
    if (kind_ == kDevice) {
      device_->Free(memory_);
    } else {
      device_->FreePinned(memory_);
    }
    memory_ = nullptr;
    capacity_ = 0;
  }

  PreprocessDevice* device_;
  Kind kind_;
  uint8_t* memory_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_MEMORY_H_
