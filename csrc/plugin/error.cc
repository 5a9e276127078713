#include "error.h"

namespace clip {

void WriteError(const char* text, char* error, size_t capacity) noexcept {
  if (error == nullptr || capacity == 0) return;
  size_t length = 0;
  for (; text[length] != '\0' && length + 1 < capacity; ++length) {
    error[length] = text[length] == '\n' || text[length] == '\r' ? ' ' : text[length];
  }
  // Never cut a UTF-8 character (a path may hold some) in the middle.
  if (text[length] != '\0') {
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  }
  while (length > 0 && error[length - 1] == ' ') --length;
  error[length] = '\0';
}

}  // namespace clip
