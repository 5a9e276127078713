// The functions of NVML, found in its library when clipd asks for them.
#ifndef CLIP_NVML_TABLE_H_
#define CLIP_NVML_TABLE_H_

// Opens the library of that name and points every function at it; those that it lacks answer
// NVML_ERROR_FUNCTION_NOT_FOUND. Returns how many were found, 0 when there is no such library. The library
// stays open. Not safe beside a call of any of the functions.
int clip_nvml_bind(const char* library);

#endif  // CLIP_NVML_TABLE_H_
