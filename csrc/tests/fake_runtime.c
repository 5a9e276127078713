// A runtime that is wrong in the way that FAULT_... says.
#include <stdio.h>

#include "clip_runtime.h"

static clip_status describe(clip_runtime_info* info, char* error, size_t error_capacity) { return CLIP_OK; }
static clip_status session_create(const clip_session_options* options, clip_session** session,
                                  clip_session_info* info, char* error, size_t error_capacity) {
  return CLIP_OK;
}
static void session_destroy(clip_session* session) {}
static clip_status lane_create(clip_session* session, clip_lane** lane, char* error, size_t error_capacity) {
  return CLIP_OK;
}
static void lane_destroy(clip_lane* lane) {}
static clip_status lane_run(clip_lane* lane, const clip_batch* batch, char* error, size_t error_capacity) {
  return CLIP_OK;
}

static const clip_runtime_api api = {
    .size = sizeof(clip_runtime_api),
#ifdef FAULT_OTHER_TABLE
    .abi = CLIP_RUNTIME_ABI + 7,
#else
    .abi = CLIP_RUNTIME_ABI,
#endif
    .describe = describe,
    .session_create = session_create,
    .session_destroy = session_destroy,
    .lane_create = lane_create,
#ifndef FAULT_INCOMPLETE
    .lane_run = lane_run,
#endif
    .lane_destroy = lane_destroy,
};

__attribute__((visibility("default"))) const clip_runtime_api* clip_runtime_get(uint32_t abi, char* error,
                                                                                size_t error_capacity) {
#if defined(FAULT_WRONG_ABI)
  snprintf(error, error_capacity, "made for version 99 of the ABI, not %u", abi);
  return NULL;
#elif defined(FAULT_SILENT)
  return NULL;
#else
  return &api;
#endif
}
