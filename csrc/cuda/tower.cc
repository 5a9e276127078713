#include "tower.h"

#include <cmath>
#include <cstring>
#include <map>

#include "kernels.h"
#include "options.h"

namespace clip::cuda {
namespace {

// The writer gives every weight the checkpoint's name with a running number behind it: "ln_final.weight_97".
std::string BaseName(const std::string& name) {
  size_t end = name.find_last_not_of("0123456789");
  return end == std::string::npos || end + 1 == name.size() || name[end] != '_' ? name : name.substr(0, end);
}

Signature::Port PortOf(const OnnxValue& value) {
  Signature::Port port;
  port.name = value.name;
  port.type = OnnxTypeName(value.type);
  port.shape = value.dims;
  return port;
}

class Reader {
 public:
  Reader(const OnnxModel& model, clip_tower tower) : model_(model) {
    view_.shape.image = tower == CLIP_TOWER_IMAGE;
    for (const auto& [name, tensor] : model.tensors()) weights_[BaseName(name)].push_back({name, &tensor});
  }

  // What another runtime must compute is told by its first weight.
  void RefuseOthers() const {
    auto refuse = [&](const char* what) {
      Fail(CLIP_INVALID_ARGUMENT, "the graph ", model_.path(), " is ", what,
           "; the runtime cuda computes ViT image towers and CLIP text towers only: use onnxruntime or "
           "tensorrt");
    };
    auto rank = [&](const char* name) { return Has(name) ? First(name).tensor->dims.size() : 0; };
    if (Has("text.transformer.embeddings.word_embeddings.weight")) refuse("a RoBERTa text tower");
    if (rank("visual.conv1.weight") == 4) refuse("a ResNet image tower");
    bool known = view_.shape.image ? rank("visual.conv1.weight") == 2 : rank("token_embedding.weight") == 2;
    if (!known) refuse("a model of its own");
  }

  TowerView Read(const SessionInfo& info) {
    TowerShape& shape = view_.shape;
    shape.dim = static_cast<int>(info.dim);
    if (shape.image) {
      ReadImage(info);
    } else {
      ReadText();
    }
    ReadNodes();
    std::string prefix = shape.image ? "visual.transformer.resblocks." : "transformer.resblocks.";
    while (Has(prefix + std::to_string(shape.layers) + ".ln_1.weight")) {
      view_.blocks.push_back(Block(prefix + std::to_string(shape.layers) + "."));
      ++shape.layers;
    }
    if (shape.layers == 0) Refuse("it has no blocks");
    view_.post_norm = NormOf(shape.image ? "visual.ln_post" : "ln_final");
    view_.projection = Dense(shape.image ? "visual.proj" : "text_projection", "", shape.width, shape.dim);
    CheckSizes();
    return std::move(view_);
  }

 private:
  struct Weight {
    std::string name;
    const OnnxTensor* tensor;
  };

  [[noreturn]] void Refuse(const std::string& what) const {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", model_.path(),
         " is no tower that the runtime cuda can compute: ", what, "; use onnxruntime or tensorrt");
  }

  bool Has(const std::string& name) const { return weights_.count(name) != 0; }

  const Weight& First(const std::string& name) const {
    auto found = weights_.find(name);
    if (found == weights_.end()) Refuse("it has no weight " + name);
    return found->second.front();
  }

  static bool IsFloating(const OnnxTensor& tensor) {
    auto type = static_cast<OnnxType>(tensor.type);
    return type == OnnxType::kFloat || type == OnnxType::kHalf || type == OnnxType::kBfloat16;
  }

  const OnnxTensor* Check(const std::string& name, const OnnxTensor* tensor,
                          const std::vector<int64_t>& dims) const {
    bool fits = IsFloating(*tensor) && tensor->data != nullptr && tensor->dims.size() == dims.size();
    for (size_t i = 0; fits && i < dims.size(); ++i) fits = dims[i] == tensor->dims[i];
    if (!fits) Refuse("its weight " + name + " has another shape than the others need");
    return tensor;
  }

  const OnnxTensor* Vector(const std::string& name, int64_t size) const {
    return Check(name, First(name).tensor, {size});
  }

  NormView NormOf(const std::string& prefix) const {
    int64_t width = view_.shape.width;
    return {Vector(prefix + ".weight", width), Vector(prefix + ".bias", width)};
  }

  DenseView Dense(const std::string& matrix, const std::string& bias, int in, int out) const {
    DenseView dense;
    dense.in = in;
    dense.out = out;
    First(matrix);
    const std::vector<Weight>& matrices = weights_.at(matrix);
    int64_t columns = 0;
    for (size_t i = 0; i < matrices.size(); ++i) {
      DenseView::Part part;
      part.matrix = matrices[i].tensor;
      if (part.matrix->dims.size() != 2) Refuse("its weight " + matrix + " is no matrix");
      Check(matrix, part.matrix, {in, part.matrix->dims[1]});
      columns += part.matrix->dims[1];
      if (!bias.empty()) {
        First(bias);
        if (weights_.at(bias).size() != matrices.size())
          Refuse("its weight " + bias + " is there in another number");
        part.bias = Check(bias, weights_.at(bias)[i].tensor, {part.matrix->dims[1]});
      }
      dense.parts.push_back(part);
    }
    if (columns != out)
      Refuse("its weight " + matrix + " has " + std::to_string(columns) + " columns, not " +
             std::to_string(out));
    return dense;
  }

  BlockView Block(const std::string& prefix) const {
    const TowerShape& shape = view_.shape;
    BlockView block;
    block.attention_norm = NormOf(prefix + "ln_1");
    block.mlp_norm = NormOf(prefix + "ln_2");
    block.attention_in =
        Dense(prefix + "attn.in_proj_weight", prefix + "attn.in_proj_bias", shape.width, 3 * shape.width);
    block.attention_out =
        Dense(prefix + "attn.out_proj.weight", prefix + "attn.out_proj.bias", shape.width, shape.width);
    block.mlp_in = Dense(prefix + "mlp.c_fc.weight", prefix + "mlp.c_fc.bias", shape.width, shape.mlp);
    block.mlp_out = Dense(prefix + "mlp.c_proj.weight", prefix + "mlp.c_proj.bias", shape.mlp, shape.width);
    if (Has(prefix + "ls_1.gamma")) block.attention_out.scale = Vector(prefix + "ls_1.gamma", shape.width);
    if (Has(prefix + "ls_2.gamma")) block.mlp_out.scale = Vector(prefix + "ls_2.gamma", shape.width);
    return block;
  }

  void ReadImage(const SessionInfo& info) {
    TowerShape& shape = view_.shape;
    const Weight& conv = First("visual.conv1.weight");
    int64_t columns = conv.tensor->dims[0];
    shape.size = static_cast<int>(info.image_size);
    shape.width = static_cast<int>(conv.tensor->dims[1]);
    shape.patch = static_cast<int>(std::lround(std::sqrt(static_cast<double>(columns) / 3)));
    if (shape.patch < 1 || columns != int64_t{3} * shape.patch * shape.patch || shape.size < shape.patch) {
      Refuse("its patches have " + std::to_string(columns) + " bytes in pictures of " +
             std::to_string(shape.size) + " pixels");
    }
    shape.grid = shape.size / shape.patch;
    shape.tokens = shape.grid * shape.grid + 1;
    shape.mlp = Columns("visual.transformer.resblocks.0.mlp.c_fc.weight");
    shape.pre_norm = Has("visual.ln_pre.weight");
    if (shape.pre_norm) view_.pre_norm = NormOf("visual.ln_pre");
    view_.patches = Dense("visual.conv1.weight", "", static_cast<int>(columns), shape.width);
    const std::string positions = "visual.positional_embedding";
    view_.positions = Check(positions, First(positions).tensor, {1, shape.tokens, shape.width});
    shape.pixel_scale = PixelScale(conv.name);
  }

  void ReadText() {
    TowerShape& shape = view_.shape;
    view_.tokens = First("token_embedding.weight").tensor;
    shape.vocabulary = static_cast<int>(view_.tokens->dims[0]);
    shape.width = static_cast<int>(view_.tokens->dims[1]);
    view_.positions = First("positional_embedding").tensor;
    if (view_.positions->dims.size() != 2) Refuse("its positional_embedding is no matrix");
    shape.context = static_cast<int>(view_.positions->dims[0]);
    Check("positional_embedding", view_.positions, {shape.context, shape.width});
    shape.mlp = Columns("transformer.resblocks.0.mlp.c_fc.weight");
  }

  int Columns(const std::string& matrix) const {
    const OnnxTensor* tensor = First(matrix).tensor;
    if (tensor->dims.size() != 2) Refuse("its weight " + matrix + " is no matrix");
    return static_cast<int>(tensor->dims[1]);
  }

  // In float16 the writer divides the pixels and multiplies the weights, which would leave the type's range.
  float PixelScale(const std::string& matrix) const {
    std::map<std::string, const OnnxNode*> maker;
    for (const OnnxNode& node : model_.nodes()) {
      for (const std::string& output : node.outputs) maker[output] = &node;
    }
    for (const OnnxNode& node : model_.nodes()) {
      if (node.op != "MatMul" || node.inputs.size() != 2 || node.inputs[1] != matrix) continue;
      const OnnxNode* before = maker.count(node.inputs[0]) != 0 ? maker[node.inputs[0]] : nullptr;
      if (before == nullptr || (before->op != "Mul" && before->op != "Cast")) break;
      if (before->op == "Cast") return 1;
      const OnnxTensor* scale = before->inputs.size() == 2 ? model_.Find(before->inputs[1]) : nullptr;
      if (scale == nullptr || !scale->dims.empty() || static_cast<OnnxType>(scale->type) != OnnxType::kHalf)
        break;
      // The one scale that is in use is a power of two, which the exponent of a half says.
      uint16_t bits;
      std::memcpy(&bits, scale->data, sizeof(bits));
      if ((bits & 0x83FF) != 0) break;
      return std::ldexp(1.0f, (bits >> 10) - 15);
    }
    Refuse("the pixels reach the first product in an unknown way");
  }

  // Heads, activation and epsilon stand in the nodes only.
  void ReadNodes() {
    TowerShape& shape = view_.shape;
    for (const OnnxNode& node : model_.nodes()) {
      if (node.op == "Sigmoid") shape.quick_gelu = true;
      auto epsilon = node.floats.find("epsilon");
      if (node.op == "LayerNormalization" && epsilon != node.floats.end()) shape.epsilon = epsilon->second;
      if (node.op != "Reshape" || node.inputs.size() != 2) continue;
      // [0, 0, heads, columns of a head]
      const OnnxTensor* to = model_.Find(node.inputs[1]);
      if (to == nullptr || static_cast<OnnxType>(to->type) != OnnxType::kInt64 ||
          to->dims != std::vector<int64_t>{4})
        continue;
      int64_t dims[4];
      std::memcpy(dims, to->data, sizeof(dims));
      if (dims[0] == 0 && dims[1] == 0 && dims[2] > 0 && dims[2] * dims[3] == shape.width) {
        shape.heads = static_cast<int>(dims[2]);
      }
    }
    if (shape.heads == 0) Refuse("its heads cannot be counted");
    if (!(shape.epsilon > 0)) Refuse("its layer norms have no epsilon");
  }

  void CheckSizes() const {
    const TowerShape& shape = view_.shape;
    auto most = [&](const char* what, int value, int limit, int multiple) {
      if (value > limit || value % multiple != 0) {
        Refuse(std::string(what) + " is " + std::to_string(value) + "; a multiple of " +
               std::to_string(multiple) + " up to " + std::to_string(limit) + " is right");
      }
    };
    most("its width", shape.width, kMostWidth, 16);
    most("the width of a head", shape.head_width(), kMostHeadWidth, 8);
    most("the width of its MLP", shape.mlp, 1 << 20, 1);
    most("its number of columns", shape.dim, 1 << 16, 1);
  }

  const OnnxModel& model_;
  std::map<std::string, std::vector<Weight>> weights_;
  TowerView view_;
};

}  // namespace

TowerView ReadTower(const OnnxModel& model, const SessionOptions& options, SessionInfo* info) {
  Signature signature;
  for (const OnnxValue& value : model.inputs()) signature.inputs.push_back(PortOf(value));
  for (const OnnxValue& value : model.outputs()) signature.outputs.push_back(PortOf(value));
  CheckSignature(signature, options, info);
  Reader reader(model, options.tower);
  reader.RefuseOthers();
  if (options.tower == CLIP_TOWER_TEXT && !info->packs) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", model.path(),
         " takes one text in each line; the runtime cuda needs one that ",
         "packs several, as clipd writes it: remove the file, or use onnxruntime");
  }
  return reader.Read(*info);
}

}  // namespace clip::cuda
