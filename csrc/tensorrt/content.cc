#include "content.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "error.h"

namespace clip::trt {
namespace {

// FNV-1a taken a word at a time in four strands, so that half a gigabyte takes a tenth of a second.
class Hasher {
 public:
  void Add(std::string_view bytes) {
    constexpr size_t kBlock = sizeof(strands_);
    while (bytes.size() >= kBlock) {
      std::array<uint64_t, 4> words;
      std::memcpy(words.data(), bytes.data(), kBlock);
      for (size_t i = 0; i < words.size(); ++i) Step(&strands_[i], words[i]);
      bytes.remove_prefix(kBlock);
    }
    for (unsigned char byte : bytes) Step(&strands_[0], byte);
    Step(&strands_[1], bytes.size() + 1);  // parts cut elsewhere hash otherwise
  }
  std::string Hex() const {
    uint64_t value = 0;
    for (uint64_t strand : strands_) Step(&value, strand);
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, value ^ value >> 32);
    return text;
  }

 private:
  static void Step(uint64_t* strand, uint64_t word) {
    uint64_t mixed = (*strand ^ word) * 0x9E3779B97F4A7C15u;  // 2^64 divided by the golden ratio
    *strand = mixed ^ mixed >> 29;
  }
  std::array<uint64_t, 4> strands_ = {1, 2, 3, 4};
};

}  // namespace

Mapped::Mapped(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) Fail(CLIP_INVALID_ARGUMENT, "cannot read ", path, ": ", strerror(errno));
  struct stat status = {};
  fstat(file, &status);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  int fault = errno;
  close(file);
  if (data_ == MAP_FAILED) Fail(CLIP_INVALID_ARGUMENT, "cannot read ", path, ": ", strerror(fault));
}

Mapped::~Mapped() {
  if (size_ > 0) munmap(data_, size_);
}

std::string ContentHash(const std::string& path, const std::vector<std::string>& beside) {
  Hasher hasher;
  hasher.Add(Mapped(path).bytes());
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::string& file : beside) {
    hasher.Add(file);
    hasher.Add(Mapped(folder / file).bytes());
  }
  return hasher.Hex();
}

std::string Hash(std::string_view bytes) {
  Hasher hasher;
  hasher.Add(bytes);
  return hasher.Hex();
}

}  // namespace clip::trt
