#include "preprocess.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "geometry.h"
#include "preprocess_kernels.h"

namespace clip::pictures {
namespace {

constexpr size_t kPitch = 64;      // rows of planes begin at a multiple of this
constexpr size_t kReadAhead = 64;  // zeros behind the bytes of a JPEG, should a decoder look there

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

struct GpuPreprocessor::Plan {
  Left left = Left::kNo;
  bool jpeg = false;
  bool hardware = false;  // the batch decoder takes it
  JpegInfo info;
  clip_image::Geometry geometry;
  std::shared_ptr<const PackedAxis> columns, rows;  // nullptr where nothing is resampled
  // The part of the picture that has influence.
  int first_column = 0, end_column = 0, first_row = 0, end_row = 0;
  // Of the wave's memory: bytes wanted, and where they are.
  size_t plane_bytes[3] = {}, plane_pitch[3] = {};
  size_t between_bytes = 0;
  size_t rgb_bytes = 0;  // of the part, packed
  size_t plane_at[3] = {}, between_at = 0, bytes_at = 0, rgb_at = 0;

  size_t scratch_bytes() const {
    size_t sum = RoundUp(between_bytes, kPartAlignment);
    for (const size_t bytes : plane_bytes) sum += RoundUp(bytes, kPartAlignment);
    return sum;
  }
  size_t jpeg_bytes() const { return jpeg ? RoundUp(info.length + kReadAhead, kPartAlignment) : 0; }
};

struct GpuPreprocessor::Slot {
  explicit Slot(PreprocessDevice* device)
      : device(device),
        jpegs(device, Arena::kPinned),
        upload(device, Arena::kPinned),
        uploaded(device, Arena::kDevice),
        scratch(device, Arena::kDevice),
        done(device->CreateEvent()) {}
  ~Slot() { device->DestroyEvent(done); }

  PreprocessDevice* device;
  Arena jpegs;   // files, as nvJPEG reads them
  Arena upload;  // tables, tasks and RGB pixels, on the host and, the same bytes, on the GPU
  Arena uploaded;
  Arena scratch;         // planes, and pixels between the passes
  size_t rgb_total = 0;  // bytes at the beginning of upload that hold RGB pixels
  Event done;
};

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
void GpuPreprocessor::Place(const clip_picture& picture, Plan* plan) {
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
  for (size_t i = 0; i < count; ++i) Place(pictures[i], &plans_[i]);
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

void GpuPreprocessor::RunWave(const clip_picture* pictures, size_t begin, size_t end, uint8_t* pixels,
                              Stream stream) {
  const auto waits_for_us = [](const Plan& plan) { return plan.left == Left::kNo; };
  if (std::none_of(plans_.begin() + static_cast<ptrdiff_t>(begin),
                   plans_.begin() + static_cast<ptrdiff_t>(end), waits_for_us)) {
    return;
  }
  const int number = slot_;
  slot_ ^= 1;
  Slot* slot = slots_[number].get();
  device_->Wait(slot->done);

  Layout jpegs, upload, scratch;
  for (size_t i = begin; i < end; ++i) {
    Plan& plan = plans_[i];
    if (plan.left != Left::kNo) continue;
    if (plan.jpeg) plan.bytes_at = jpegs.Take(plan.info.length + kReadAhead);
    if (!plan.jpeg) plan.rgb_at = upload.Take(plan.rgb_bytes);
    for (int c = 0; c < 3; ++c) plan.plane_at[c] = scratch.Take(plan.plane_bytes[c]);
    plan.between_at = scratch.Take(plan.between_bytes);
  }
  slot->rgb_total = upload.size();
  // The tables' size is known before the decoding: pictures that fail make it smaller.
  upload.Take(sizeof(PictureTask) * (end - begin));
  upload.Take(sizeof(uint32_t) * (end - begin + 1));
  upload.Take(sizeof(uint32_t) * (end - begin + 1));
  std::vector<const PackedAxis*> axes;
  for (size_t i = begin; i < end; ++i) {
    for (const auto& axis : {plans_[i].columns, plans_[i].rows}) {
      if (axis != nullptr) axes.push_back(axis.get());
    }
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  for (const PackedAxis* axis : axes) upload.Take(axis->bytes());

  slot->jpegs.Reserve(jpegs.size());
  slot->upload.Reserve(upload.size());
  slot->uploaded.Reserve(upload.size());
  slot->scratch.Reserve(scratch.size());
  CopyBytes(pictures, begin, end, slot);
  Decode(number, begin, end, stream);
  QueueResize(begin, end, pixels, slot, stream);
  device_->Record(slot->done, stream);
}

// Brings what the GPU reads into pinned memory: files, and the part of RGB pictures that has influence.
void GpuPreprocessor::CopyBytes(const clip_picture* pictures, size_t begin, size_t end, Slot* slot) {
  pool_.ForEach(end - begin, [&](int, size_t i) {
    const Plan& plan = plans_[begin + i];
    const clip_picture& picture = pictures[begin + i];
    if (plan.left != Left::kNo) return;
    if (plan.jpeg) {
      uint8_t* to = slot->jpegs.at(plan.bytes_at);
      std::memcpy(to, picture.data, plan.info.length);
      std::memset(to + plan.info.length, 0, kReadAhead);
      return;
    }
    uint8_t* to = slot->upload.at(plan.rgb_at);
    const size_t row = static_cast<size_t>(plan.end_column - plan.first_column) * 3;
    for (int y = plan.first_row; y < plan.end_row; ++y, to += row) {
      std::memcpy(to,
                  picture.data +
                      (static_cast<size_t>(y) * picture.width + static_cast<size_t>(plan.first_column)) * 3,
                  row);
    }
  });
}

void GpuPreprocessor::Decode(int slot_number, size_t begin, size_t end, Stream stream) {
  Slot* slot = slots_[slot_number].get();
  std::vector<JpegJob> batch, single;
  std::vector<size_t> batch_pictures, single_pictures;
  for (size_t i = begin; i < end; ++i) {
    const Plan& plan = plans_[i];
    if (plan.left != Left::kNo || !plan.jpeg) continue;
    JpegJob job = {slot->jpegs.at(plan.bytes_at), plan.info.length, {}};
    for (int c = 0; c < plan.info.components; ++c) {
      job.planes.channel[c] = slot->scratch.at(plan.plane_at[c]);
      job.planes.pitch[c] = plan.plane_pitch[c];
    }
    (plan.hardware ? batch : single).push_back(job);
    (plan.hardware ? batch_pictures : single_pictures).push_back(i);
  }
  if (decoder_.DecodeBatch(slot_number, batch, stream)) {
    hardware_ += batch.size();
  } else {
    // One of them spoils it for all, and nvJPEG does not say which: each is tried alone. What the failed
    // batch may have queued writes to the same planes, so it comes to an end first.
    device_->Drain(stream);
    single.insert(single.end(), batch.begin(), batch.end());
    single_pictures.insert(single_pictures.end(), batch_pictures.begin(), batch_pictures.end());
  }
  pool_.ForEach(single.size(), [&](int worker, size_t i) {
    if (decoder_.DecodeOne(worker, single[i])) {
      ++hybrid_;
    } else {
      plans_[single_pictures[i]].left = Left::kRefused;
    }
  });
  decoder_.Join(stream);
}

void GpuPreprocessor::QueueResize(size_t begin, size_t end, uint8_t* pixels, Slot* slot, Stream stream) {
  // The parts of the upload in the order of RunWave, with what was decoded only.
  Layout upload;
  upload.Take(slot->rgb_total);
  const size_t tasks_at = upload.Take(sizeof(PictureTask) * (end - begin));
  const size_t first_at = upload.Take(sizeof(uint32_t) * (end - begin + 1));
  const size_t second_at = upload.Take(sizeof(uint32_t) * (end - begin + 1));
  PictureTask* tasks = reinterpret_cast<PictureTask*>(slot->upload.at(tasks_at));
  uint32_t* first_blocks = reinterpret_cast<uint32_t*>(slot->upload.at(first_at));
  uint32_t* second_blocks = reinterpret_cast<uint32_t*>(slot->upload.at(second_at));

  std::map<const PackedAxis*, size_t> placed;
  const auto place = [&](const PackedAxis& axis) {
    auto [at, is_new] = placed.try_emplace(&axis, 0);
    if (is_new) {
      at->second = upload.Take(axis.bytes());
      std::memcpy(slot->upload.at(at->second), axis.numbers.data(), axis.bytes());
    }
    return axis.At(slot->uploaded.at(at->second));
  };

  int count = 0;
  uint32_t first = 0, second = 0;
  for (size_t i = begin; i < end; ++i) {
    const Plan& plan = plans_[i];
    if (plan.left != Left::kNo) continue;
    const clip_image::Geometry& g = plan.geometry;
    PictureTask task = {};
    if (plan.jpeg) {
      task.samples = plan.info.components == 1 ? Samples::kGray : Samples::kYcc;
      for (int c = 0; c < plan.info.components; ++c) {
        task.plane[c] = slot->scratch.at(plan.plane_at[c]);
        task.pitch[c] = static_cast<uint32_t>(plan.plane_pitch[c]);
      }
      task.chroma_width = plan.info.chroma_width();
      task.chroma_height = plan.info.chroma_height();
      task.across_bits = static_cast<uint8_t>(plan.info.across / 2);  // 1, 2, 4 are 0, 1, 2 bits
      task.down_bits = static_cast<uint8_t>(plan.info.down / 2);
      // As jinit_upsampler in jdsample.c chooses: 2 to 1 is interpolated, except across in planes of 1 or 2
      // columns.
      const bool across = plan.info.across == 2 && task.chroma_width > 2;
      task.interpolated = plan.info.across == 1 ? plan.info.down == 2 : across;
    } else {
      task.samples = Samples::kRgb;
      task.plane[0] = slot->uploaded.at(plan.rgb_at);
      task.pitch[0] = static_cast<uint32_t>(plan.end_column - plan.first_column) * 3;
      task.origin_column = plan.first_column;
      task.origin_row = plan.first_row;
      ++rgb_;
    }
    task.order = !g.resampled ? Order::kCropOnly : g.height_first ? Order::kHeightFirst : Order::kWidthFirst;
    task.size = g.size;
    task.left = static_cast<int32_t>(g.left);
    task.top = static_cast<int32_t>(g.top);
    if (g.resampled) {
      task.columns = place(*plan.columns);
      task.rows = place(*plan.rows);
    }
    task.between = reinterpret_cast<uint32_t*>(slot->scratch.at(plan.between_at));
    task.out = pixels + i * static_cast<size_t>(g.size) * static_cast<size_t>(g.size) * 3;
    first_blocks[count] = first;
    second_blocks[count] = second;
    first += FirstPassBlocks(task);
    second += SecondPassBlocks(task);
    tasks[count++] = task;
  }
  if (count == 0) return;
  first_blocks[count] = first;
  second_blocks[count] = second;

  device_->CopyIn(slot->uploaded.at(0), slot->upload.at(0), upload.size(), stream);
  const auto* tasks_there = reinterpret_cast<const PictureTask*>(slot->uploaded.at(tasks_at));
  const auto* first_there = reinterpret_cast<const uint32_t*>(slot->uploaded.at(first_at));
  const auto* second_there = reinterpret_cast<const uint32_t*>(slot->uploaded.at(second_at));
  device_->LaunchFirstPass({tasks_there, first_there, count}, first, stream);
  device_->LaunchSecondPass({tasks_there, second_there, count}, second, stream);
}

}  // namespace clip::pictures
