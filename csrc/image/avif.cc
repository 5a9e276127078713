// AVIF through libavif, which is opened at run time: a machine without it still serves every other format.
#include "decode.h"
#include "failure.h"

#if defined(CLIP_HAVE_AVIF)

#include <avif/avif.h>
#include <dlfcn.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "resizer.h"
#include "row_feeder.h"

namespace clip_image {
namespace {

std::string Version(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

// The functions of libavif that are called here. Its structs changed between versions, so the library must be
// of the version whose header this file was compiled with.
struct Library {
  decltype(&avifVersion) version;
  decltype(&avifDecoderCreate) create;
  decltype(&avifDecoderDestroy) destroy;
  decltype(&avifDecoderSetIOMemory) set_memory;
  decltype(&avifDecoderParse) parse;
  decltype(&avifDecoderNextImage) next_image;
  decltype(&avifRGBImageSetDefaults) set_defaults;
  decltype(&avifImageYUVToRGB) to_rgb;
  decltype(&avifResultToString) to_string;
  std::string problem;  // why the library cannot be used; empty when it can

  Library() {
    const std::string wanted = Version(AVIF_VERSION_MAJOR, AVIF_VERSION_MINOR);
    void* handle = nullptr;
    for (const char* name : {CLIP_AVIF_SONAME, "libavif.so"}) {
      if (handle == nullptr) handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (handle == nullptr) {
      problem = std::string("cannot open ") + CLIP_AVIF_SONAME + "; install libavif " + wanted;
      return;
    }
    Find(handle, "avifVersion", &version);
    Find(handle, "avifDecoderCreate", &create);
    Find(handle, "avifDecoderDestroy", &destroy);
    Find(handle, "avifDecoderSetIOMemory", &set_memory);
    Find(handle, "avifDecoderParse", &parse);
    Find(handle, "avifDecoderNextImage", &next_image);
    Find(handle, "avifRGBImageSetDefaults", &set_defaults);
    Find(handle, "avifImageYUVToRGB", &to_rgb);
    Find(handle, "avifResultToString", &to_string);
    if (!problem.empty()) return;
    const std::string found = version();
    if (found.rfind(wanted + ".", 0) != 0) {
      problem = "libavif " + found + " was found, but clipd was built for libavif " + wanted;
    }
  }

  template <typename Function>
  void Find(void* handle, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(handle, name));
    if (*function == nullptr) problem = std::string("libavif has no ") + name;
  }
};

const Library& Avif() {
  static const Library library;
  if (!library.problem.empty()) throw Failure(CLIP_IMAGE_UNAVAILABLE, library.problem);
  return library;
}

void Check(const Library& library, avifResult result, const std::string& what) {
  if (result == AVIF_RESULT_OUT_OF_MEMORY) throw std::bad_alloc();
  if (result != AVIF_RESULT_OK) throw Invalid(what + ": " + library.to_string(result));
}

}  // namespace

void DecodeAvif(const uint8_t* data, size_t length, const clip_image_options& options, uint8_t* rgb) {
  const Library& library = Avif();
  const std::unique_ptr<avifDecoder, decltype(library.destroy)> decoder(library.create(), library.destroy);
  if (decoder == nullptr) throw std::bad_alloc();
  decoder->maxThreads = 1;
  decoder->ignoreExif = decoder->ignoreXMP = AVIF_TRUE;
  decoder->imageSizeLimit =
      static_cast<uint32_t>(std::min<int64_t>(options.max_pixels, AVIF_DEFAULT_IMAGE_SIZE_LIMIT));
  // As Pillow does it: files of old encoders lack the one or have the other wrong.
  decoder->strictFlags &= ~static_cast<avifStrictFlags>(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
  Check(library, library.set_memory(decoder.get(), data, length), "the data cannot be read");
  Check(library, library.parse(decoder.get()), "the header is broken or declares too many pixels");
  const avifImage* image = decoder->image;
  CheckSize(image->width, image->height, options.max_pixels);
  const std::string sized = std::to_string(image->width) + "×" + std::to_string(image->height) + ": ";
  Check(library, library.next_image(decoder.get()), sized + "the first frame cannot be decoded");
  CheckSize(image->width, image->height, options.max_pixels);

  avifRGBImage pixels;
  library.set_defaults(&pixels, image);
  pixels.depth = 8;
  pixels.format = AVIF_RGB_FORMAT_RGBA;
  pixels.rowBytes = image->width * 4;
  std::vector<uint8_t> buffer(static_cast<size_t>(pixels.rowBytes) * image->height);
  pixels.pixels = buffer.data();
  Check(library, library.to_rgb(image, &pixels), sized + "the colours cannot be converted");

  const auto resizer = MakeResizer(
      Fit(static_cast<int>(image->width), static_cast<int>(image->height), static_cast<int>(options.output)),
      decoder->alphaPresent ? Mode::kRgba : Mode::kRgbx, rgb);
  RowFeeder(resizer.get()).Push(0, static_cast<int>(image->height), buffer.data(), pixels.rowBytes);
}

}  // namespace clip_image

#else

namespace clip_image {

void DecodeAvif(const uint8_t*, size_t, const clip_image_options&, uint8_t*) {
  throw Failure(CLIP_IMAGE_UNAVAILABLE, "clipd was built without the headers of libavif (libavif-dev)");
}

}  // namespace clip_image

#endif
