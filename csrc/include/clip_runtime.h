// The C ABI between clipd and an inference runtime.
//
// A runtime is a shared library (libclip_openvino.so, libclip_onnxruntime.so, ...) that is opened at
// run time and exports one symbol, clip_runtime_get. Only plain structs cross this edge: no C++ type, no
// exception, and nothing that one side allocates is freed by the other.
//
// Every struct begins with its size, set by the caller, so that a later ABI can append fields.
// Every call that can fail returns a clip_status and, unless it is CLIP_OK, writes a zero-terminated English
// sentence to the caller's error buffer (cut to fit; the buffer may be NULL with capacity 0).
#ifndef CLIP_RUNTIME_H_
#define CLIP_RUNTIME_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLIP_RUNTIME_ABI 2u
#define CLIP_RUNTIME_SYMBOL "clip_runtime_get"

typedef enum clip_status {
  CLIP_OK = 0,
  CLIP_INVALID_ARGUMENT = 1,  // the caller's fault: a bad option, graph or shape
  CLIP_UNAVAILABLE = 2,       // a library, device or precision that this machine lacks
  CLIP_OUT_OF_MEMORY = 3,
  CLIP_INTERNAL = 4,  // the runtime failed
} clip_status;

typedef enum clip_tower {
  CLIP_TOWER_IMAGE = 0,  // input "pixels": uint8 [rows, height, width, 3], RGB
  // input "ids": int32 [rows, length], rows padded at the end; or, in a graph that packs, four inputs:
  // "ids", "positions" and "segments", int32 [lines, length], and "ends", int32 [rows] (see clip_batch)
  CLIP_TOWER_TEXT = 1,
} clip_tower;

typedef enum clip_precision {
  CLIP_PRECISION_AUTO = 0,  // the fastest whose answers keep cosine >= 0.9995 to fp32 on the device
  CLIP_PRECISION_FP32 = 1,
  CLIP_PRECISION_BF16 = 2,
  CLIP_PRECISION_FP16 = 3,
} clip_precision;

typedef struct clip_runtime_info {
  uint32_t size;
  char name[32];        // "openvino"
  char version[96];     // version of the library behind it, as it reports it
  char devices[512];    // one device a line: "cpu AMD EPYC 9R45, fp32 bf16"
  uint32_t precisions;  // bit 1 << clip_precision for each precision that the first device computes natively
} clip_runtime_info;

typedef struct clip_session_options {
  uint32_t size;
  const char* graph_path;  // ONNX file; its external data lies beside it
  const char* cache_dir;   // where the compiled model may be kept; NULL or "": nowhere
  const char* device;      // "cpu", "cuda:0", ...; NULL or "": "cpu"
  clip_tower tower;
  clip_precision precision;  // AUTO lets the runtime choose; anything else is met or refused
  uint32_t lanes;            // how many lanes will run at the same time; 0 means 1
  uint32_t threads;          // processor threads for each lane; 0: cores divided by lanes, at least 1
  const char* cpus;          // processors that its threads may run on, as "0-3,8"; NULL or "": all
  uint32_t nice;        // processor: how much its threads yield to the process's others (Unix nice, 0 to 19)
  uint32_t max_rows;    // most rows of a batch; 0: not known
  uint32_t max_length;  // text: most tokens of one text; 0: not known
} clip_session_options;

typedef struct clip_session_info {
  uint32_t size;
  clip_precision precision;  // in force, never AUTO
  uint32_t dim;              // columns of the output
  uint32_t image_size;       // image tower: height and width when the graph fixes them, else 0
  uint32_t cached;           // 1 when the compiled model came from cache_dir
  char device[64];           // in force: "cpu", "cuda:0 NVIDIA H200"
  uint32_t packs;            // 1: a text tower whose graph takes several texts in a line
} clip_session_info;

// One batch. The memory is the caller's and is only used until the call returns.
//
// A session that packs takes texts of any length side by side in lines, so that little is padding: a token
// sees the tokens of its own segment at positions up to its own. One line that holds all texts without
// padding between them ("ragged") is a special case: then text i is ids (ends[i-1], ends[i]], and segments
// are 0, 1, 2 ...
typedef struct clip_batch {
  uint32_t size;
  uint32_t rows;      // pictures or texts, at least 1
  uint32_t length;    // text: ids in a line; image: height = width in pixels
  const void* input;  // as clip_tower says, C order
  float* output;      // [rows, dim]
  // Of a session that packs; else lines is 0 and the others are NULL.
  uint32_t lines;
  const int32_t* positions;  // [lines, length], of each token in its text, from 0
  const int32_t* segments;   // [lines, length], a number for each text; -1 is padding
  const int32_t* ends;       // [rows], index of each text's last token in ids as one array
} clip_batch;

typedef struct clip_session clip_session;  // one compiled tower on one device; safe for concurrent use
typedef struct clip_lane clip_lane;        // one execution context of a session; one call at a time

typedef struct clip_runtime_api {
  uint32_t size;
  uint32_t abi;  // CLIP_RUNTIME_ABI
  clip_status (*describe)(clip_runtime_info* info, char* error, size_t error_capacity);
  clip_status (*session_create)(const clip_session_options* options, clip_session** session,
                                clip_session_info* info, char* error, size_t error_capacity);
  void (*session_destroy)(clip_session* session);  // after its lanes
  clip_status (*lane_create)(clip_session* session, clip_lane** lane, char* error, size_t error_capacity);
  clip_status (*lane_run)(clip_lane* lane, const clip_batch* batch, char* error, size_t error_capacity);
  void (*lane_destroy)(clip_lane* lane);
} clip_runtime_api;

// Returns the table of a runtime, valid for the life of the process, or NULL (with error) when the runtime
// does not speak this ABI or the library that it wraps cannot be opened.
typedef const clip_runtime_api* (*clip_runtime_get_fn)(uint32_t abi, char* error, size_t error_capacity);

#ifdef __cplusplus
}
#endif

#endif  // CLIP_RUNTIME_H_
