// A tower's weights in the memory of a GPU, in the form that the products and kernels take.
#ifndef CLIP_CUDA_NETWORK_H_
#define CLIP_CUDA_NETWORK_H_

#include <vector>

#include "kernels.h"
#include "owners.h"
#include "tower.h"

namespace clip::cuda {

// Matrix [out, in] and bias [out] or null, both of the network's elements. Patches and the MLP's hidden
// columns may be padded with zeros.
struct Dense {
  const uint8_t* matrix = nullptr;
  const uint8_t* bias = nullptr;
  int in = 0, out = 0;
};

struct Block {
  Norm attention_norm, mlp_norm;
  Dense attention_in;  // rows: query, key, value
  Dense attention_out, mlp_in, mlp_out;
};

size_t ElementBytes(Elements elements);

// Copies the weights to the device that is current.
class Network {
 public:
  Network(const TowerView& view, Elements elements);

  // The rows [from, from + count) of a product's result.
  Dense Part(const Dense& dense, int from, int count) const;

  TowerShape shape;
  Elements elements;
  Dense patches;
  const uint8_t* tokens = nullptr;   // [vocabulary, width], elements
  const float* positions = nullptr;  // [tokens or context, width]
  Norm pre_norm, post_norm;          // pre_norm is empty where the tower has none
  std::vector<Block> blocks;
  Dense projection;

 private:
  class Packer;
  void Pack(const TowerView& view, Packer* packer);

  DeviceMemory<uint8_t> memory_;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_NETWORK_H_
