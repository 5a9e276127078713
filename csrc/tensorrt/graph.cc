#include "graph.h"

#include <algorithm>
#include <stdexcept>

#include "content.h"
#include "error.h"
#include "wire.h"

namespace clip::trt {
namespace {

using wire::AddBytes;
using wire::AddVarint;
using wire::Field;
using wire::Reader;

// Numbers of fields and values of onnx.proto.
constexpr uint32_t kModelGraph = 7;
constexpr uint32_t kGraphNode = 1, kGraphInitializer = 5, kGraphInput = 11, kGraphValueInfo = 13;
constexpr uint32_t kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kNodeOp = 4, kNodeAttribute = 5;
constexpr uint32_t kAttributeName = 1, kAttributeInt = 3, kAttributeTensor = 5, kAttributeType = 20;
constexpr uint32_t kAttributeTypeInt = 2;
constexpr uint32_t kTensorDims = 1, kTensorType = 2, kTensorExternal = 13;
constexpr uint32_t kEntryKey = 1, kEntryValue = 2;
constexpr uint32_t kValueName = 1, kValueType = 2, kTypeTensor = 1, kTensorTypeElement = 1;
constexpr uint64_t kFloat = 1, kUint8 = 2, kFloat16 = 10, kBfloat16 = 16;

// Elements of matrices by type.
struct Weights {
  double fp32 = 0, bf16 = 0, fp16 = 0;
};

void ReadTensor(std::string_view tensor, Weights* weights, std::vector<std::string>* files) {
  double elements = 1;
  int rank = 0;
  uint64_t type = 0;
  auto add = [&](uint64_t dimension) { elements *= static_cast<double>(dimension), ++rank; };
  Field field;
  for (Reader reader(tensor); reader.Next(&field);) {
    if (field.number == kTensorDims && field.type == 0) add(field.value);
    if (field.number == kTensorDims && field.type == 2) {  // packed: varints one after another
      std::string tagged;
      for (size_t begin = 0, i = 0; i < field.data.size(); ++i) {
        if (static_cast<unsigned char>(field.data[i]) >= 0x80) continue;
        tagged.assign(1, '\x08').append(field.data.substr(begin, i + 1 - begin));
        Field one;
        Reader(tagged).Next(&one);
        add(one.value);
        begin = i + 1;
      }
    }
    if (field.number == kTensorType) type = field.value;
    if (field.number == kTensorExternal) {
      std::string_view key, value;
      Field part;
      for (Reader entry(field.data); entry.Next(&part);) {
        if (part.number == kEntryKey) key = part.data;
        if (part.number == kEntryValue) value = part.data;
      }
      if (key == "location") files->emplace_back(value);
    }
  }
  if (rank < 2) return;
  if (type == kFloat) weights->fp32 += elements;
  if (type == kBfloat16) weights->bf16 += elements;
  if (type == kFloat16) weights->fp16 += elements;
}

// Weights may also lie in nodes (Constant).
void ReadNode(std::string_view node, Weights* weights, std::vector<std::string>* files) {
  Field field, part;
  for (Reader reader(node); reader.Next(&field);) {
    if (field.number != kNodeAttribute) continue;
    for (Reader attribute(field.data); attribute.Next(&part);) {
      if (part.number == kAttributeTensor && part.type == 2) ReadTensor(part.data, weights, files);
    }
  }
}

void ReadInput(std::string_view input, std::vector<std::string>* byte_inputs) {
  std::string_view name;
  uint64_t type = 0;
  Field value, kind, tensor;
  for (Reader reader(input); reader.Next(&value);) {
    if (value.number == kValueName) name = value.data;
    if (value.number != kValueType) continue;
    for (Reader types(value.data); types.Next(&kind);) {
      if (kind.number != kTypeTensor) continue;
      for (Reader tensors(kind.data); tensors.Next(&tensor);) {
        if (tensor.number == kTensorTypeElement) type = tensor.value;
      }
    }
  }
  if (type == kUint8) byte_inputs->emplace_back(name);
}

std::string CastName(const std::string& input) { return input + "/clipd_fp16"; }

std::string CastNode(const std::string& input) {
  std::string attribute, node;
  AddBytes(&attribute, kAttributeName, "to");
  AddVarint(&attribute, kAttributeInt, kFloat16);
  AddVarint(&attribute, kAttributeType, kAttributeTypeInt);
  AddBytes(&node, kNodeInput, input);
  AddBytes(&node, kNodeOutput, CastName(input));
  AddBytes(&node, kNodeName, CastName(input));
  AddBytes(&node, kNodeOp, "Cast");
  AddBytes(&node, kNodeAttribute, attribute);
  return node;
}

// The node with its uint8 inputs replaced by what they are cast to.
std::string Redirected(std::string_view node, const std::vector<std::string>& byte_inputs) {
  std::string made;
  Field field;
  for (Reader reader(node); reader.Next(&field);) {
    bool cast = field.number == kNodeInput &&
                std::find(byte_inputs.begin(), byte_inputs.end(), field.data) != byte_inputs.end();
    if (cast) {
      AddBytes(&made, kNodeInput, CastName(std::string(field.data)));
    } else {
      made.append(field.whole);
    }
  }
  return made;
}

}  // namespace

GraphFacts ReadFacts(const std::string& path) {
  GraphFacts facts;
  Weights weights;
  Mapped file(path);
  bool found = false;
  try {
    Field field, part;
    for (Reader model(file.bytes()); model.Next(&field);) {
      if (field.number != kModelGraph || field.type != 2) continue;
      found = true;
      for (Reader graph(field.data); graph.Next(&part);) {
        if (part.number == kGraphInitializer) ReadTensor(part.data, &weights, &facts.weight_files);
        if (part.number == kGraphNode) ReadNode(part.data, &weights, &facts.weight_files);
        if (part.number == kGraphInput) ReadInput(part.data, &facts.byte_inputs);
      }
    }
  } catch (const std::invalid_argument& fault) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", path, " is damaged or no ONNX file: ", fault.what());
  }
  if (!found)
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", path, " is damaged or no ONNX file: it contains no graph");
  if (weights.bf16 > std::max(weights.fp32, weights.fp16)) facts.precision = CLIP_PRECISION_BF16;
  if (weights.fp16 > std::max(weights.fp32, weights.bf16)) facts.precision = CLIP_PRECISION_FP16;
  std::sort(facts.weight_files.begin(), facts.weight_files.end());
  facts.weight_files.erase(std::unique(facts.weight_files.begin(), facts.weight_files.end()),
                           facts.weight_files.end());
  return facts;
}

std::string ForTensorRt(std::string_view model, const GraphFacts& facts) {
  if (facts.byte_inputs.empty()) return std::string(model);
  std::string made;
  made.reserve(model.size() + 1024);
  Field field, part;
  for (Reader reader(model); reader.Next(&field);) {
    if (field.number != kModelGraph) {
      made.append(field.whole);
      continue;
    }
    std::string graph;
    graph.reserve(field.data.size() + 1024);
    // First, since nodes stand in the order in which they are computed.
    for (const std::string& input : facts.byte_inputs) AddBytes(&graph, kGraphNode, CastNode(input));
    for (Reader parts(field.data); parts.Next(&part);) {
      if (part.number == kGraphNode) {
        AddBytes(&graph, kGraphNode, Redirected(part.data, facts.byte_inputs));
      } else if (part.number != kGraphValueInfo) {  // types of values in between, which are others now
        graph.append(part.whole);
      }
    }
    AddBytes(&made, kModelGraph, graph);
  }
  return made;
}

}  // namespace clip::trt
