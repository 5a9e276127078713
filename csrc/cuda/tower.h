// What a graph that clipd wrote says of its tower: the network's sizes and where each weight lies. Only ViT
// image towers and CLIP text towers are known here.
#ifndef CLIP_CUDA_TOWER_H_
#define CLIP_CUDA_TOWER_H_

#include <string>
#include <vector>

#include "onnx.h"
#include "plugin.h"

namespace clip::cuda {

struct TowerShape {
  bool image = false;
  int width = 0, layers = 0, heads = 0, mlp = 0, dim = 0;
  bool quick_gelu = false;
  float epsilon = 0;  // of the layer norms
  // Image.
  int size = 0, patch = 0, grid = 0;
  int tokens = 0;         // of a picture: patches and the class token
  bool pre_norm = false;  // before the blocks
  float pixel_scale = 1;  // pixels are multiplied by it before the first product
  // Text.
  int vocabulary = 0, context = 0;

  int head_width() const { return width / heads; }
};

// A matrix product as the graph has it: x times matrix [in, out], plus bias [out] where there is one. The
// parts stand side by side: the last block of an image tower has one for the query and one for key and value.
struct DenseView {
  struct Part {
    const OnnxTensor* matrix = nullptr;
    const OnnxTensor* bias = nullptr;
  };
  std::vector<Part> parts;
  const OnnxTensor* scale = nullptr;  // [out], multiplies the result (layer scale)
  int in = 0, out = 0;
};

struct NormView {
  const OnnxTensor* scale = nullptr;
  const OnnxTensor* shift = nullptr;
};

struct BlockView {
  NormView attention_norm, mlp_norm;
  DenseView attention_in;  // query, key and value; the query is scaled
  DenseView attention_out, mlp_in, mlp_out;
};

struct TowerView {
  TowerShape shape;
  DenseView patches;                      // image
  const OnnxTensor* tokens = nullptr;     // text: [vocabulary, width]
  const OnnxTensor* positions = nullptr;  // [tokens or context, width]
  NormView pre_norm, post_norm;
  std::vector<BlockView> blocks;
  DenseView projection;
};

// Throws Error with CLIP_INVALID_ARGUMENT for another network; its sentence names the runtimes that compute
// it. Also fills what the session says of its graph.
TowerView ReadTower(const OnnxModel& model, const SessionOptions& options, SessionInfo* info);

}  // namespace clip::cuda

#endif  // CLIP_CUDA_TOWER_H_
