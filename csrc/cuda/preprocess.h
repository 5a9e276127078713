// Pictures to the pixels that an image tower takes, on the GPU: JPEG decoded by nvJPEG, resized bicubic as
// Pillow does it with the integers of csrc/image, cropped, and left in device memory as the tower's input.
// Nothing comes back to the host.
//
// # How a runtime offers it
//
// One more function, optional, at the end of clip_runtime_api (a runtime that cannot leaves it NULL; a caller
// looks at the table's size first):
//
//   clip_status (*lane_run_pictures)(clip_lane* lane, uint32_t count, const clip_picture* pictures, float*
//   output,
//                                    uint8_t* left, char* error, size_t error_capacity);
//
// It runs the picture tower on `count` pictures, 1 to max_rows, and writes [count, dim] floats to `output`;
// left[i] is 0, or clip::pictures::Left as a number when the caller must prepare picture i on the processor
// and give it again as S x S RGB. The row of such a picture has no meaning. clip_picture is below. A picture
// alone never fails the call; a status other than CLIP_OK is the machine's fault, as with lane_run. Beside it
// two words in clip_session_info: `pictures`, 1 when the session's lanes have the function, and
// `pictures_error[256]`, why not ("nvJPEG cannot be opened: ..."), for `preprocess: gpu`, which wants it;
// `auto` goes on without. clip_session_options gets max_pixels (0: no limit but the GPU's own) and
// preprocess_threads.
//
// The lane's part is:
//   preprocessor.Run(pictures, count, graph_input_on_device, stream, left);   // queues, returns early
//   run the graph on `stream`, copy the embeddings back, wait for the stream once
//
// Pictures that clipd prepares on the processor anyway (PNG, WebP, tensors) go into the same batch as S x S
// RGB.
#ifndef CLIP_CUDA_PREPROCESS_H_
#define CLIP_CUDA_PREPROCESS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "preprocess_axes.h"
#include "preprocess_decode.h"
#include "preprocess_device.h"
#include "preprocess_jpeg.h"
#include "preprocess_memory.h"
#include "preprocess_pool.h"

extern "C" {
// One picture, only read until the call returns. With width 0 the bytes are a JPEG. Otherwise they are rows
// of R G B, width x 3 bytes each without a gap, height of them.
typedef struct clip_picture {
  const uint8_t* data;
  uint64_t bytes;
  uint32_t width, height;
} clip_picture;
}

namespace clip::pictures {

struct PreprocessOptions {
  int size = 224;   // side of the square that comes out, 1 to 4096
  int threads = 4;  // for headers, copies and Huffman codes, 1 to 256
  int64_t max_pixels =
      100'000'000;  // width x height of a picture, as preprocess.Limits has it; larger ones are left
  // Pictures past this are left to the processor: nvJPEG's own memory grows with them, up to 8 bytes a pixel
  // for each thread.
  int64_t max_decoded_pixels = 16'000'000;
  // Device memory for decoded samples and the rows between the passes, of each of two waves; pinned memory
  // likewise for the bytes of JPEGs. A batch that wants more goes in several waves.
  size_t max_wave_bytes = 512u << 20;
  size_t max_pinned_bytes = 128u << 20;
};

// What was done since the start, for metrics. Each picture counts in one.
struct PreprocessCounts {
  uint64_t hardware = 0, hybrid = 0;  // JPEGs, by decoder
  uint64_t rgb = 0;
  uint64_t left = 0;
};

// Of one lane; its calls come one at a time.
//
// # Memory
//
// Device: at most two and a half times max_wave_bytes, tables of some kilobytes for each size of picture, and
// nvJPEG's own. Host: pinned, at most two and a half times max_pinned_bytes, and nvJPEG's own. It is taken as
// batches want it, and kept.
class GpuPreprocessor {
 public:
  // Throws clip::Error: CLIP_INVALID_ARGUMENT for an option out of range, CLIP_UNAVAILABLE when nvJPEG cannot
  // be started.
  GpuPreprocessor(const PreprocessOptions& options, std::unique_ptr<PreprocessDevice> device,
                  const NvJpeg& nvjpeg);
  ~GpuPreprocessor();

  // Queues the work for `count` pictures on `stream`; picture i becomes bytes i * size * size * 3 and
  // following of `pixels`, device memory, RGB, unless left[i] says why not. What the pictures point to is not
  // used after the call. Earlier work on `stream` may still read `pixels`. Throws clip::Error for the
  // machine's faults; nothing of the call is under way then.
  void Run(const clip_picture* pictures, size_t count, uint8_t* pixels, Stream stream, Left* left);

  std::string Describe() const { return decoder_.Describe(); }
  PreprocessCounts counts() const;

 private:
  struct Plan;  // of one picture
  struct Slot;  // memory of one wave: while the GPU works on one, the host fills the other

  void Inspect(int worker, const clip_picture& picture, Plan* plan);
  void Place(Plan* plan);
  size_t EndOfWave(size_t begin, size_t count) const;
  void RunWave(const clip_picture* pictures, size_t begin, size_t end, uint8_t* pixels, Stream stream);
  void CopyBytes(const clip_picture* pictures, size_t begin, size_t end, Slot* slot);
  void Decode(int slot_number, size_t begin, size_t end, Stream stream);
  void QueueResize(size_t begin, size_t end, uint8_t* pixels, Slot* slot, Stream stream);

  PreprocessOptions options_;
  std::unique_ptr<PreprocessDevice> device_;
  JpegDecoder decoder_;
  WorkerPool pool_;
  AxisCache axes_;
  std::unique_ptr<Slot> slots_[2];
  int slot_ = 0;
  std::vector<Plan> plans_;
  std::atomic<uint64_t> hardware_{0}, hybrid_{0}, rgb_{0}, left_{0};
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_H_
