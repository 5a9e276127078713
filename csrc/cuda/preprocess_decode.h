// JPEG to planes in device memory, by nvJPEG: batches by the decoder in hardware, single pictures with
// Huffman codes on the processor and the rest on the GPU.
//
// Planes come out as they are encoded (NVJPEG_OUTPUT_UNCHANGED). The chroma is interpolated by this project's
// kernel, with libjpeg-turbo's own weights and roundings, whichever decoder made it:
// NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION, which older versions lack, has no part in it. What may differ
// from the processor's decoder is the inverse DCT alone: about 1 level a sample, less after shrinking.
#ifndef CLIP_CUDA_PREPROCESS_DECODE_H_
#define CLIP_CUDA_PREPROCESS_DECODE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "preprocess_device.h"
#include "preprocess_jpeg.h"
#include "preprocess_nvjpeg.h"

namespace clip::pictures {

// One picture to decode. The bytes lie in pinned memory until the GPU is done.
struct JpegJob {
  const uint8_t* data;
  size_t length;
  NvJpegImage planes;
};

class JpegDecoder {
 public:
  // `workers` threads will decode at the same time; `slots` batches of the hardware decoder may be under way.
  // Throws clip::Error when nvJPEG cannot be started at all; without a hardware decoder it goes on.
  JpegDecoder(PreprocessDevice* device, const NvJpeg& nvjpeg, int workers, int slots);
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  // "nvJPEG 13.0.4, hardware decoder of 7 cores, 8 threads".
  std::string Describe() const;
  bool hardware() const { return hardware_ != nullptr; }

  // Whether the hardware decoder takes the file. One call at a time for each worker.
  bool HardwareTakes(int worker, const uint8_t* data, size_t length);

  // Queues a batch for the hardware decoder. Returns false when nvJPEG refuses the batch: which picture is at
  // fault is not known then, and nothing of it is to be used. The slot's last batch must be done.
  bool DecodeBatch(int slot, const std::vector<JpegJob>& jobs, Stream stream);

  // Decodes one picture on the calling worker thread and queues the rest on a stream of its own. Returns
  // false when nvJPEG does not take it.
  bool DecodeOne(int worker, const JpegJob& job);
  // Lets `stream` wait for what DecodeOne has queued since the last Join.
  void Join(Stream stream);
  // Waits until everything that was queued by DecodeOne is done.
  void Drain() noexcept;

 private:
  struct Page;
  struct Worker;

  void Close();

  PreprocessDevice* device_;
  const NvJpeg& nvjpeg_;
  NvJpegHandle hybrid_ = nullptr;
  NvJpegHandle hardware_ = nullptr;
  std::string hardware_text_;
  std::vector<NvJpegState> batches_;  // one of each slot
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_DECODE_H_
