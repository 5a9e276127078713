#include "preprocess_axes.h"

#include "axis.h"

namespace clip::pictures {
namespace {

std::shared_ptr<const PackedAxis> Packed(const clip_image::Axis& axis) {
  auto packed = std::make_shared<PackedAxis>();
  packed->count = axis.count;
  packed->taps = axis.max_taps;
  packed->first = axis.first();
  packed->end = axis.end();
  const size_t count = static_cast<size_t>(axis.count);
  packed->numbers.resize(count * (1 + static_cast<size_t>(axis.max_taps)));
  for (size_t i = 0; i < count; ++i) {
    packed->numbers[i] = axis.start[i];
    for (int t = 0; t < axis.max_taps; ++t) {
      packed->numbers[count * (1 + static_cast<size_t>(t)) + i] =
          axis.fixed[i * static_cast<size_t>(axis.stride) + static_cast<size_t>(t)];
    }
  }
  return packed;
}

}  // namespace

TaskAxis PackedAxis::At(const void* at) const {
  const int32_t* numbers_there = static_cast<const int32_t*>(at);
  return {numbers_there, numbers_there + count, count, taps, first, end};
}

std::shared_ptr<const PackedAxis> AxisCache::Get(int in, int64_t out, int64_t offset, int count) {
  const auto key = std::make_tuple(in, out, offset, count);
  if (const auto found = axes_.find(key); found != axes_.end()) return found->second;
  auto packed = Packed(clip_image::MakeAxis(in, out, offset, count));
  if (bytes_ + packed->bytes() > kMostBytes) {
    axes_.clear();
    bytes_ = 0;
  }
  bytes_ += packed->bytes();
  axes_.emplace(key, packed);
  return packed;
}

}  // namespace clip::pictures
