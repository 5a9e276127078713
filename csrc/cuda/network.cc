#include "network.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace clip::cuda {
namespace {

constexpr size_t kAlignment = 256;
constexpr int kMultiple = 16;  // of a product's columns: what fast algorithms want

// Element i of a weight.
class Source {
 public:
  explicit Source(const OnnxTensor& tensor) : data_(tensor.data), type_(static_cast<OnnxType>(tensor.type)) {}

  float operator()(size_t i) const {
    if (type_ == OnnxType::kFloat) {
      float value;
      std::memcpy(&value, data_ + 4 * i, sizeof(value));
      return value;
    }
    uint16_t bits;
    std::memcpy(&bits, data_ + 2 * i, sizeof(bits));
    if (type_ == OnnxType::kBfloat16) {
      uint32_t wide = static_cast<uint32_t>(bits) << 16;
      float value;
      std::memcpy(&value, &wide, sizeof(value));
      return value;
    }
    return __half2float(__ushort_as_half(bits));
  }

 private:
  const uint8_t* data_;
  OnnxType type_;
};

void Write(float value, Elements elements, uint8_t* to) {
  switch (elements) {
    case Elements::kFloat:
      std::memcpy(to, &value, sizeof(value));
      break;
    case Elements::kBfloat16: {
      __nv_bfloat16 rounded = __float2bfloat16_rn(value);
      std::memcpy(to, &rounded, sizeof(rounded));
      break;
    }
    case Elements::kHalf: {
      __half rounded = __float2half_rn(value);
      std::memcpy(to, &rounded, sizeof(rounded));
      break;
    }
  }
}

size_t Count(const OnnxTensor& tensor) {
  size_t count = 1;
  for (int64_t dim : tensor.dims) count *= static_cast<size_t>(dim);
  return count;
}

int RoundUp(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

size_t ElementBytes(Elements elements) { return elements == Elements::kFloat ? 4 : 2; }

// Lays weights one after the other. Without memory it only counts how much they take.
class Network::Packer {
 public:
  Packer(Elements elements, uint8_t* memory) : elements_(elements), memory_(memory) {}

  size_t bytes() const { return used_; }

  const uint8_t* Vector(const OnnxTensor& tensor, Elements elements) {
    size_t count = Count(tensor), each = ElementBytes(elements);
    return Place(count * each, [&](uint8_t* to) {
      Source source(tensor);
      for (size_t i = 0; i < count; ++i) Write(source(i), elements, to + i * each);
    });
  }

  const float* Floats(const OnnxTensor& tensor) {
    return reinterpret_cast<const float*>(Vector(tensor, Elements::kFloat));
  }

  Norm NormOf(const NormView& view) {
    if (view.scale == nullptr) return {};
    return {Floats(*view.scale), Floats(*view.shift)};
  }

  const uint8_t* Table(const OnnxTensor& tensor) { return Vector(tensor, elements_); }

  // out, when set, is the number of rows to pad the matrix to.
  Dense DenseOf(const DenseView& view, int out = 0) {
    Dense dense;
    dense.in = RoundUp(view.in, kMultiple);
    dense.out = std::max(view.out, out);
    size_t each = ElementBytes(elements_), row = static_cast<size_t>(dense.in) * each;
    dense.matrix =
        Place(row * static_cast<size_t>(dense.out), [&](uint8_t* to) { Transpose(view, row, to); });
    if (view.parts[0].bias == nullptr) return dense;
    dense.bias = Place(each * static_cast<size_t>(dense.out), [&](uint8_t* to) {
      size_t row = 0;
      for (const DenseView::Part& part : view.parts) {
        Source source(*part.bias);
        for (size_t i = 0; i < Count(*part.bias); ++i, ++row)
          Write(source(i) * Scale(view, row), elements_, to + row * each);
      }
    });
    return dense;
  }

 private:
  static float Scale(const DenseView& view, size_t out) {
    return view.scale == nullptr ? 1.0f : Source(*view.scale)(out);
  }

  // In tiles, so that neither side is walked across for every element.
  void Transpose(const DenseView& view, size_t row, uint8_t* to) {
    constexpr size_t kTile = 32;
    size_t each = ElementBytes(elements_), first = 0;
    for (const DenseView::Part& part : view.parts) {
      Source source(*part.matrix);
      size_t in = static_cast<size_t>(part.matrix->dims[0]), out = static_cast<size_t>(part.matrix->dims[1]);
      for (size_t i0 = 0; i0 < in; i0 += kTile) {
        for (size_t o0 = 0; o0 < out; o0 += kTile) {
          for (size_t o = o0; o < std::min(o0 + kTile, out); ++o) {
            float scale = Scale(view, first + o);
            for (size_t i = i0; i < std::min(i0 + kTile, in); ++i) {
              Write(source(i * out + o) * scale, elements_, to + (first + o) * row + i * each);
            }
          }
        }
      }
      first += out;
    }
  }

  template <typename Fill>
  const uint8_t* Place(size_t bytes, Fill&& fill) {
    size_t at = used_;
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (memory_ == nullptr) return nullptr;
    staging_.assign(bytes, 0);
    fill(staging_.data());
    CopyToDevice(memory_ + at, staging_.data(), bytes, "copying weights to the GPU");
    return memory_ + at;
  }

  Elements elements_;
  uint8_t* memory_;
  size_t used_ = 0;
  std::vector<uint8_t> staging_;
};

Network::Network(const TowerView& view, Elements used) : shape(view.shape), elements(used) {
  Packer counting(elements, nullptr);
  Pack(view, &counting);
  memory_ = AllocateDevice<uint8_t>(counting.bytes());
  Packer copying(elements, memory_.get());
  Pack(view, &copying);
}

void Network::Pack(const TowerView& view, Packer* packer) {
  if (shape.image) {
    patches = packer->DenseOf(view.patches);
  } else {
    tokens = packer->Table(*view.tokens);
  }
  positions = packer->Floats(*view.positions);
  pre_norm = packer->NormOf(view.pre_norm);
  post_norm = packer->NormOf(view.post_norm);
  blocks.clear();
  for (const BlockView& from : view.blocks) {
    Block block;
    block.attention_norm = packer->NormOf(from.attention_norm);
    block.mlp_norm = packer->NormOf(from.mlp_norm);
    block.attention_in = packer->DenseOf(from.attention_in);
    block.attention_out = packer->DenseOf(from.attention_out);
    // What is added to the hidden columns stays zero: the activations of 0 are 0.
    block.mlp_in = packer->DenseOf(from.mlp_in, RoundUp(shape.mlp, kMultiple));
    block.mlp_out = packer->DenseOf(from.mlp_out);
    blocks.push_back(block);
  }
  projection = packer->DenseOf(view.projection);
}

Dense Network::Part(const Dense& dense, int from, int count) const {
  Dense part = dense;
  size_t each = ElementBytes(elements), skipped = static_cast<size_t>(from);
  part.matrix += skipped * static_cast<size_t>(dense.in) * each;
  if (part.bias != nullptr) part.bias += skipped * each;
  part.out = count;
  return part;
}

}  // namespace clip::cuda
