#include "engine_file.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "error.h"

namespace clip::trt {
namespace {

// The first line of a file; another form of the header gets another number.
constexpr std::string_view kMagic = "clipd TensorRT engine 1\n";

// The header: lines of a name, a blank and a value, then an empty line, then the plan.
struct Line {
  const char* name;
  std::string Making::* value;
};
constexpr Line kLines[] = {
    {"tensorrt", &Making::tensorrt},     {"gpu", &Making::gpu},
    {"capability", &Making::capability}, {"graph", &Making::graph},
    {"precision", &Making::precision},   {"batches", &Making::batches},
    {"level", &Making::level},
};

[[noreturn]] void Damaged(const std::string& path, const char* what) {
  Fail(CLIP_INVALID_ARGUMENT, "the engine ", path, " is damaged: ", what);
}

// Takes the value of a line off the front of rest.
std::string TakeLine(const std::string& path, std::string_view* rest, const char* name) {
  size_t end = rest->find('\n');
  std::string start = std::string(name) + " ";
  if (end == std::string_view::npos || rest->substr(0, start.size()) != start)
    Damaged(path, "its header is not whole");
  std::string value(rest->substr(start.size(), end - start.size()));
  rest->remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string Making::Key() const {
  std::string all;
  for (const Line& line : kLines) all += std::string(line.name) + " " + this->*line.value + "\n";
  return Hash(all);
}

std::string Misfit(const Making& made, const Making& wanted) {
  if (made.gpu != wanted.gpu || made.capability != wanted.capability) {
    return "it was made for " + made.gpu + " (compute capability " + made.capability + "), and this is " +
           wanted.gpu + " (" + wanted.capability + ")";
  }
  if (made.tensorrt != wanted.tensorrt) {
    return "it was made with TensorRT " + made.tensorrt + ", and this is " + wanted.tensorrt;
  }
  if (made.graph != wanted.graph) return "it was made from another graph or other weights";
  return "";
}

std::string ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

std::optional<EngineFile> ReadEngine(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) return std::nullopt;
  EngineFile read;
  read.file = std::make_shared<Mapped>(path);
  std::string_view rest = read.file->bytes();
  if (rest.substr(0, kMagic.size()) != kMagic) {
    Fail(CLIP_INVALID_ARGUMENT, path, " is no engine of clipd's; engines are made by clipd itself");
  }
  rest.remove_prefix(kMagic.size());
  for (const Line& line : kLines) read.making.*line.value = TakeLine(path, &rest, line.name);
  std::string bytes = TakeLine(path, &rest, "bytes"), hash = TakeLine(path, &rest, "hash");
  if (rest.empty() || rest[0] != '\n') Damaged(path, "its header is not whole");
  rest.remove_prefix(1);
  if (std::to_string(rest.size()) != bytes) Damaged(path, "it has another length than its header says");
  if (Hash(rest) != hash) Damaged(path, "its content has changed");
  read.plan = rest;
  return read;
}

void WriteAtOnce(const std::string& path, std::initializer_list<std::string_view> parts) {
  static std::atomic<unsigned> serial = 0;
  std::string fresh = path + "." + std::to_string(getpid()) + "-" + std::to_string(serial++) + ".new";
  std::ofstream stream(fresh, std::ios::binary);
  for (std::string_view part : parts) stream.write(part.data(), static_cast<std::streamsize>(part.size()));
  stream.close();
  if (!stream || rename(fresh.c_str(), path.c_str()) != 0) {
    std::string reason = strerror(errno);
    unlink(fresh.c_str());
    Fail(CLIP_INVALID_ARGUMENT, "cannot write ", path, ": ", reason);
  }
}

void WriteEngine(const std::string& path, const Making& making, std::string_view plan) {
  std::string header(kMagic);
  for (const Line& line : kLines) header += std::string(line.name) + " " + making.*line.value + "\n";
  header += "bytes " + std::to_string(plan.size()) + "\nhash " + Hash(plan) + "\n\n";
  WriteAtOnce(path, {header, plan});
}

std::string EngineBeside(const std::string& graph_path) {
  return std::filesystem::path(graph_path).replace_extension(".engine").string();
}

std::string EngineInCache(const std::string& cache_dir, const Making& making) {
  return (std::filesystem::path(cache_dir) / ("tensorrt-" + making.Key() + ".engine")).string();
}

std::string TimingCache(const std::string& cache_dir, const Making& making) {
  std::string key = Hash(making.tensorrt + "\n" + making.gpu + "\n" + making.capability);
  return (std::filesystem::path(cache_dir) / ("tensorrt-timing-" + key + ".cache")).string();
}

}  // namespace clip::trt
