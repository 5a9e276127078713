#include "preprocess.h"

#include <algorithm>

#include "error.h"
#include "preprocess_plan.h"

namespace clip::pictures {
namespace {

constexpr size_t kPitch = 64;  // rows of planes begin at a multiple of this

const PreprocessOptions& Checked(const PreprocessOptions& options) {
  if (options.size < 1 || options.size > 4096) {
    Fail(CLIP_INVALID_ARGUMENT, "picture size ", options.size, " is not between 1 and 4096");
  }
  if (options.threads < 1 || options.threads > 256) {
    Fail(CLIP_INVALID_ARGUMENT, "preprocessing threads are ", options.threads, ", not between 1 and 256");
  }
  if (options.max_pixels < 1 || options.max_decoded_pixels < 1) {
    Fail(CLIP_INVALID_ARGUMENT, "the limits of pixels are ", options.max_pixels, " and ",
         options.max_decoded_pixels, "; at least 1 is needed");
  }
  return options;
}

}  // namespace

GpuPreprocessor::GpuPreprocessor(const PreprocessOptions& options, std::unique_ptr<PreprocessDevice> device,
                                 const NvJpeg& nvjpeg)
    : options_(Checked(options)),
      device_((device->MakeCurrent(), std::move(device))),
      decoder_(device_.get(), nvjpeg, options_.threads, 2),
      pool_(options_.threads, [this](int) { device_->MakeCurrent(); }) {
  for (auto& slot : slots_) slot = std::make_unique<Slot>(device_.get());
}

GpuPreprocessor::~GpuPreprocessor() {
  try {
    device_->MakeCurrent();
    for (const auto& slot : slots_) device_->Wait(slot->done);
  } catch (const Error&) {
    // A GPU that has failed has nothing under way.
  }
}

PreprocessCounts GpuPreprocessor::counts() const { return {hardware_, hybrid_, rgb_, left_}; }

// Runs on a worker: reads the header and plans what needs no other thread.
void GpuPreprocessor::Inspect(int worker, const clip_picture& picture, Plan* plan) {
  int64_t width = picture.width, height = picture.height;
  plan->jpeg = picture.width == 0;
  if (plan->jpeg) {
    plan->left = InspectJpeg(picture.data, picture.bytes, &plan->info);
    if (plan->left != Left::kNo) return;
    width = plan->info.width;
    height = plan->info.height;
    if (width * height > options_.max_decoded_pixels || plan->info.length > options_.max_pinned_bytes) {
      plan->left = Left::kTooLarge;
      return;
    }
  } else if (picture.data == nullptr || width > INT32_MAX || height < 1 || height > INT32_MAX / 4 / width ||
             picture.bytes != static_cast<uint64_t>(width * height * 3)) {
    plan->left = Left::kBroken;
    return;
  }
  if (width * height > options_.max_pixels) {
    plan->left = Left::kTooLarge;
    return;
  }
  plan->geometry = clip_image::Fit(static_cast<int>(width), static_cast<int>(height), options_.size);
  plan->hardware =
      plan->jpeg && plan->info.baseline && decoder_.HardwareTakes(worker, picture.data, plan->info.length);
}

// Finishes the plan on the lane's thread: weights, and how much memory the picture wants.
void GpuPreprocessor::Place(Plan* plan) {
  if (plan->left != Left::kNo) return;
  const clip_image::Geometry& g = plan->geometry;
  if (g.resampled) {
    plan->columns = axes_.Get(g.width, g.resized_width, g.left, g.size);
    plan->rows = axes_.Get(g.height, g.resized_height, g.top, g.size);
    plan->first_column = plan->columns->first;
    plan->end_column = plan->columns->end;
    plan->first_row = plan->rows->first;
    plan->end_row = plan->rows->end;
    const int between =
        g.height_first ? plan->end_column - plan->first_column : plan->end_row - plan->first_row;
    plan->between_bytes = static_cast<size_t>(between) * static_cast<size_t>(g.size) * sizeof(uint32_t);
  } else {
    plan->first_column = static_cast<int>(g.left);
    plan->end_column = plan->first_column + g.size;
    plan->first_row = static_cast<int>(g.top);
    plan->end_row = plan->first_row + g.size;
  }
  if (!plan->jpeg) {
    plan->rgb_bytes = static_cast<size_t>(plan->end_column - plan->first_column) * 3 *
                      static_cast<size_t>(plan->end_row - plan->first_row);
  }
  for (int c = 0; plan->jpeg && c < plan->info.components; ++c) {
    const size_t width = static_cast<size_t>(c == 0 ? plan->info.width : plan->info.chroma_width());
    const size_t height = static_cast<size_t>(c == 0 ? plan->info.height : plan->info.chroma_height());
    plan->plane_pitch[c] = RoundUp(width, kPitch);
    plan->plane_bytes[c] = plan->plane_pitch[c] * RoundUp(height, 16);  // room for whole blocks
  }
  if (plan->scratch_bytes() + plan->rgb_bytes > options_.max_wave_bytes) plan->left = Left::kTooLarge;
}

size_t GpuPreprocessor::EndOfWave(size_t begin, size_t count) const {
  size_t scratch = 0, pinned = 0;
  for (size_t i = begin; i < count; ++i) {
    const Plan& plan = plans_[i];
    if (plan.left != Left::kNo) continue;
    scratch += plan.scratch_bytes() + plan.rgb_bytes;
    pinned += plan.jpeg_bytes() + plan.rgb_bytes;
    if (i > begin && (scratch > options_.max_wave_bytes || pinned > options_.max_pinned_bytes)) return i;
  }
  return count;
}

void GpuPreprocessor::Run(const clip_picture* pictures, size_t count, uint8_t* pixels, Stream stream,
                          Left* left) {
  device_->MakeCurrent();
  plans_.assign(count, Plan());
  pool_.ForEach(count, [&](int worker, size_t i) { Inspect(worker, pictures[i], &plans_[i]); });
  for (size_t i = 0; i < count; ++i) Place(&plans_[i]);
  try {
    for (size_t begin = 0; begin < count;) {
      const size_t end = EndOfWave(begin, count);
      RunWave(pictures, begin, end, pixels, stream);
      begin = end;
    }
  } catch (...) {
    // What is under way reads memory that the next call fills anew.
    decoder_.Drain();
    device_->Drain(stream);
    throw;
  }
  for (size_t i = 0; i < count; ++i) {
    left[i] = plans_[i].left;
    if (left[i] != Left::kNo) ++left_;
  }
  plans_.clear();
}

}  // namespace clip::pictures
