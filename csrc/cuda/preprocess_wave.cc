// One wave of a batch: memory, copies, decoding, the two launches.
#include <algorithm>
#include <cstring>
#include <map>

#include "preprocess.h"
#include "preprocess_kernels.h"
#include "preprocess_plan.h"

namespace clip::pictures {

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
