// A library that has the entry points of libnvinfer and, as FAKE_VERSION says, another version.
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void* createInferBuilder_INTERNAL(void* logger, int32_t version) { return NULL; }
EXPORT void* createInferRuntime_INTERNAL(void* logger, int32_t version) { return NULL; }
#ifndef FAKE_WITHOUT_VERSION
EXPORT int32_t getInferLibVersion(void) { return FAKE_VERSION; }
#endif
