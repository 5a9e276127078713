// The tower as a sequence of kernels and products on a stream.
#ifndef CLIP_CUDA_FORWARD_H_
#define CLIP_CUDA_FORWARD_H_

#include <compare>
#include <cstdint>

#include "network.h"
#include "owners.h"
#include "products.h"

namespace clip::cuda {

// What a sequence is made for; one graph is captured for each. Rows beyond those of a batch hold anything: no
// row looks at another item's.
struct PassShape {
  int items = 0;   // pictures or texts
  int tokens = 0;  // of all items
  int length = 0;  // text: a bound of the longest; image: tokens of each
  auto operator<=>(const PassShape&) const = default;
};

// The smallest of the shapes that serves so many: steps of 1/16 to 1/8, none smaller than step.
int Bucket(int count, int step);

// A lane's memory on the device for passes up to a size. For texts integers holds, without gaps and as a
// pass's shape has them: ids [tokens], their places [tokens], offsets [items + 1] and ends [items]. For
// pictures it holds the rows of the class tokens, [items].
class Buffers {
 public:
  Buffers(const Network& network, int items, int tokens);

  int items() const { return items_; }
  int tokens() const { return tokens_; }

  DeviceMemory<uint8_t> pixels;
  DeviceMemory<int32_t> integers;
  DeviceMemory<float> x;                                        // the residual stream
  DeviceMemory<uint8_t> y, qkv, branch, hidden, picked, query;  // elements
  DeviceMemory<float> pooled;      // the residual stream of the rows that are embedded
  DeviceMemory<float> embeddings;  // [items, dim]
  DeviceMemory<uint8_t> workspace;

 private:
  int items_, tokens_;
};

// Puts one pass on the stream, from buffers.pixels or integers to buffers.embeddings.
void Forward(const Network& network, Products* products, const Buffers& buffers, const PassShape& shape,
             cudaStream_t stream);

}  // namespace clip::cuda

#endif  // CLIP_CUDA_FORWARD_H_
