#include "onnx.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "error.h"

namespace clip::cuda {
namespace {

size_t TypeBytes(int64_t type) {
  switch (static_cast<OnnxType>(type)) {
    case OnnxType::kUint8:
      return 1;
    case OnnxType::kHalf:
    case OnnxType::kBfloat16:
      return 2;
    case OnnxType::kFloat:
    case OnnxType::kInt32:
      return 4;
    case OnnxType::kInt64:
      return 8;
  }
  return 0;
}

struct Bytes {
  const uint8_t* at = nullptr;
  size_t size = 0;
  std::string Text() const { return std::string(reinterpret_cast<const char*>(at), size); }
};

struct Damage {
  const char* what;
};

uint64_t ReadVarint(Bytes* from) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (from->size == 0) throw Damage{"a number is cut off"};
    uint8_t byte = *from->at;
    ++from->at;
    --from->size;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw Damage{"a number is too long"};
}

Bytes Take(Bytes* from, uint64_t size) {
  if (size > from->size) throw Damage{"a field reaches beyond its end"};
  Bytes taken = {from->at, static_cast<size_t>(size)};
  from->at += size;
  from->size -= size;
  return taken;
}

// One field of a message: number holds varints and fixed numbers, bytes the others.
struct Field {
  uint64_t id = 0, number = 0;
  Bytes bytes;
};

// Calls each with every field of a message.
template <typename Each>
void ForFields(Bytes message, Each&& each) {
  while (message.size > 0) {
    uint64_t tag = ReadVarint(&message);
    Field field;
    field.id = tag >> 3;
    switch (tag & 7) {
      case 0:
        field.number = ReadVarint(&message);
        break;
      case 1:
        std::memcpy(&field.number, Take(&message, 8).at, 8);
        break;
      case 2:
        field.bytes = Take(&message, ReadVarint(&message));
        break;
      case 5:
        std::memcpy(&field.number, Take(&message, 4).at, 4);
        break;
      default:
        throw Damage{"a field is of an unknown kind"};
    }
    each(field);
  }
}

// Integers stand one in a field, or several packed in one.
void AddIntegers(const Field& field, std::vector<int64_t>* to) {
  if (field.bytes.at == nullptr) return to->push_back(static_cast<int64_t>(field.number));
  for (Bytes packed = field.bytes; packed.size > 0;) to->push_back(static_cast<int64_t>(ReadVarint(&packed)));
}

}  // namespace

const char* OnnxTypeName(int64_t type) {
  switch (static_cast<OnnxType>(type)) {
    case OnnxType::kFloat:
      return "float32";
    case OnnxType::kUint8:
      return "uint8";
    case OnnxType::kInt32:
      return "int32";
    case OnnxType::kInt64:
      return "int64";
    case OnnxType::kHalf:
      return "float16";
    case OnnxType::kBfloat16:
      return "bfloat16";
  }
  return "another type";
}

MappedFile::MappedFile(const std::string& path) {
  auto refuse = [&] { Fail(CLIP_INVALID_ARGUMENT, "cannot read ", path, ": ", strerror(errno)); };
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) refuse();
  struct stat status;
  void* mapped = MAP_FAILED;
  if (fstat(file, &status) == 0) {
    size_ = static_cast<size_t>(status.st_size);
    mapped = size_ == 0 ? nullptr : mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  }
  int failure = errno;
  close(file);
  errno = failure;
  if (mapped == MAP_FAILED) refuse();
  data_ = static_cast<const uint8_t*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

class OnnxModel::Parser {
 public:
  explicit Parser(OnnxModel* model) : model_(model) {}

  void Model(Bytes message) {
    bool found = false;
    ForFields(message, [&](const Field& field) {
      if (field.id != 7) return;
      found = true;
      Graph(field.bytes);
    });
    if (!found) throw Damage{"it holds no graph"};
  }

 private:
  void Graph(Bytes message) {
    ForFields(message, [&](const Field& field) {
      if (field.id == 1) Node(field.bytes);
      if (field.id == 5) Tensor(field.bytes);
      if (field.id == 11) model_->inputs_.push_back(Value(field.bytes));
      if (field.id == 12) model_->outputs_.push_back(Value(field.bytes));
    });
  }

  void Node(Bytes message) {
    OnnxNode node;
    ForFields(message, [&](const Field& field) {
      if (field.id == 1) node.inputs.push_back(field.bytes.Text());
      if (field.id == 2) node.outputs.push_back(field.bytes.Text());
      if (field.id == 4) node.op = field.bytes.Text();
      if (field.id != 5) return;
      std::string name;
      uint64_t kind = 0;
      float value = 0;
      ForFields(field.bytes, [&](const Field& part) {
        if (part.id == 1) name = part.bytes.Text();
        if (part.id == 2) {
          uint32_t bits = static_cast<uint32_t>(part.number);
          std::memcpy(&value, &bits, sizeof(value));
        }
        if (part.id == 20) kind = part.number;
      });
      constexpr uint64_t kFloatAttribute = 1;
      if (kind == kFloatAttribute) node.floats[name] = value;
    });
    model_->nodes_.push_back(std::move(node));
  }

  static OnnxValue Value(Bytes message) {
    OnnxValue value;
    auto shape = [&](const Field& field) {
      if (field.id != 1) return;
      int64_t size = -1;
      ForFields(field.bytes, [&](const Field& part) {
        if (part.id == 1) size = static_cast<int64_t>(part.number);
      });
      value.dims.push_back(size);
    };
    ForFields(message, [&](const Field& field) {
      if (field.id == 1) value.name = field.bytes.Text();
      if (field.id != 2) return;
      ForFields(field.bytes, [&](const Field& type) {
        if (type.id != 1) return;  // a tensor
        ForFields(type.bytes, [&](const Field& part) {
          if (part.id == 1) value.type = static_cast<int64_t>(part.number);
          if (part.id == 2) ForFields(part.bytes, shape);
        });
      });
    });
    return value;
  }

  void Tensor(Bytes message) {
    OnnxTensor tensor;
    std::string name;
    std::map<std::string, std::string> entries;
    ForFields(message, [&](const Field& field) {
      if (field.id == 1) AddIntegers(field, &tensor.dims);
      if (field.id == 2) tensor.type = static_cast<int64_t>(field.number);
      if (field.id == 8) name = field.bytes.Text();
      if (field.id == 9) {
        tensor.data = field.bytes.at;
        tensor.bytes = field.bytes.size;
      }
      if (field.id == 13) {
        std::string key, value;
        ForFields(field.bytes, [&](const Field& part) { (part.id == 1 ? key : value) = part.bytes.Text(); });
        entries[key] = value;
      }
    });
    if (!entries.empty()) External(name, entries, &tensor);
    size_t want = TypeBytes(tensor.type);
    bool fits = want > 0;
    for (int64_t dim : tensor.dims)
      fits = fits && dim >= 0 && !__builtin_mul_overflow(want, static_cast<size_t>(dim), &want);
    if (fits && tensor.bytes != want) throw Damage{"a weight has another size than its shape says"};
    model_->tensors_.emplace_back(std::move(name), std::move(tensor));
  }

  void External(const std::string& name, const std::map<std::string, std::string>& entries,
                OnnxTensor* tensor) {
    auto entry = [&](const char* key) {
      auto found = entries.find(key);
      return found == entries.end() ? std::string() : found->second;
    };
    std::string location = entry("location");
    if (location.empty() || location.find('/') != std::string::npos)
      throw Damage{"weights lie in another folder"};
    auto& file = model_->external_[location];
    if (file == nullptr) {
      file = std::make_unique<MappedFile>(
          (std::filesystem::path(model_->path_).parent_path() / location).string());
    }
    uint64_t offset = strtoull(entry("offset").c_str(), nullptr, 10),
             length = strtoull(entry("length").c_str(), nullptr, 10);
    if (offset > file->size() || length > file->size() - offset) {
      Fail(CLIP_INVALID_ARGUMENT, "the weights ", location, " of the graph ", model_->path_,
           " are cut off: ", name, " ends at byte ", offset + length, " of ", file->size());
    }
    tensor->data = file->data() + offset;
    tensor->bytes = static_cast<size_t>(length);
  }

  OnnxModel* model_;
};

OnnxModel::OnnxModel(const std::string& path) : path_(path), file_(std::make_unique<MappedFile>(path)) {
  try {
    Parser(this).Model({file_->data(), file_->size()});
  } catch (const Damage& damage) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", path, " is no whole ONNX model: ", damage.what);
  }
}

const OnnxTensor* OnnxModel::Find(const std::string& name) const {
  for (const auto& [own, tensor] : tensors_) {
    if (own == name) return &tensor;
  }
  return nullptr;
}

}  // namespace clip::cuda
