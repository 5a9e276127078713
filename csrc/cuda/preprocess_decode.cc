#include "preprocess_decode.h"

#include "error.h"

namespace clip::pictures {
namespace {

// Throws when nvJPEG cannot make one of its objects.
void Check(int status, const char* what) {
  if (status == kNvJpegSuccess) return;
  constexpr int kAllocatorFailure = 5;
  Fail(status == kAllocatorFailure ? CLIP_OUT_OF_MEMORY : CLIP_UNAVAILABLE, "nvJPEG: ", what, ": ",
       NvJpegStatusName(status));
}

}  // namespace

// While the GPU works on one page, the next picture's codes are read into the other.
struct JpegDecoder::Page {
  NvJpegParsed parsed = nullptr;
  NvJpegState state = nullptr;
  NvJpegPinned pinned = nullptr;
};

// What one thread needs for itself: nvJPEG's objects are not shared between threads.
struct JpegDecoder::Worker {
  Worker(PreprocessDevice* device, const NvJpeg& nvjpeg, NvJpegHandle handle, NvJpegHandle hardware)
      : device(device), nvjpeg(nvjpeg) {
    try {
      stream = device->CreateStream();
      event = device->CreateEvent();
      Check(nvjpeg.DecoderCreate(handle, kNvJpegHybrid, &decoder), "nvjpegDecoderCreate");
      Check(nvjpeg.DecodeParamsCreate(handle, &params), "nvjpegDecodeParamsCreate");
      Check(nvjpeg.DecodeParamsSetOutputFormat(params, kNvJpegUnchanged),
            "nvjpegDecodeParamsSetOutputFormat");
      Check(nvjpeg.BufferDeviceCreate(handle, nullptr, &buffer), "nvjpegBufferDeviceCreate");
      for (Page& page : pages) {
        Check(nvjpeg.JpegStreamCreate(handle, &page.parsed), "nvjpegJpegStreamCreate");
        Check(nvjpeg.DecoderStateCreate(handle, decoder, &page.state), "nvjpegDecoderStateCreate");
        Check(nvjpeg.BufferPinnedCreate(handle, nullptr, &page.pinned), "nvjpegBufferPinnedCreate");
      }
      if (hardware != nullptr) Check(nvjpeg.JpegStreamCreate(hardware, &asked), "nvjpegJpegStreamCreate");
    } catch (...) {
      Close();
      throw;
    }
  }
  ~Worker() { Close(); }

  void Close() {
    if (stream != nullptr) device->Drain(stream);
    if (asked != nullptr) nvjpeg.JpegStreamDestroy(asked);
    for (Page& page : pages) {
      if (page.state != nullptr) nvjpeg.JpegStateDestroy(page.state);
      if (page.pinned != nullptr) nvjpeg.BufferPinnedDestroy(page.pinned);
      if (page.parsed != nullptr) nvjpeg.JpegStreamDestroy(page.parsed);
    }
    if (buffer != nullptr) nvjpeg.BufferDeviceDestroy(buffer);
    if (params != nullptr) nvjpeg.DecodeParamsDestroy(params);
    if (decoder != nullptr) nvjpeg.DecoderDestroy(decoder);
    if (event != nullptr) device->DestroyEvent(event);
    if (stream != nullptr) device->DestroyStream(stream);
  }

  PreprocessDevice* device;
  const NvJpeg& nvjpeg;
  Stream stream = nullptr;
  Event event = nullptr;  // behind the last picture
  NvJpegDecoder decoder = nullptr;
  NvJpegParams params = nullptr;
  NvJpegDeviceBuffer buffer = nullptr;  // of both pages, which follow one another on the stream
  Page pages[2];
  NvJpegParsed asked = nullptr;  // for HardwareTakes
  int page = 0;
  bool queued = false;  // something since the last Join
};

JpegDecoder::JpegDecoder(PreprocessDevice* device, const NvJpeg& nvjpeg, int workers, int slots)
    : device_(device), nvjpeg_(nvjpeg) {
  Check(nvjpeg.CreateEx(kNvJpegDefault, nullptr, nullptr, kNvJpegStrict, &hybrid_), "nvjpegCreateEx");
  try {
    const int status = nvjpeg.CreateEx(kNvJpegHardware, nullptr, nullptr, 0, &hardware_);
    if (status != kNvJpegSuccess) {
      hardware_ = nullptr;
      hardware_text_ = "no hardware decoder: " + NvJpegStatusName(status);
    } else {
      unsigned engines = 1, cores = 0;
      if (nvjpeg.GetHardwareDecoderInfo != nullptr &&
          nvjpeg.GetHardwareDecoderInfo(hardware_, &engines, &cores) != kNvJpegSuccess) {
        engines = 0;
      }
      if (engines == 0) {
        nvjpeg.Destroy(hardware_);
        hardware_ = nullptr;
        hardware_text_ = "no hardware decoder";
      } else {
        hardware_text_ = "hardware decoder";
        if (cores > 0) hardware_text_ += " of " + std::to_string(engines * cores) + " cores";
      }
    }
    for (int i = 0; hardware_ != nullptr && i < slots; ++i) {
      NvJpegState state = nullptr;
      Check(nvjpeg.JpegStateCreate(hardware_, &state), "nvjpegJpegStateCreate");
      batches_.push_back(state);
    }
    for (int i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(device, nvjpeg, hybrid_, hardware_));
    }
  } catch (...) {
    Close();
    throw;
  }
}

JpegDecoder::~JpegDecoder() { Close(); }

void JpegDecoder::Close() {
  workers_.clear();
  for (NvJpegState state : batches_) nvjpeg_.JpegStateDestroy(state);
  batches_.clear();
  if (hardware_ != nullptr) nvjpeg_.Destroy(hardware_);
  if (hybrid_ != nullptr) nvjpeg_.Destroy(hybrid_);
}

std::string JpegDecoder::Describe() const {
  return "nvJPEG " + NvJpegVersion(nvjpeg_) + ", " + hardware_text_ + ", " + std::to_string(workers_.size()) +
         (workers_.size() == 1 ? " thread" : " threads");
}

bool JpegDecoder::HardwareTakes(int worker, const uint8_t* data, size_t length) {
  if (hardware_ == nullptr) return false;
  Worker& w = *workers_[static_cast<size_t>(worker)];
  int unsupported = 1;
  return nvjpeg_.JpegStreamParseHeader(hardware_, data, length, w.asked) == kNvJpegSuccess &&
         nvjpeg_.DecodeBatchedSupported(hardware_, w.asked, &unsupported) == kNvJpegSuccess &&
         unsupported == 0;
}

bool JpegDecoder::DecodeBatch(int slot, const std::vector<JpegJob>& jobs, Stream stream) {
  if (jobs.empty()) return true;
  std::vector<const unsigned char*> data;
  std::vector<size_t> lengths;
  std::vector<NvJpegImage> planes;
  for (const JpegJob& job : jobs) {
    data.push_back(job.data);
    lengths.push_back(job.length);
    planes.push_back(job.planes);
  }
  NvJpegState state = batches_[static_cast<size_t>(slot)];
  // Initialising also puts a state right whose last batch failed.
  return nvjpeg_.DecodeBatchedInitialize(hardware_, state, static_cast<int>(jobs.size()), 1,
                                         kNvJpegUnchanged) == kNvJpegSuccess &&
         nvjpeg_.DecodeBatched(hardware_, state, data.data(), lengths.data(), planes.data(), stream) ==
             kNvJpegSuccess;
}

bool JpegDecoder::DecodeOne(int worker, const JpegJob& job) {
  Worker& w = *workers_[static_cast<size_t>(worker)];
  Page& page = w.pages[w.page ^ 1];
  const auto good = [](int status) { return status == kNvJpegSuccess; };
  int unsupported = 1;
  if (!good(nvjpeg_.JpegStreamParse(hybrid_, job.data, job.length, 0, 0, page.parsed)) ||
      !good(nvjpeg_.DecoderJpegSupported(w.decoder, page.parsed, w.params, &unsupported)) ||
      unsupported != 0 || !good(nvjpeg_.StateAttachPinnedBuffer(page.state, page.pinned)) ||
      !good(nvjpeg_.DecodeJpegHost(hybrid_, w.decoder, page.state, w.params, page.parsed))) {
    return false;
  }
  // For the picture of the other page: then the device buffer is free, and that page for the next picture.
  // One that fails before this point leaves its own page to the next.
  device_->Wait(w.event);
  w.page ^= 1;
  NvJpegImage planes = job.planes;
  w.queued = true;
  const bool done =
      good(nvjpeg_.StateAttachDeviceBuffer(page.state, w.buffer)) &&
      good(nvjpeg_.DecodeJpegTransferToDevice(hybrid_, w.decoder, page.state, page.parsed, w.stream)) &&
      good(nvjpeg_.DecodeJpegDevice(hybrid_, w.decoder, page.state, &planes, w.stream));
  device_->Record(w.event, w.stream);
  return done;
}

void JpegDecoder::Join(Stream stream) {
  for (const auto& worker : workers_) {
    if (!worker->queued) continue;
    device_->StreamWaits(stream, worker->event);
    worker->queued = false;
  }
}

void JpegDecoder::Drain() noexcept {
  for (const auto& worker : workers_) {
    device_->Drain(worker->stream);
    worker->queued = false;
  }
}

}  // namespace clip::pictures
