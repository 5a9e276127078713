#include "table.h"

#include <dlfcn.h>
#include <stddef.h>

// The value of NVML_ERROR_FUNCTION_NOT_FOUND in nvml.h.
enum { FUNCTION_NOT_FOUND = 13 };

// Stands for every function that the library lacks, whatever its arguments: the caller cleans the stack up on
// both processors, and the arguments are not read.
__attribute__((visibility("hidden"))) int clip_nvml_missing(void) { return FUNCTION_NOT_FOUND; }

// nvmlErrorString is the one function that returns no status.
static const char* no_error_string(void) { return "unknown NVML error"; }

#define NVML(name) extern void* clip_slot_##name __attribute__((visibility("hidden")));
#include "functions.h"
#undef NVML

static const struct {
  const char* name;
  void** slot;
} functions[] = {
#define NVML(name) {#name, &clip_slot_##name},
#include "functions.h"
#undef NVML
};

__attribute__((constructor)) static void give_error_string(void) {
  clip_slot_nvmlErrorString = (void*)no_error_string;
}

int clip_nvml_bind(const char* library) {
  void* handle = dlopen(library, RTLD_LAZY | RTLD_GLOBAL);
  if (handle == NULL) return 0;
  int found = 0;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    void* function = dlsym(handle, functions[i].name);
    if (function == NULL) continue;
    *functions[i].slot = function;
    found++;
  }
  return found;
}
