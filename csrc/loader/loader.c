#include "loader.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static void say(char* error, size_t capacity, const char* format, ...) {
  if (error == NULL || capacity == 0) return;
  va_list values;
  va_start(values, format);
  vsnprintf(error, capacity, format, values);
  va_end(values);
}

// A table that lacks a call would crash later, far from the reason.
static int is_complete(const clip_runtime_api* api) {
  return api->size >= sizeof(clip_runtime_api) && api->describe != NULL && api->session_create != NULL &&
         api->session_destroy != NULL && api->lane_create != NULL && api->lane_run != NULL &&
         api->lane_destroy != NULL;
}

static const clip_runtime_api* table_of(void* library, const char* path, char* error, size_t capacity) {
  clip_runtime_get_fn get = (clip_runtime_get_fn)dlsym(library, CLIP_RUNTIME_SYMBOL);
  if (get == NULL) {
    say(error, capacity, "%s is not a clipd runtime: it exports no %s", path, CLIP_RUNTIME_SYMBOL);
    return NULL;
  }
  if (error != NULL && capacity > 0) error[0] = '\0';
  const clip_runtime_api* api = get(CLIP_RUNTIME_ABI, error, capacity);
  if (api == NULL) {
    if (error != NULL && capacity > 0 && error[0] == '\0') {
      say(error, capacity, "%s refuses version %u of the runtime ABI and gives no reason", path,
          CLIP_RUNTIME_ABI);
    }
    return NULL;
  }
  // The version comes first: in another one, size and the calls may mean something else.
  if (api->abi != CLIP_RUNTIME_ABI) {
    say(error, capacity,
        "%s speaks version %u of the runtime ABI, this program version %u; build both from the same source",
        path, api->abi, CLIP_RUNTIME_ABI);
    return NULL;
  }
  if (!is_complete(api)) {
    say(error, capacity, "%s gives an incomplete table of %u bytes; %zu are needed", path, api->size,
        sizeof(clip_runtime_api));
    return NULL;
  }
  return api;
}

const clip_runtime_api* clip_loader_open(const char* path, char* error, size_t error_capacity) {
  if (path == NULL || path[0] == '\0') {
    say(error, error_capacity, "the path of the runtime is empty");
    return NULL;
  }
  if (access(path, F_OK) != 0) {
    say(error, error_capacity, "%s: no such file", path);
    return NULL;
  }
  // RTLD_NOW: a missing symbol is found here and not in the middle of a batch. RTLD_LOCAL: two runtimes may
  // bring two versions of one library.
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char* reason = dlerror();
    say(error, error_capacity, "cannot open %s: %s", path, reason == NULL ? "unknown reason" : reason);
    return NULL;
  }
  const clip_runtime_api* api = table_of(library, path, error, error_capacity);
  if (api == NULL) dlclose(library);
  return api;
}

clip_status clip_loader_describe(const clip_runtime_api* api, clip_runtime_info* info, char* error,
                                 size_t error_capacity) {
  return api->describe(info, error, error_capacity);
}

clip_status clip_loader_session_create(const clip_runtime_api* api, const clip_session_options* options,
                                       clip_session** session, clip_session_info* info, char* error,
                                       size_t error_capacity) {
  return api->session_create(options, session, info, error, error_capacity);
}

void clip_loader_session_destroy(const clip_runtime_api* api, clip_session* session) {
  api->session_destroy(session);
}

clip_status clip_loader_lane_create(const clip_runtime_api* api, clip_session* session, clip_lane** lane,
                                    char* error, size_t error_capacity) {
  return api->lane_create(session, lane, error, error_capacity);
}

clip_status clip_loader_lane_run(const clip_runtime_api* api, clip_lane* lane, const clip_batch* batch,
                                 char* error, size_t error_capacity) {
  return api->lane_run(lane, batch, error, error_capacity);
}

void clip_loader_lane_destroy(const clip_runtime_api* api, clip_lane* lane) { api->lane_destroy(lane); }
