#include "fake_nvjpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <mutex>

// clang-format off: it needs size_t and FILE before it
#include <jpeglib.h>
// clang-format on

namespace clip::pictures {

// What the library hands out. The handles in preprocess_nvjpeg.h are pointers to these.
struct nvjpegHandle {
  int backend;
};
struct nvjpegJpegStream {
  std::vector<unsigned char> file;
};
struct nvjpegBufferPinned {
  std::vector<unsigned char> planes[3];
  int width[3], height[3];
};
struct nvjpegBufferDevice {
  nvjpegBufferPinned content;
};
struct nvjpegJpegState {
  int batch = -1;
  nvjpegBufferPinned* pinned = nullptr;
  nvjpegBufferDevice* device = nullptr;
  std::vector<unsigned char> file;
};
struct nvjpegJpegDecoder {
  int backend;
};
struct nvjpegDecodeParams {
  int format = -1;
};

namespace {

constexpr int kInvalid = 2, kBad = 3, kUnsupported = 4, kInternal = 8;

std::mutex mutex;  // of the script's counts

bool Refused(const std::function<bool(const unsigned char*, size_t)>& rule, const unsigned char* data,
             size_t length) {
  return rule != nullptr && rule(data, length);
}

struct Errors {
  jpeg_error_mgr base;
  std::jmp_buf jump;
};

// The planes of a file as they are encoded, without what fills the last blocks.
bool ReadPlanes(const unsigned char* data, size_t length, nvjpegBufferPinned* planes) {
  jpeg_decompress_struct info;
  Errors errors;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = [](j_common_ptr i) { std::longjmp(reinterpret_cast<Errors*>(i->err)->jump, 1); };
  errors.base.emit_message = [](j_common_ptr i, int level) {
    if (level < 0) std::longjmp(reinterpret_cast<Errors*>(i->err)->jump, 1);
  };
  std::vector<std::vector<unsigned char>> rows[3];
  for (auto& plane : planes->planes) plane.clear();
  jpeg_create_decompress(&info);
  if (setjmp(errors.jump)) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_mem_src(&info, data, length);
  jpeg_read_header(&info, TRUE);
  info.raw_data_out = TRUE;
  info.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&info);
  JSAMPROW pointers[3][4 * DCTSIZE];
  JSAMPARRAY arrays[3] = {pointers[0], pointers[1], pointers[2]};
  for (int c = 0; c < info.num_components; ++c) {
    const jpeg_component_info& component = info.comp_info[c];
    planes->width[c] = static_cast<int>(component.downsampled_width);
    planes->height[c] = static_cast<int>(component.downsampled_height);
    rows[c].assign(4 * DCTSIZE, std::vector<unsigned char>((component.width_in_blocks + 4) * DCTSIZE));
    for (int r = 0; r < 4 * DCTSIZE; ++r) pointers[c][r] = rows[c][static_cast<size_t>(r)].data();
  }
  while (info.output_scanline < info.output_height) {
    jpeg_read_raw_data(&info, arrays, static_cast<JDIMENSION>(info.max_v_samp_factor * DCTSIZE));
    for (int c = 0; c < info.num_components; ++c) {
      for (int r = 0; r < info.comp_info[c].v_samp_factor * DCTSIZE; ++r) {
        const auto& row = rows[c][static_cast<size_t>(r)];
        planes->planes[c].insert(planes->planes[c].end(), row.begin(), row.begin() + planes->width[c]);
      }
    }
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

void WritePlanes(const nvjpegBufferPinned& from, const NvJpegImage& to) {
  for (int c = 0; c < 3; ++c) {
    if (from.planes[c].empty()) continue;
    for (int y = 0; y < from.height[c]; ++y) {
      std::memcpy(to.channel[c] + to.pitch[c] * static_cast<size_t>(y),
                  &from.planes[c][static_cast<size_t>(y) * static_cast<size_t>(from.width[c])],
                  static_cast<size_t>(from.width[c]));
    }
  }
}

bool Fails(const char* call) { return std::strcmp(Script().failing, call) == 0; }

template <typename T>
int Make(const char* call, T** object, T value) {
  if (Fails(call)) return kInternal;
  std::lock_guard lock(mutex);
  *object = new T(std::move(value));
  ++Script().live;
  return 0;
}

template <typename T>
int Destroy(T* object) {
  std::lock_guard lock(mutex);
  delete object;
  --Script().live;
  return 0;
}

int CreateEx(int backend, void*, void*, unsigned, nvjpegHandle** handle) {
  if (backend == kNvJpegHardware && !Script().hardware) return 7;
  if (backend != kNvJpegHardware && Script().create_status != 0) return Script().create_status;
  return Make("CreateEx", handle, nvjpegHandle{backend});
}

int Parse(const unsigned char* data, size_t length, nvjpegJpegStream* parsed) {
  parsed->file.assign(data, data + length);
  return 0;
}

int DecodeBatched(nvjpegHandle*, nvjpegJpegState* state, const unsigned char* const* data,
                  const size_t* lengths, NvJpegImage* destinations, void* stream) {
  FakeNvJpegScript& script = Script();
  const int count = state->batch;
  state->batch = -1;  // it has to be initialised for each batch
  if (count < 0) return 1;
  for (int i = 0; i < count; ++i) {
    if (Refused(script.bad_in_batch, data[i], lengths[i])) return kBad;
  }
  // The library reads the files when the GPU gets there.
  for (int i = 0; i < count; ++i) {
    script.device->Queue(stream, [file = data[i], length = lengths[i], to = destinations[i]] {
      nvjpegBufferPinned planes;
      if (ReadPlanes(file, length, &planes)) WritePlanes(planes, to);
    });
  }
  script.batches.push_back(static_cast<size_t>(count));
  return 0;
}

int DecodeHost(nvjpegHandle*, nvjpegJpegDecoder*, nvjpegJpegState* state, nvjpegDecodeParams* params,
               nvjpegJpegStream* parsed) {
  if (state->pinned == nullptr || params->format != kNvJpegUnchanged) return kInvalid;
  if (Refused(Script().bad_on_host, parsed->file.data(), parsed->file.size())) return kBad;
  state->file = parsed->file;
  return ReadPlanes(parsed->file.data(), parsed->file.size(), state->pinned) ? 0 : kBad;
}

int Transfer(nvjpegHandle*, nvjpegJpegDecoder*, nvjpegJpegState* state, nvjpegJpegStream*, void* stream) {
  if (state->device == nullptr) return kInvalid;
  Script().device->Queue(stream, [from = state->pinned, to = state->device] { to->content = *from; });
  return 0;
}

int DecodeDevice(nvjpegHandle*, nvjpegJpegDecoder*, nvjpegJpegState* state, NvJpegImage* destination,
                 void* stream) {
  if (Refused(Script().bad_on_device, state->file.data(), state->file.size())) return 6;
  Script().device->Queue(stream,
                         [from = state->device, to = *destination] { WritePlanes(from->content, to); });
  std::lock_guard lock(mutex);
  ++Script().singles;
  return 0;
}

NvJpeg MakeTable() {
  NvJpeg t = {};
  t.GetProperty = [](int type, int* value) {
    *value = 13 - type;
    return 0;
  };
  t.CreateEx = CreateEx;
  t.Destroy = Destroy<nvjpegHandle>;
  t.JpegStateCreate = [](nvjpegHandle*, nvjpegJpegState** s) {
    return Make("JpegStateCreate", s, nvjpegJpegState{});
  };
  t.JpegStateDestroy = Destroy<nvjpegJpegState>;
  t.JpegStreamCreate = [](nvjpegHandle*, nvjpegJpegStream** s) {
    return Make("JpegStreamCreate", s, nvjpegJpegStream{});
  };
  t.JpegStreamDestroy = Destroy<nvjpegJpegStream>;
  t.JpegStreamParse = [](nvjpegHandle*, const unsigned char* data, size_t length, int, int,
                         nvjpegJpegStream* parsed) { return Parse(data, length, parsed); };
  t.JpegStreamParseHeader = [](nvjpegHandle*, const unsigned char* data, size_t length,
                               nvjpegJpegStream* parsed) { return Parse(data, length, parsed); };
  t.DecodeParamsCreate = [](nvjpegHandle*, nvjpegDecodeParams** p) {
    return Make("DecodeParamsCreate", p, nvjpegDecodeParams{});
  };
  t.DecodeParamsDestroy = Destroy<nvjpegDecodeParams>;
  t.DecodeParamsSetOutputFormat = [](nvjpegDecodeParams* params, int format) {
    params->format = format;
    return 0;
  };
  t.DecodeBatchedSupported = [](nvjpegHandle*, nvjpegJpegStream* parsed, int* unsupported) {
    *unsupported = Refused(Script().unsupported, parsed->file.data(), parsed->file.size());
    return 0;
  };
  t.DecodeBatchedInitialize = [](nvjpegHandle*, nvjpegJpegState* state, int batch, int, int format) {
    state->batch = batch;
    return format == kNvJpegUnchanged ? 0 : kUnsupported;
  };
  t.DecodeBatched = DecodeBatched;
  t.DecoderCreate = [](nvjpegHandle*, int backend, nvjpegJpegDecoder** d) {
    return Make("DecoderCreate", d, nvjpegJpegDecoder{backend});
  };
  t.DecoderDestroy = Destroy<nvjpegJpegDecoder>;
  t.DecoderJpegSupported = [](nvjpegJpegDecoder*, nvjpegJpegStream*, nvjpegDecodeParams*, int* unsupported) {
    *unsupported = 0;
    return 0;
  };
  t.DecoderStateCreate = [](nvjpegHandle*, nvjpegJpegDecoder*, nvjpegJpegState** s) {
    return Make("DecoderStateCreate", s, nvjpegJpegState{});
  };
  t.BufferPinnedCreate = [](nvjpegHandle*, void*, nvjpegBufferPinned** b) {
    return Make("BufferPinnedCreate", b, nvjpegBufferPinned{});
  };
  t.BufferPinnedDestroy = Destroy<nvjpegBufferPinned>;
  t.BufferDeviceCreate = [](nvjpegHandle*, void*, nvjpegBufferDevice** b) {
    return Make("BufferDeviceCreate", b, nvjpegBufferDevice{});
  };
  t.BufferDeviceDestroy = Destroy<nvjpegBufferDevice>;
  t.StateAttachPinnedBuffer = [](nvjpegJpegState* state, nvjpegBufferPinned* buffer) {
    state->pinned = buffer;
    return 0;
  };
  t.StateAttachDeviceBuffer = [](nvjpegJpegState* state, nvjpegBufferDevice* buffer) {
    state->device = buffer;
    return 0;
  };
  t.DecodeJpegHost = DecodeHost;
  t.DecodeJpegTransferToDevice = Transfer;
  t.DecodeJpegDevice = DecodeDevice;
  t.GetHardwareDecoderInfo = [](nvjpegHandle*, unsigned* engines, unsigned* cores) {
    *engines = 1;
    *cores = 7;
    return 0;
  };
  return t;
}

}  // namespace

FakeNvJpegScript& Script() {
  static FakeNvJpegScript script;
  return script;
}

const NvJpeg& FakeNvJpeg() {
  static const NvJpeg table = MakeTable();
  return table;
}

bool Decodable(const unsigned char* data, size_t length) {
  nvjpegBufferPinned planes;
  return ReadPlanes(data, length, &planes);
}

}  // namespace clip::pictures
