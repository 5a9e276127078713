#ifndef CLIP_OPENVINO_EMBEDDING_H_
#define CLIP_OPENVINO_EMBEDDING_H_

#include <memory>
#include <openvino/op/constant.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/openvino.hpp>
#include <vector>

#include "plugin.h"

namespace clip {

// The table of token embeddings, taken out of a text tower. OpenVINO copies it into each compiled model, 101
// MB for ViT-B/32; here it stays in the graph's file, mapped, and only the rows that texts use are read. The
// graph then takes "tokens", [lines, length, width] of the table's type, as its last input in place of "ids",
// its first.
class Embedding {
 public:
  // Changes the graph. Null, and the graph as it was, where "ids" leads to anything but one table.
  static std::shared_ptr<const Embedding> TakeOut(const std::shared_ptr<ov::Model>& graph);

  // The rows of the ids of a batch, in a buffer that grows; fails on an id that the table has not.
  ov::Tensor Rows(const Batch::Input& ids, std::vector<char>* buffer) const;

 private:
  explicit Embedding(std::shared_ptr<ov::op::v0::Constant> table);

  std::shared_ptr<ov::op::v0::Constant> table_;
  size_t vocabulary_, width_;
};

}  // namespace clip

#endif  // CLIP_OPENVINO_EMBEDDING_H_
