#include "forward.h"

#include <algorithm>

namespace clip::cuda {
namespace {

// How a product ends.
struct Form {
  bool gelu = false, float_y = false;
};

class Pass {
 public:
  Pass(const Network& network, Products* products, const Buffers& buffers, const PassShape& shape,
       cudaStream_t stream)
      : network_(network),
        own_(network.shape),
        products_(products),
        b_(buffers),
        shape_(shape),
        stream_(stream) {
    if (own_.image) {
      last_ = b_.integers.get();
    } else {
      ids_ = b_.integers.get();
      places_ = ids_ + shape.tokens;
      offsets_ = places_ + shape.tokens;
      last_ = offsets_ + shape.items + 1;
    }
  }

  void Run() {
    own_.image ? EmbedPictures() : EmbedTexts();
    for (size_t i = 0; i + 1 < network_.blocks.size(); ++i) {
      FullBlock(network_.blocks[i], network_.blocks[i + 1].attention_norm);
    }
    LastBlock(network_.blocks.back());
    Multiply(b_.picked.get(), network_.projection, b_.embeddings.get(), shape_.items, {.float_y = true});
  }

 private:
  template <typename Parameters>
  void Start(const Parameters& parameters, const char* what) {
    Launch(parameters, network_.elements, stream_);
    Check(cudaGetLastError(), what);
  }

  void Multiply(const void* x, const Dense& dense, void* y, int rows, Form form = {}) {
    Product product = {x, dense.matrix, dense.bias, y, rows, dense.in, dense.out};
    product.gelu = form.gelu;
    product.float_y = form.float_y;
    products_->Multiply(product, {b_.workspace.get(), kWorkspaceBytes}, stream_);
  }

  void EmbedPictures() {
    int patches = shape_.items * own_.grid * own_.grid;
    Start(PatchRows{b_.pixels.get(), b_.hidden.get(), shape_.items, own_.size, own_.patch, own_.grid,
                    network_.patches.in, own_.pixel_scale},
          "cutting pictures into patches");
    Multiply(b_.hidden.get(), network_.patches, b_.branch.get(), patches);
    Start(cuda::EmbedPictures{b_.branch.get(), network_.positions, network_.pre_norm,
                              network_.blocks[0].attention_norm, b_.x.get(), b_.y.get(), shape_.items,
                              own_.tokens, own_.width, own_.epsilon},
          "embedding patches");
  }

  void EmbedTexts() {
    Start(EmbedTokens{network_.tokens, network_.positions, ids_, places_, network_.blocks[0].attention_norm,
                      b_.x.get(), b_.y.get(), shape_.tokens, own_.width, own_.epsilon},
          "embedding tokens");
  }

  // y holds the normed residual stream at the start, and again at the end, normed for the next block.
  void FullBlock(const Block& block, const Norm& next) {
    Multiply(b_.y.get(), block.attention_in, b_.qkv.get(), shape_.tokens);
    Attention attention = Attend(b_.qkv.get(), 3 * own_.width, 0);
    attention.queries = b_.qkv.get();
    attention.query_stride = 3 * own_.width;
    attention.out = b_.y.get();
    attention.causal = !own_.image;
    Start(attention, "attention");
    Multiply(b_.y.get(), block.attention_out, b_.branch.get(), shape_.tokens);
    Start(AddNorm{b_.x.get(), nullptr, b_.branch.get(), b_.x.get(), block.mlp_norm, b_.y.get(), shape_.tokens,
                  own_.width, own_.epsilon},
          "adding attention");
    Mlp(block, b_.y.get(), shape_.tokens);
    Start(AddNorm{b_.x.get(), nullptr, b_.branch.get(), b_.x.get(), next, b_.y.get(), shape_.tokens,
                  own_.width, own_.epsilon},
          "adding the MLP");
  }

  // Only the class token or a text's last one goes into the embedding: keys and values are needed of all
  // tokens, the rest of the block for these rows alone.
  void LastBlock(const Block& block) {
    Start(PickRows{b_.y.get(), last_, b_.picked.get(), shape_.items, own_.width}, "picking rows");
    Multiply(b_.picked.get(), network_.Part(block.attention_in, 0, own_.width), b_.query.get(), shape_.items);
    Multiply(b_.y.get(), network_.Part(block.attention_in, own_.width, 2 * own_.width), b_.qkv.get(),
             shape_.tokens);
    Attention attention = Attend(b_.qkv.get(), 2 * own_.width, -own_.width);
    attention.queries = b_.query.get();
    attention.query_stride = own_.width;
    attention.out = b_.picked.get();
    attention.pooled = true;
    Start(attention, "attention");
    Multiply(b_.picked.get(), block.attention_out, b_.branch.get(), shape_.items);
    Start(AddNorm{b_.x.get(), last_, b_.branch.get(), b_.pooled.get(), block.mlp_norm, b_.picked.get(),
                  shape_.items, own_.width, own_.epsilon},
          "adding attention");
    Mlp(block, b_.picked.get(), shape_.items);
    Start(AddNorm{b_.pooled.get(), nullptr, b_.branch.get(), nullptr, network_.post_norm, b_.picked.get(),
                  shape_.items, own_.width, own_.epsilon},
          "adding the MLP");
  }

  // Keys stand width columns behind where queries would, values twice that; shift moves both.
  Attention Attend(const uint8_t* rows, int stride, int shift) const {
    size_t each = ElementBytes(network_.elements);
    Attention attention = {};
    attention.keys = rows + static_cast<size_t>(own_.width + shift) * each;
    attention.values = rows + static_cast<size_t>(2 * own_.width + shift) * each;
    attention.key_stride = stride;
    attention.offsets = offsets_;
    attention.length = shape_.length;
    attention.items = shape_.items;
    attention.heads = own_.heads;
    attention.head_width = own_.head_width();
    return attention;
  }

  void Mlp(const Block& block, const uint8_t* x, int rows) {
    // In 16 bits the tanh form of GELU that a product can end with is as near to the exact one as the
    // rounding of the result. QuickGELU no product can end with.
    bool fused = !own_.quick_gelu && network_.elements != Elements::kFloat;
    Multiply(x, block.mlp_in, b_.hidden.get(), rows, {.gelu = fused});
    if (!fused) {
      Start(Activate{b_.hidden.get(), static_cast<int64_t>(rows) * block.mlp_in.out,
                     own_.quick_gelu ? Activation::kQuickGelu : Activation::kGelu},
            "the activation");
    }
    Multiply(b_.hidden.get(), block.mlp_out, b_.branch.get(), rows);
  }

  const Network& network_;
  const TowerShape& own_;
  Products* products_;
  const Buffers& b_;
  PassShape shape_;
  cudaStream_t stream_;
  const int32_t *ids_ = nullptr, *places_ = nullptr, *offsets_ = nullptr;
  const int32_t* last_ = nullptr;  // the rows that are embedded
};

}  // namespace

int Bucket(int count, int step) {
  while (step * 16 < count) step *= 2;
  return (count + step - 1) / step * step;
}

Buffers::Buffers(const Network& network, int items, int tokens) : items_(items), tokens_(tokens) {
  const TowerShape& shape = network.shape;
  size_t each = ElementBytes(network.elements), n = static_cast<size_t>(items),
         t = static_cast<size_t>(tokens);
  size_t width = static_cast<size_t>(shape.width),
         hidden_bytes = std::max(t, n) * static_cast<size_t>(network.blocks[0].mlp_in.out) * each;
  if (shape.image) {
    size_t side = static_cast<size_t>(shape.size), cells = static_cast<size_t>(shape.grid * shape.grid);
    pixels = AllocateDevice<uint8_t>(n * side * side * 3);
    integers = AllocateDevice<int32_t>(n);
    hidden_bytes = std::max(hidden_bytes, n * cells * static_cast<size_t>(network.patches.in) * each);
  } else {
    integers = AllocateDevice<int32_t>(2 * t + 2 * n + 1);
  }
  x = AllocateDevice<float>(t * width);
  y = AllocateDevice<uint8_t>(t * width * each);
  qkv = AllocateDevice<uint8_t>(3 * t * width * each);
  branch = AllocateDevice<uint8_t>(std::max(t, n) * width * each);
  hidden = AllocateDevice<uint8_t>(hidden_bytes);
  picked = AllocateDevice<uint8_t>(n * width * each);
  query = AllocateDevice<uint8_t>(n * width * each);
  pooled = AllocateDevice<float>(n * width);
  embeddings = AllocateDevice<float>(n * static_cast<size_t>(shape.dim));
  workspace = AllocateDevice<uint8_t>(kWorkspaceBytes);
}

void Forward(const Network& network, Products* products, const Buffers& buffers, const PassShape& shape,
             cudaStream_t stream) {
  Pass(network, products, buffers, shape, stream).Run();
}

}  // namespace clip::cuda
