#include "options.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace clip {
namespace {

// More lanes or threads than this is a mistake in a unit, not a wish.
constexpr uint32_t kMostLanes = 1024;

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
  uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
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

Batch CheckBatch(const clip_batch& batch, const SessionInfo& session) {
  if (batch.rows == 0) Fail(CLIP_INVALID_ARGUMENT, "rows is 0; a batch has at least 1");
  if (batch.length == 0) Fail(CLIP_INVALID_ARGUMENT, "length is 0; at least 1 is needed");
  if (batch.input == nullptr || batch.output == nullptr) {
    Fail(CLIP_INVALID_ARGUMENT, "input and output must not be null");
  }
  Batch checked;
  int64_t rows = batch.rows, length = batch.length;
  size_t item_bytes;
  if (session.tower == CLIP_TOWER_IMAGE) {
    if (session.image_size != 0 && batch.length != session.image_size) {
      Fail(CLIP_INVALID_ARGUMENT, "pictures of ", length, "x", length, " pixels; this graph takes ",
           session.image_size, "x", session.image_size);
    }
    checked.shape = {rows, length, length, 3};
    if (__builtin_mul_overflow(static_cast<size_t>(length) * static_cast<size_t>(length), size_t{3},
                               &item_bytes)) {
      item_bytes = SIZE_MAX;
    }
  } else {
    checked.shape = {rows, length};
    item_bytes = static_cast<size_t>(length) * sizeof(int32_t);
  }
  // An address space holds no object above PTRDIFF_MAX, so that no caller can have meant it.
  if (__builtin_mul_overflow(item_bytes, static_cast<size_t>(rows), &checked.input_bytes) ||
      checked.input_bytes > static_cast<size_t>(PTRDIFF_MAX)) {
    Fail(CLIP_INVALID_ARGUMENT, "a batch of ", rows, " rows of length ", length, " does not fit into memory");
  }
  checked.input = const_cast<void*>(batch.input);
  checked.output = batch.output;
  checked.output_count = static_cast<size_t>(rows) * session.dim;
  return checked;
}

void CheckSignature(const Signature& signature, const SessionOptions& options, SessionInfo* session) {
  bool image = options.tower == CLIP_TOWER_IMAGE;
  std::string want = image ? "one input uint8 [rows, height, width, 3]" : "one input int32 [rows, length]";
  auto refuse = [&](const std::string& what) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", options.graph_path, " is no ", image ? "image" : "text",
         " tower: ", what);
  };
  if (signature.inputs.size() != 1)
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
