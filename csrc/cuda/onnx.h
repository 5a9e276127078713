// Reads what clipd writes (engine/model/onnx): the nodes of an ONNX model and its weights, which lie mapped
// into memory from the file beside it. Field numbers are those of onnx.proto3.
#ifndef CLIP_CUDA_ONNX_H_
#define CLIP_CUDA_ONNX_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace clip::cuda {

// Element types, as TensorProto.DataType numbers them.
enum class OnnxType { kFloat = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7, kHalf = 10, kBfloat16 = 16 };

const char* OnnxTypeName(int64_t type);

struct OnnxTensor {
  int64_t type = 0;
  std::vector<int64_t> dims;
  const uint8_t* data = nullptr;  // little-endian, C order
  size_t bytes = 0;
};

struct OnnxValue {
  std::string name;
  int64_t type = 0;
  std::vector<int64_t> dims;  // -1: not fixed
};

struct OnnxNode {
  std::string op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, float> floats;  // attributes of that type
};

// A file in memory, read-only.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Throws Error with CLIP_INVALID_ARGUMENT when the file is no whole model.
class OnnxModel {
 public:
  explicit OnnxModel(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<OnnxNode>& nodes() const { return nodes_; }
  const std::vector<OnnxValue>& inputs() const { return inputs_; }
  const std::vector<OnnxValue>& outputs() const { return outputs_; }
  const std::vector<std::pair<std::string, OnnxTensor>>& tensors() const { return tensors_; }

  const OnnxTensor* Find(const std::string& name) const;

 private:
  class Parser;

  std::string path_;
  std::unique_ptr<MappedFile> file_;
  std::map<std::string, std::unique_ptr<MappedFile>> external_;
  std::vector<OnnxNode> nodes_;
  std::vector<OnnxValue> inputs_, outputs_;
  std::vector<std::pair<std::string, OnnxTensor>> tensors_;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_ONNX_H_
