#include "session.h"

#include <cstring>

#include "cpus.h"
#include "files.h"
#include "options.h"

namespace clip {
namespace {

// A lane gives the memory of its arena back after this many runs: often enough that one large batch does not
// hold its memory for ever, seldom enough that it costs nothing.
constexpr int kRunsBetweenShrinks = 64;

std::string TypeName(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return "uint8";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return "int32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return "int64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return "float32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return "float16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return "bfloat16";
    default:
      return "type " + std::to_string(type);
  }
}

Signature::Port PortOf(const std::string& name, const OrtTypeInfo& type) {
  Signature::Port port;
  port.name = name;
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  Check(Ort().CastTypeInfoToTensorInfo(&type, &tensor), "reading the type of " + name);
  if (tensor == nullptr) {
    port.type = "no tensor";
    port.ranked = false;
    return port;
  }
  ONNXTensorElementDataType element;
  Check(Ort().GetTensorElementType(tensor, &element), "reading the type of " + name);
  port.type = TypeName(element);
  size_t rank = 0;
  Check(Ort().GetDimensionsCount(tensor, &rank), "reading the shape of " + name);
  port.shape.resize(rank);
  Check(Ort().GetDimensions(tensor, port.shape.data(), rank), "reading the shape of " + name);
  return port;
}

using Counter = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t*);
using Namer = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t, OrtAllocator*, char**);
using Typer = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t, OrtTypeInfo**);

std::vector<Signature::Port> Ports(const OrtSession* session, Counter count, Namer name, Typer type) {
  OrtAllocator* allocator;
  Check(Ort().GetAllocatorWithDefaultOptions(&allocator), "getting the allocator");
  size_t total = 0;
  Check(count(session, &total), "counting inputs and outputs");
  std::vector<Signature::Port> ports;
  for (size_t i = 0; i < total; ++i) {
    char* text = nullptr;
    Check(name(session, i, allocator, &text), "reading a name");
    std::string copy = text;
    Check(Ort().AllocatorFree(allocator, text), "freeing a name");
    OrtTypeInfo* info = nullptr;
    Check(type(session, i, &info), "reading the type of " + copy);
    Owned<OrtTypeInfo> owned(info);
    ports.push_back(PortOf(copy, *info));
  }
  return ports;
}

Owned<OrtValue> Wrap(const OrtMemoryInfo* memory, void* data, size_t bytes, const int64_t* shape, size_t rank,
                     ONNXTensorElementDataType type) {
  OrtValue* value = nullptr;
  Check(Ort().CreateTensorWithDataAsOrtValue(memory, data, bytes, shape, rank, type, &value),
        "wrapping a tensor");
  return Owned<OrtValue>(value);
}

class OnnxRuntimeLane : public Lane {
 public:
  explicit OnnxRuntimeLane(const OnnxRuntimeSession& session) : session_(session) {
    OrtRunOptions* shrinking = nullptr;
    Check(Ort().CreateRunOptions(&shrinking), "making run options");
    shrinking_.reset(shrinking);
    Check(Ort().AddRunConfigEntry(shrinking, "memory.enable_memory_arena_shrinkage", "cpu:0"),
          "setting run options");
  }

  void Run(const Batch& batch) override {
    bool shrink = ++runs_ % kRunsBetweenShrinks == 0;
    session_.Run(batch, shrink ? shrinking_.get() : nullptr);
  }

 private:
  const OnnxRuntimeSession& session_;
  Owned<OrtRunOptions> shrinking_;
  int runs_ = 0;
};

}  // namespace

OnnxRuntimeSession::OnnxRuntimeSession(const OrtEnv& env, const SessionOptions& options,
                                       const std::string& device)
    : cpus_(options.cpus) {
  info_.precision = CLIP_PRECISION_FP32;
  info_.device = device;
  OrtMemoryInfo* memory = nullptr;
  Check(Ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory), "describing memory");
  memory_.reset(memory);

  OrtSessionOptions* settings = nullptr;
  Check(Ort().CreateSessionOptions(&settings), "making session options");
  Owned<OrtSessionOptions> owned(settings);
  int pool = static_cast<int>(options.lanes * (options.threads - 1) + 1);
  Check(Ort().SetIntraOpNumThreads(settings, pool), "setting the number of threads");
  Check(Ort().SetSessionGraphOptimizationLevel(settings, ORT_ENABLE_ALL), "setting the optimisation level");
  // A pattern is kept for every shape that was ever run; with batches of any size that is a leak.
  Check(Ort().DisableMemPattern(settings), "disabling memory patterns");
  OrtSession* session = nullptr;
  Check(Ort().CreateSession(&env, options.graph_path.c_str(), settings, &session),
        "ONNX Runtime cannot load the graph " + options.graph_path, CLIP_INVALID_ARGUMENT);
  session_.reset(session);
  ReadSignature(options);
  ReleaseMappedWeights(options.graph_path);
}

void OnnxRuntimeSession::ReadSignature(const SessionOptions& options) {
  Signature signature;
  const OrtApi& ort = Ort();
  signature.inputs =
      Ports(session_.get(), ort.SessionGetInputCount, ort.SessionGetInputName, ort.SessionGetInputTypeInfo);
  signature.outputs = Ports(session_.get(), ort.SessionGetOutputCount, ort.SessionGetOutputName,
                            ort.SessionGetOutputTypeInfo);
  CheckSignature(signature, options, &info_);
  for (const Signature::Port& input : signature.inputs) inputs_.push_back(input.name);
  output_ = signature.outputs[0].name;
}

void OnnxRuntimeSession::Run(const Batch& batch, const OrtRunOptions* options) const {
  Affinity here(cpus_);  // the threads of the pool have inherited it
  auto type = info_.tower == CLIP_TOWER_IMAGE ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8
                                              : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  constexpr size_t kMostInputs = 4;
  const char* names[kMostInputs];
  const OrtValue* values[kMostInputs];
  std::vector<Owned<OrtValue>> owned;
  for (const Batch::Input& input : batch.inputs) {
    names[owned.size()] = inputs_[owned.size()].c_str();
    owned.push_back(
        Wrap(memory_.get(), input.data, input.bytes, input.shape.data(), input.shape.size(), type));
    values[owned.size() - 1] = owned.back().get();
  }
  int64_t rows_dim[2] = {batch.rows, info_.dim};
  // Given the output's memory, ONNX Runtime writes into it, and refuses when the graph makes another shape.
  Owned<OrtValue> output = Wrap(memory_.get(), batch.output, batch.output_count * sizeof(float), rows_dim, 2,
                                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const char* output_name = output_.c_str();
  OrtValue* outputs = output.get();
  Check(Ort().Run(session_.get(), options, names, values, owned.size(), &output_name, 1, &outputs),
        "ONNX Runtime cannot run a batch of " + Describe(batch));
}

std::unique_ptr<Lane> OnnxRuntimeSession::NewLane() { return std::make_unique<OnnxRuntimeLane>(*this); }

}  // namespace clip
