// Files by their content.
#ifndef CLIP_TENSORRT_CONTENT_H_
#define CLIP_TENSORRT_CONTENT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace clip::trt {

// A file, mapped read-only.
class Mapped {
 public:
  explicit Mapped(const std::string& path);  // throws CLIP_INVALID_ARGUMENT when it cannot be read
  ~Mapped();
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// A hash of the bytes, 16 hex digits.
std::string Hash(std::string_view bytes);

// A hash of what a file and the named ones beside it contain: the same on any machine, whenever they were
// written.
std::string ContentHash(const std::string& path, const std::vector<std::string>& beside);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_CONTENT_H_
