#include "network.h"

#include <algorithm>
#include <iterator>

namespace clip::trt {
namespace {

std::string TypeName(nvinfer1::DataType type) {
  switch (type) {
    case nvinfer1::DataType::kUINT8:
      return "uint8";
    case nvinfer1::DataType::kINT32:
      return "int32";
    case nvinfer1::DataType::kFLOAT:
      return "float32";
    case nvinfer1::DataType::kHALF:
      return "float16";
    case nvinfer1::DataType::kBF16:
      return "bfloat16";
    case nvinfer1::DataType::kINT64:
      return "int64";
    case nvinfer1::DataType::kBOOL:
      return "bool";
    case nvinfer1::DataType::kINT8:
      return "int8";
    default:
      return "TensorRT type " + std::to_string(static_cast<int>(type));
  }
}

Signature::Port Port(const char* name, nvinfer1::DataType type, const nvinfer1::Dims& dims) {
  Signature::Port port;
  port.name = name;
  port.type = TypeName(type);
  port.ranked = dims.nbDims >= 0;
  port.shape = ShapeOf(dims);
  return port;
}

Signature::Port Port(const nvinfer1::ITensor& tensor) {
  return Port(tensor.getName(), tensor.getType(), tensor.getDimensions());
}

}  // namespace

Shape ShapeOf(const nvinfer1::Dims& dims) { return Shape(dims.d, dims.d + std::max(dims.nbDims, 0)); }

nvinfer1::Dims DimsOf(const Shape& shape) {
  nvinfer1::Dims dims = {};
  dims.nbDims = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), dims.d);
  return dims;
}

Signature SignatureOf(const nvinfer1::INetworkDefinition& network) {
  Signature signature;
  for (int32_t i = 0; i < network.getNbInputs(); ++i) signature.inputs.push_back(Port(*network.getInput(i)));
  for (int32_t i = 0; i < network.getNbOutputs(); ++i)
    signature.outputs.push_back(Port(*network.getOutput(i)));
  Order(&signature);
  return signature;
}

Signature SignatureOf(const nvinfer1::ICudaEngine& engine) {
  Signature signature;
  for (int32_t i = 0; i < engine.getNbIOTensors(); ++i) {
    const char* name = engine.getIOTensorName(i);
    bool input = engine.getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
    (input ? signature.inputs : signature.outputs)
        .push_back(Port(name, engine.getTensorDataType(name), engine.getTensorShape(name)));
  }
  Order(&signature);
  return signature;
}

void Order(Signature* signature) {
  static const char* const kNames[] = {"ids", "positions", "segments", "ends"};
  auto place = [](const Signature::Port& port) {
    return std::find(std::begin(kNames), std::end(kNames), port.name);
  };
  std::stable_sort(signature->inputs.begin(), signature->inputs.end(),
                   [&](const Signature::Port& a, const Signature::Port& b) { return place(a) < place(b); });
}

Kind KindOf(const SessionInfo& session) {
  if (session.tower == CLIP_TOWER_IMAGE) return Kind::kPictures;
  return session.packs ? Kind::kPackedTexts : Kind::kTexts;
}

}  // namespace clip::trt
