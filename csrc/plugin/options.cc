#include "options.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cpus.h"

namespace clip {
namespace {

// More lanes or threads than this is a mistake in a unit, not a wish.
constexpr uint32_t kMostLanes = 1024;
constexpr uint32_t kMostNice = 19;

std::string Text(const char* text) { return text == nullptr ? "" : text; }

std::string Join(const Shape& shape) {
  std::string text;
  for (int64_t dimension : shape) {
    text += (text.empty() ? "" : ", ") + (dimension < 0 ? std::string("?") : std::to_string(dimension));
  }
  return "[" + text + "]";
}

std::string Describe(const Signature::Port& port) {
  return "\"" + port.name + "\" " + port.type + " " + (port.ranked ? Join(port.shape) : "of any rank");
}

std::string Describe(const std::vector<Signature::Port>& ports) {
  std::string text;
  for (const auto& port : ports) text += (text.empty() ? "" : ", ") + Describe(port);
  return text;
}

void CheckFile(const std::string& path) {
  if (path.empty()) Fail(CLIP_INVALID_ARGUMENT, "graph_path is empty; it must name an ONNX file");
  std::error_code failure;
  auto status = std::filesystem::status(path, failure);
  if (!std::filesystem::exists(status)) {
    Fail(CLIP_INVALID_ARGUMENT, "cannot read the graph ", path, ": no such file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    Fail(CLIP_INVALID_ARGUMENT, "cannot read the graph ", path, ": not a regular file");
  }
  if (!std::ifstream(path, std::ios::binary)) {
    Fail(CLIP_INVALID_ARGUMENT, "cannot read the graph ", path, ": ", strerror(errno));
  }
}

}  // namespace

const char* PrecisionName(clip_precision precision) {
  switch (precision) {
    case CLIP_PRECISION_AUTO:
      return "auto";
    case CLIP_PRECISION_FP32:
      return "fp32";
    case CLIP_PRECISION_BF16:
      return "bf16";
    case CLIP_PRECISION_FP16:
      return "fp16";
  }
  return "unknown";
}

SessionOptions CheckOptions(const clip_session_options& options) {
  SessionOptions checked;
  checked.graph_path = Text(options.graph_path);
  checked.cache_dir = Text(options.cache_dir);
  checked.device = Text(options.device).empty() ? "cpu" : options.device;
  checked.tower = options.tower;
  checked.precision = options.precision;
  CheckFile(checked.graph_path);
  // As integers: a value from outside the enumeration may arrive here.
  int tower = static_cast<int>(options.tower), precision = static_cast<int>(options.precision);
  if (tower != CLIP_TOWER_IMAGE && tower != CLIP_TOWER_TEXT) {
    Fail(CLIP_INVALID_ARGUMENT, "tower is ", tower, "; 0 (image) or 1 (text) is right");
  }
  if (precision < CLIP_PRECISION_AUTO || precision > CLIP_PRECISION_FP16) {
    Fail(CLIP_INVALID_ARGUMENT, "precision is ", precision,
         "; 0 (auto), 1 (fp32), 2 (bf16) or 3 (fp16) is right");
  }
  if (options.lanes > kMostLanes)
    Fail(CLIP_INVALID_ARGUMENT, "lanes is ", options.lanes, "; at most ", kMostLanes);
  if (options.threads > kMostLanes) {
    Fail(CLIP_INVALID_ARGUMENT, "threads is ", options.threads, "; at most ", kMostLanes);
  }
  checked.cpus = ParseCpus(Text(options.cpus));
  if (options.nice > kMostNice) {
    Fail(CLIP_INVALID_ARGUMENT, "nice is ", options.nice, "; 0 to ", kMostNice, " is right");
  }
  checked.nice = options.nice;
  uint32_t cores = checked.cpus.empty() ? std::max(1u, std::thread::hardware_concurrency())
                                        : static_cast<uint32_t>(checked.cpus.size());
  checked.max_rows = options.max_rows;
  checked.max_length = options.max_length;
  checked.lanes = std::max(1u, options.lanes);
  checked.threads = options.threads != 0 ? options.threads : std::max(1u, cores / checked.lanes);
  if (!checked.cache_dir.empty()) {
    std::error_code failure;
    std::filesystem::create_directories(checked.cache_dir, failure);
    if (!std::filesystem::is_directory(checked.cache_dir)) {
      Fail(CLIP_INVALID_ARGUMENT, "cannot use the cache folder ", checked.cache_dir, ": ", failure.message());
    }
  }
  return checked;
}

namespace {

// Adds an input of these dimensions. An address space holds no object above PTRDIFF_MAX, so that no caller
// can have meant one.
void AddInput(Batch* batch, const void* data, std::vector<int64_t> shape, size_t item_bytes) {
  size_t bytes = item_bytes;
  bool fits = true;
  for (int64_t dimension : shape)
    fits = fits && !__builtin_mul_overflow(bytes, static_cast<size_t>(dimension), &bytes);
  if (!fits || bytes > static_cast<size_t>(PTRDIFF_MAX)) {
    Fail(CLIP_INVALID_ARGUMENT, "a batch of ", Describe(*batch), " does not fit into memory");
  }
  batch->inputs.push_back({const_cast<void*>(data), bytes, std::move(shape)});
}

void AddTexts(Batch* checked, const clip_batch& batch, bool packs) {
  bool packed =
      batch.lines != 0 || batch.positions != nullptr || batch.segments != nullptr || batch.ends != nullptr;
  int64_t rows = batch.rows, length = batch.length, lines = batch.lines;
  if (!packs) {
    if (packed) Fail(CLIP_INVALID_ARGUMENT, "texts packed into lines; this graph takes one in each line");
    return AddInput(checked, batch.input, {rows, length}, sizeof(int32_t));
  }
  if (lines == 0 || batch.positions == nullptr || batch.segments == nullptr || batch.ends == nullptr) {
    Fail(CLIP_INVALID_ARGUMENT,
         "lines, positions, segments or ends are missing; this graph takes packed texts");
  }
  for (const void* data :
       {batch.input, static_cast<const void*>(batch.positions), static_cast<const void*>(batch.segments)}) {
    AddInput(checked, data, {lines, length}, sizeof(int32_t));
  }
  AddInput(checked, batch.ends, {rows}, sizeof(int32_t));
  for (int64_t i = 0; i < rows; ++i) {
    if (batch.ends[i] < 0 || batch.ends[i] >= lines * length) {
      Fail(CLIP_INVALID_ARGUMENT, "ends[", i, "] is ", batch.ends[i], "; a batch of ", lines,
           " lines of length ", length, " has the tokens 0 to ", lines * length - 1);
    }
  }
}

}  // namespace

std::string Describe(const Batch& batch) {
  return std::to_string(batch.rows) + " rows of length " + std::to_string(batch.length);
}

Batch CheckBatch(const clip_batch& batch, const SessionInfo& session) {
  if (batch.rows == 0) Fail(CLIP_INVALID_ARGUMENT, "rows is 0; a batch has at least 1");
  if (batch.length == 0) Fail(CLIP_INVALID_ARGUMENT, "length is 0; at least 1 is needed");
  if (batch.input == nullptr || batch.output == nullptr) {
    Fail(CLIP_INVALID_ARGUMENT, "input and output must not be null");
  }
  Batch checked;
  checked.rows = batch.rows;
  checked.length = batch.length;
  checked.output = batch.output;
  checked.output_count = static_cast<size_t>(batch.rows) * session.dim;
  if (session.tower == CLIP_TOWER_TEXT) {
    AddTexts(&checked, batch, session.packs);
    return checked;
  }
  int64_t rows = batch.rows, length = batch.length;
  if (session.image_size != 0 && batch.length != session.image_size) {
    Fail(CLIP_INVALID_ARGUMENT, "pictures of ", length, "x", length, " pixels; this graph takes ",
         session.image_size, "x", session.image_size);
  }
  AddInput(&checked, batch.input, {rows, length, length, 3}, 1);
  return checked;
}

namespace {

// Packs reports whether the graph has the four inputs of a text tower that takes several texts in a line.
bool Packs(const Signature& signature) {
  const char* names[] = {"ids", "positions", "segments", "ends"};
  if (signature.inputs.size() != std::size(names)) return false;
  for (size_t i = 0; i < std::size(names); ++i) {
    const Signature::Port& input = signature.inputs[i];
    bool fits = input.name == names[i] && input.ranked && input.type == "int32" &&
                input.shape == Shape(i < 3 ? 2 : 1, -1);
    if (!fits) return false;
  }
  return true;
}

}  // namespace

void CheckSignature(const Signature& signature, const SessionOptions& options, SessionInfo* session) {
  bool image = options.tower == CLIP_TOWER_IMAGE;
  std::string want =
      image ? "one input uint8 [rows, height, width, 3]"
            : "one input int32 [rows, length], or ids, positions and segments int32 [lines, length] "
              "and ends int32 [rows]";
  auto refuse = [&](const std::string& what) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", options.graph_path, " is no ", image ? "image" : "text",
         " tower: ", what);
  };
  session->packs = !image && Packs(signature);
  if (signature.inputs.size() != 1 && !session->packs)
    refuse("it has the inputs " + Describe(signature.inputs) + "; wanted is " + want);
  const Signature::Port& input = signature.inputs[0];
  bool fits =
      input.ranked && input.type == (image ? "uint8" : "int32") && input.shape.size() == (image ? 4u : 2u);
  if (!fits) refuse("its input is " + Describe(input) + "; wanted is " + want);
  if (input.shape[0] >= 0)
    refuse("its input " + Describe(input) + " fixes the number of rows; it must be dynamic");
  if (image) {
    if (input.shape[3] != 3 || input.shape[1] != input.shape[2]) {
      refuse("its input is " + Describe(input) + "; wanted are square pictures of 3 channels, channels last");
    }
    session->image_size = input.shape[1] > 0 ? static_cast<uint32_t>(input.shape[1]) : 0;
  } else if (input.shape[1] >= 0) {
    refuse("its input " + Describe(input) + " fixes the length; it must be dynamic");
  }
  if (signature.outputs.empty()) refuse("it has no output");
  const Signature::Port& output = signature.outputs[0];
  bool known = output.ranked && output.type == "float32" && output.shape.size() == 2 && output.shape[1] > 0;
  if (!known) {
    refuse("its output is " + Describe(output) + "; wanted is float32 [rows, dim] with a fixed dim");
  }
  session->dim = static_cast<uint32_t>(output.shape[1]);
  session->tower = options.tower;
}

}  // namespace clip
