#include "preprocess_nvjpeg.h"

#include <dlfcn.h>

#include <iterator>
#include <mutex>
#include <sstream>
#include <vector>

namespace clip::pictures {
namespace {

// Fills one field of the table; false when the library lacks the function.
template <typename Function>
bool Load(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(library, (std::string("nvjpeg") + name).c_str()));
  return *function != nullptr;
}

// Fills the table; returns the name of a function that the library lacks, or nullptr.
const char* LoadAll(void* library, NvJpeg* table) {
#define CLIP_LOAD(name) \
  if (!Load(library, #name, &table->name)) return "nvjpeg" #name
  CLIP_LOAD(GetProperty);
  CLIP_LOAD(CreateEx);
  CLIP_LOAD(Destroy);
  CLIP_LOAD(JpegStateCreate);
  CLIP_LOAD(JpegStateDestroy);
  CLIP_LOAD(JpegStreamCreate);
  CLIP_LOAD(JpegStreamDestroy);
  CLIP_LOAD(JpegStreamParse);
  CLIP_LOAD(JpegStreamParseHeader);
  CLIP_LOAD(DecodeParamsCreate);
  CLIP_LOAD(DecodeParamsDestroy);
  CLIP_LOAD(DecodeParamsSetOutputFormat);
  CLIP_LOAD(DecodeBatchedSupported);
  CLIP_LOAD(DecodeBatchedInitialize);
  CLIP_LOAD(DecodeBatched);
  CLIP_LOAD(DecoderCreate);
  CLIP_LOAD(DecoderDestroy);
  CLIP_LOAD(DecoderJpegSupported);
  CLIP_LOAD(DecoderStateCreate);
  CLIP_LOAD(BufferPinnedCreate);
  CLIP_LOAD(BufferPinnedDestroy);
  CLIP_LOAD(BufferDeviceCreate);
  CLIP_LOAD(BufferDeviceDestroy);
  CLIP_LOAD(StateAttachPinnedBuffer);
  CLIP_LOAD(StateAttachDeviceBuffer);
  CLIP_LOAD(DecodeJpegHost);
  CLIP_LOAD(DecodeJpegTransferToDevice);
  CLIP_LOAD(DecodeJpegDevice);
#undef CLIP_LOAD
  Load(library, "GetHardwareDecoderInfo", &table->GetHardwareDecoderInfo);
  return nullptr;
}

}  // namespace

const NvJpeg* OpenNvJpeg(const std::string& folders, std::string* why) {
  static std::mutex mutex;
  static NvJpeg opened = {};
  static bool is_open = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (is_open) return &opened;
  std::vector<std::string> places;
  std::istringstream parts(folders);
  for (std::string folder; std::getline(parts, folder, ':');) {
    if (!folder.empty()) places.push_back(folder + "/");
  }
  places.push_back("");
  std::string last = "libnvjpeg.so.13 not found";
  for (const std::string& place : places) {
    for (const char* name : {"libnvjpeg.so.13", "libnvjpeg.so.12"}) {
      void* library = dlopen((place + name).c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) {
        const char* message = dlerror();
        // A library that is there and cannot be opened is worth more words than one that is not there.
        const std::string text = message == nullptr ? name : message;
        if (text.find("No such file") == std::string::npos) last = text;
        continue;
      }
      NvJpeg table = {};
      const char* missing = LoadAll(library, &table);
      if (missing == nullptr) {
        opened = table;
        is_open = true;
        return &opened;
      }
      last = place + name + " lacks " + missing;
      dlclose(library);
    }
  }
  *why = "nvJPEG cannot be opened: " + last +
         "; install nvidia-nvjpeg (pip) or libnvjpeg (CUDA toolkit), or write preprocess: cpu";
  return nullptr;
}

std::string NvJpegVersion(const NvJpeg& nvjpeg) {
  std::string version;
  for (int property = 0; property < 3; ++property) {
    int value = 0;
    if (nvjpeg.GetProperty(property, &value) != kNvJpegSuccess) return "of unknown version";
    if (property > 0) version += '.';
    version += std::to_string(value);
  }
  return version;
}

std::string NvJpegStatusName(int status) {
  static const char* const names[] = {"SUCCESS",
                                      "NOT_INITIALIZED",
                                      "INVALID_PARAMETER",
                                      "BAD_JPEG",
                                      "JPEG_NOT_SUPPORTED",
                                      "ALLOCATOR_FAILURE",
                                      "EXECUTION_FAILED",
                                      "ARCH_MISMATCH",
                                      "INTERNAL_ERROR",
                                      "IMPLEMENTATION_NOT_SUPPORTED",
                                      "INCOMPLETE_BITSTREAM"};
  const bool known = status >= 0 && status < static_cast<int>(std::size(names));
  return std::string(known ? names[status] : "status") + " (" + std::to_string(status) + ")";
}

}  // namespace clip::pictures
