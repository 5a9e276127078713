#include "embedding.h"

#include <cstring>
#include <openvino/op/util/gather_base.hpp>

namespace clip {

Embedding::Embedding(std::shared_ptr<ov::op::v0::Constant> table)
    : table_(std::move(table)), vocabulary_(table_->get_shape()[0]), width_(table_->get_shape()[1]) {}

std::shared_ptr<const Embedding> Embedding::TakeOut(const std::shared_ptr<ov::Model>& graph) {
  auto ids = graph->get_parameters()[0];
  auto readers = ids->output(0).get_target_inputs();
  if (ids->get_friendly_name() != "ids" || readers.size() != 1 || readers.begin()->get_index() != 1)
    return nullptr;
  auto gather = ov::as_type_ptr<ov::op::util::GatherBase>(readers.begin()->get_node()->shared_from_this());
  if (gather == nullptr) return nullptr;
  auto table = ov::as_type_ptr<ov::op::v0::Constant>(gather->get_input_node_shared_ptr(0));
  if (table == nullptr || table->get_shape().size() != 2) return nullptr;
  auto width = static_cast<int64_t>(table->get_shape()[1]);
  auto tokens =
      std::make_shared<ov::op::v0::Parameter>(table->get_element_type(), ov::PartialShape{-1, -1, width});
  tokens->set_friendly_name("tokens");
  gather->output(0).replace(tokens->output(0));
  graph->add_parameters({tokens});
  graph->remove_parameter(ids);
  graph->validate_nodes_and_infer_types();
  return std::shared_ptr<const Embedding>(new Embedding(std::move(table)));
}

ov::Tensor Embedding::Rows(const Batch::Input& ids, std::vector<char>* buffer) const {
  size_t count = ids.bytes / sizeof(int32_t), row = width_ * table_->get_element_type().size();
  buffer->resize(count * row);
  const auto* id = static_cast<const int32_t*>(ids.data);
  const auto* table = static_cast<const char*>(table_->get_data_ptr());
  for (size_t i = 0; i < count; ++i) {
    if (id[i] < 0 || static_cast<size_t>(id[i]) >= vocabulary_) {
      Fail(CLIP_INVALID_ARGUMENT, "ids[", i, "] is ", id[i], "; the vocabulary has 0 to ", vocabulary_ - 1);
    }
    std::memcpy(buffer->data() + i * row, table + static_cast<size_t>(id[i]) * row, row);
  }
  ov::Shape shape = {static_cast<size_t>(ids.shape[0]), static_cast<size_t>(ids.shape[1]), width_};
  return ov::Tensor(table_->get_element_type(), shape, buffer->data());
}

}  // namespace clip
