// The part of nvJPEG's C interface that preprocessing calls, opened at run time: clipd starts without the
// library.
#ifndef CLIP_CUDA_PREPROCESS_NVJPEG_H_
#define CLIP_CUDA_PREPROCESS_NVJPEG_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace clip::pictures {

// As in nvjpeg.h of 12 and 13, whose values preprocess_device.cu compares with these.
inline constexpr int kNvJpegPlanes = 4;
inline constexpr int kNvJpegSuccess = 0;
inline constexpr int kNvJpegDefault = 0, kNvJpegHybrid = 1, kNvJpegHardware = 3;  // nvjpegBackend_t
inline constexpr int kNvJpegUnchanged = 0;  // planes as they are encoded
inline constexpr unsigned kNvJpegStrict = 1u << 2;

struct NvJpegImage {
  unsigned char* channel[kNvJpegPlanes];
  size_t pitch[kNvJpegPlanes];  // bytes
};

// Opaque handles of the library.
using NvJpegHandle = struct nvjpegHandle*;
using NvJpegState = struct nvjpegJpegState*;
using NvJpegParsed = struct nvjpegJpegStream*;  // a parsed file; no CUDA stream
using NvJpegDecoder = struct nvjpegJpegDecoder*;
using NvJpegParams = struct nvjpegDecodeParams*;
using NvJpegPinned = struct nvjpegBufferPinned*;
using NvJpegDeviceBuffer = struct nvjpegBufferDevice*;
using CudaStream = void*;

// Its functions by their names in nvjpeg.h without "nvjpeg". All return an nvjpegStatus_t.
struct NvJpeg {
  int (*GetProperty)(int type, int* value);  // 0 major, 1 minor, 2 patch
  int (*CreateEx)(int backend, void* device_allocator, void* pinned_allocator, unsigned flags, NvJpegHandle*);
  int (*Destroy)(NvJpegHandle);
  int (*JpegStateCreate)(NvJpegHandle, NvJpegState*);
  int (*JpegStateDestroy)(NvJpegState);
  int (*JpegStreamCreate)(NvJpegHandle, NvJpegParsed*);
  int (*JpegStreamDestroy)(NvJpegParsed);
  int (*JpegStreamParse)(NvJpegHandle, const unsigned char* data, size_t length, int save_metadata,
                         int save_stream, NvJpegParsed);
  int (*JpegStreamParseHeader)(NvJpegHandle, const unsigned char* data, size_t length, NvJpegParsed);
  int (*DecodeParamsCreate)(NvJpegHandle, NvJpegParams*);
  int (*DecodeParamsDestroy)(NvJpegParams);
  int (*DecodeParamsSetOutputFormat)(NvJpegParams, int format);
  // Batches, for the hardware decoder.
  int (*DecodeBatchedSupported)(NvJpegHandle, NvJpegParsed, int* unsupported);  // 0: it can
  int (*DecodeBatchedInitialize)(NvJpegHandle, NvJpegState, int batch, int max_cpu_threads, int format);
  int (*DecodeBatched)(NvJpegHandle, NvJpegState, const unsigned char* const* data, const size_t* lengths,
                       NvJpegImage* destinations, CudaStream);
  // One picture in three steps, for the decoder that does Huffman codes on the processor.
  int (*DecoderCreate)(NvJpegHandle, int backend, NvJpegDecoder*);
  int (*DecoderDestroy)(NvJpegDecoder);
  int (*DecoderJpegSupported)(NvJpegDecoder, NvJpegParsed, NvJpegParams, int* unsupported);
  int (*DecoderStateCreate)(NvJpegHandle, NvJpegDecoder, NvJpegState*);
  int (*BufferPinnedCreate)(NvJpegHandle, void* allocator, NvJpegPinned*);
  int (*BufferPinnedDestroy)(NvJpegPinned);
  int (*BufferDeviceCreate)(NvJpegHandle, void* allocator, NvJpegDeviceBuffer*);
  int (*BufferDeviceDestroy)(NvJpegDeviceBuffer);
  int (*StateAttachPinnedBuffer)(NvJpegState, NvJpegPinned);
  int (*StateAttachDeviceBuffer)(NvJpegState, NvJpegDeviceBuffer);
  int (*DecodeJpegHost)(NvJpegHandle, NvJpegDecoder, NvJpegState, NvJpegParams, NvJpegParsed);
  int (*DecodeJpegTransferToDevice)(NvJpegHandle, NvJpegDecoder, NvJpegState, NvJpegParsed, CudaStream);
  int (*DecodeJpegDevice)(NvJpegHandle, NvJpegDecoder, NvJpegState, NvJpegImage* destination, CudaStream);
  // Not in every version: nullptr where the library lacks it.
  int (*GetHardwareDecoderInfo)(NvJpegHandle, unsigned* engines, unsigned* cores_of_engine);
};

// Opens libnvjpeg.so.13 or .12: in `folders` (parted by ':', may be empty), then where the system looks. The
// table lives as long as the process. Returns nullptr, and in *why a sentence, where there is none.
const NvJpeg* OpenNvJpeg(const std::string& folders, std::string* why);

// "13.0.4", as the library says.
std::string NvJpegVersion(const NvJpeg& nvjpeg);

// "BAD_JPEG (3)" and its kin.
std::string NvJpegStatusName(int status);

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_NVJPEG_H_
