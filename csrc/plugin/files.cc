#include "files.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "error.h"

namespace clip {
namespace {

// A larger graph file holds its weights itself. (ONNX allows 2 GB; a graph without weights has some 50 kB.)
constexpr uintmax_t kMostGraphBytes = 32 << 20;

// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv
class Hash {
 public:
  void Add(const std::string& text) {
    for (unsigned char byte : text) Step(byte);
    Step(0xFF);  // never part of UTF-8: keeps ("ab", "c") and ("a", "bc") apart
  }
  std::string Hex() const {
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, value_);
    return text;
  }

 private:
  void Step(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3u; }
  uint64_t value_ = 0xcbf29ce484222325u;
};

std::string Stamp(const std::filesystem::path& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return "gone";
  std::ostringstream text;
  text << file.st_size << ' ' << file.st_mtim.tv_sec << '.' << file.st_mtim.tv_nsec << ' ' << file.st_ino;
  return text.str();
}

// The regular files beside the graph whose names occur in it: its external weights, sorted by name.
std::vector<std::filesystem::path> NamedFiles(const std::filesystem::path& graph) {
  std::vector<std::filesystem::path> named;
  std::error_code failure;
  if (std::filesystem::file_size(graph, failure) > kMostGraphBytes || failure) return named;
  std::ifstream stream(graph, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  for (const auto& entry : std::filesystem::directory_iterator(graph.parent_path(), failure)) {
    std::string name = entry.path().filename().string();
    if (entry.is_regular_file(failure) && entry.path() != graph && bytes.find(name) != std::string::npos) {
      named.push_back(entry.path());
    }
  }
  std::sort(named.begin(), named.end());
  return named;
}

}  // namespace

std::string CacheFolder(const std::string& cache_dir, const std::string& graph_path,
                        const std::vector<std::string>& parts) {
  if (cache_dir.empty()) return "";
  std::filesystem::path graph = std::filesystem::canonical(graph_path);
  Hash hash;
  for (const std::string& part : parts) hash.Add(part);
  hash.Add(graph.string());
  hash.Add(Stamp(graph));
  for (const auto& file : NamedFiles(graph)) {
    hash.Add(file.string());
    hash.Add(Stamp(file));
  }
  std::filesystem::path folder = std::filesystem::path(cache_dir) / hash.Hex();
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    Fail(CLIP_INVALID_ARGUMENT, "cannot make the cache folder ", folder.string(), ": ", failure.message());
  }
  return folder.string();
}

bool HasExternalWeights(const std::string& graph_path) {
  return !NamedFiles(std::filesystem::canonical(graph_path)).empty();
}

void ReleaseMappedWeights(const std::string& graph_path) {
  std::error_code failure;
  std::string folder = std::filesystem::canonical(graph_path, failure).parent_path().string() + "/";
  if (failure) return;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin, end;
    char rights[5];
    int path_at = 0;
    if (sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %n", &begin, &end, rights,
               &path_at) != 3) {
      continue;
    }
    // Never a writable mapping: what was written to a private one would be lost.
    if (rights[1] != '-' || rights[2] != '-' || path_at == 0) continue;
    if (line.compare(static_cast<size_t>(path_at), folder.size(), folder) != 0) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace clip
