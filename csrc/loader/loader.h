// Opens a runtime (clip_runtime.h) from a shared library, and calls it from where function pointers of a
// table cannot be called (cgo).
#ifndef CLIP_LOADER_H_
#define CLIP_LOADER_H_

#include "clip_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

// Opens the runtime in the shared library at path. On failure it returns NULL and writes to error what is
// wrong with it: no such file, a library that it needs and cannot find, not a runtime, another version of the
// ABI. An opened runtime stays open for the life of the process: the libraries behind it keep threads that do
// not survive being unloaded.
const clip_runtime_api* clip_loader_open(const char* path, char* error, size_t error_capacity);

// The calls of the table.
clip_status clip_loader_describe(const clip_runtime_api* api, clip_runtime_info* info, char* error,
                                 size_t error_capacity);
clip_status clip_loader_session_create(const clip_runtime_api* api, const clip_session_options* options,
                                       clip_session** session, clip_session_info* info, char* error,
                                       size_t error_capacity);
void clip_loader_session_destroy(const clip_runtime_api* api, clip_session* session);
clip_status clip_loader_lane_create(const clip_runtime_api* api, clip_session* session, clip_lane** lane,
                                    char* error, size_t error_capacity);
clip_status clip_loader_lane_run(const clip_runtime_api* api, clip_lane* lane, const clip_batch* batch,
                                 char* error, size_t error_capacity);
void clip_loader_lane_destroy(const clip_runtime_api* api, clip_lane* lane);

#ifdef __cplusplus
}
#endif

#endif  // CLIP_LOADER_H_
