// How a failure inside a runtime becomes a status and a sentence at its C edge.
#ifndef CLIP_PLUGIN_ERROR_H_
#define CLIP_PLUGIN_ERROR_H_

#include <exception>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "clip_runtime.h"

namespace clip {

// A failure whose kind is known. Anything else that is thrown counts as CLIP_INTERNAL (std::bad_alloc as
// CLIP_OUT_OF_MEMORY).
class Error : public std::runtime_error {
 public:
  Error(clip_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  clip_status status() const { return status_; }

 private:
  clip_status status_;
};

// Fail(CLIP_INVALID_ARGUMENT, "rows is ", rows, "; at least 1 is needed") throws an Error.
template <typename... Parts>
[[noreturn]] void Fail(clip_status status, Parts&&... parts) {
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  throw Error(status, text.str());
}

// Writes the text to the caller's buffer, cut to fit, always zero-terminated; newlines become blanks so that
// an error stays one line in a log. A null buffer or one without room gets nothing.
void WriteError(const char* text, char* error, size_t capacity) noexcept;

// Runs body and turns whatever it throws into a status: the one place where exceptions end.
template <typename Body>
clip_status AtEdge(char* error, size_t capacity, Body&& body) noexcept {
  try {
    body();
    return CLIP_OK;
  } catch (const Error& failure) {
    WriteError(failure.what(), error, capacity);
    return failure.status();
  } catch (const std::bad_alloc&) {
    WriteError("out of memory", error, capacity);
    return CLIP_OUT_OF_MEMORY;
  } catch (const std::exception& failure) {
    WriteError(failure.what(), error, capacity);
    return CLIP_INTERNAL;
  } catch (...) {
    WriteError("an exception of unknown type", error, capacity);
    return CLIP_INTERNAL;
  }
}

}  // namespace clip

#endif  // CLIP_PLUGIN_ERROR_H_
