// Texts as the kernels want them, out of any layout of lines that the C ABI allows: tokens of all texts one
// after the other, without padding.
#ifndef CLIP_CUDA_TEXTS_H_
#define CLIP_CUDA_TEXTS_H_

#include <cstdint>
#include <vector>

#include "forward.h"
#include "plugin.h"

namespace clip::cuda {

// A text's tokens up to the one that is embedded; what follows it no one sees.
struct TextSpan {
  int64_t first = 0;  // index in ids
  int length = 0;
};

// Finds every text of a batch and checks its ids and positions. Rows at the end that repeat the last text,
// which fill a batch up to a size that other runtimes know, are left out: its embedding is theirs. Throws
// Error with CLIP_INVALID_ARGUMENT.
std::vector<TextSpan> FindTexts(const Batch& batch, const TowerShape& shape);

// Texts [begin, end) of a batch that are run together.
struct TextPass {
  size_t begin = 0, end = 0;
  int tokens = 0, longest = 0;
};

// Divides the texts, in their order, into passes of at most so many texts and tokens. A single text always
// fits.
std::vector<TextPass> DivideTexts(const std::vector<TextSpan>& texts, int most_texts, int most_tokens);

// The shape that serves a pass.
PassShape ShapeOf(const TextPass& pass);

// How many integers a pass of this shape has on the device (see Buffers).
size_t IntegerCount(const PassShape& shape);

// Writes them. What is beyond the texts of the pass is token 0 of no text, and texts without tokens.
void WriteIntegers(const Batch& batch, const std::vector<TextSpan>& texts, const TextPass& pass,
                   const PassShape& shape, int32_t* to);

}  // namespace clip::cuda

#endif  // CLIP_CUDA_TEXTS_H_
