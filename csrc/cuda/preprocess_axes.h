// The filter's weights as the kernels read them, and a cache of them: pictures of one size share theirs.
#ifndef CLIP_CUDA_PREPROCESS_AXES_H_
#define CLIP_CUDA_PREPROCESS_AXES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "preprocess_task.h"

namespace clip::pictures {

// A clip_image::Axis whose numbers lie in the order of TaskAxis: [count] starts, then [taps, count] weights.
struct PackedAxis {
  int count = 0, taps = 0, first = 0, end = 0;
  std::vector<int32_t> numbers;

  size_t bytes() const { return numbers.size() * sizeof(int32_t); }
  // The axis whose numbers lie at `at` in device memory.
  TaskAxis At(const void* at) const;
};

// Belongs to one thread.
class AxisCache {
 public:
  // See clip_image::MakeAxis. The axis stays valid while it is held, in the cache or not.
  std::shared_ptr<const PackedAxis> Get(int in, int64_t out, int64_t offset, int count);
  size_t bytes() const { return bytes_; }

  static constexpr size_t kMostBytes = 32u << 20;  // past it the cache begins anew

 private:
  std::map<std::tuple<int, int64_t, int64_t, int>, std::shared_ptr<const PackedAxis>> axes_;
  size_t bytes_ = 0;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_AXES_H_
