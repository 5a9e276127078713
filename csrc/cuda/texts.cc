#include "texts.h"

#include <algorithm>
#include <cstring>

namespace clip::cuda {
namespace {

constexpr int kTextStep = 8, kTokenStep = 16;

const int32_t* Input(const Batch& batch, size_t i) {
  return static_cast<const int32_t*>(batch.inputs[i].data);
}

}  // namespace

std::vector<TextSpan> FindTexts(const Batch& batch, const TowerShape& shape) {
  const int32_t *ids = Input(batch, 0), *positions = Input(batch, 1), *segments = Input(batch, 2),
                *ends = Input(batch, 3);
  int64_t width = batch.inputs[0].shape[1];
  size_t rows = batch.rows;
  while (rows > 1 && ends[rows - 1] == ends[rows - 2]) --rows;
  std::vector<TextSpan> texts(rows);
  for (size_t text = 0; text < texts.size(); ++text) {
    int64_t end = ends[text], place = positions[end];
    if (place < 0 || place >= shape.context) {
      Fail(CLIP_INVALID_ARGUMENT, "text ", text, " of a batch of ", Describe(batch), " has ", place + 1,
           " tokens; the model has positions for ", shape.context);
    }
    if (place > end % width) {
      Fail(CLIP_INVALID_ARGUMENT, "text ", text, " ends at place ", end % width,
           " of its line, where its position is ", place, "; a text lies in one line, without gaps");
    }
    texts[text] = {end - place, static_cast<int>(place) + 1};
    for (int64_t i = end - place; i <= end; ++i) {
      if (ids[i] < 0 || ids[i] >= shape.vocabulary) {
        Fail(CLIP_INVALID_ARGUMENT, "text ", text, " has the token ", ids[i], "; the model's are 0 to ",
             shape.vocabulary - 1);
      }
      if (segments[i] != segments[end] || segments[i] < 0 || positions[i] != i - (end - place)) {
        Fail(CLIP_INVALID_ARGUMENT, "token ", i, " has the position ", positions[i], " in segment ",
             segments[i], "; as part of text ", text, " (segment ", segments[end],
             ") it would have position ", i - (end - place));
      }
    }
  }
  return texts;
}

std::vector<TextPass> DivideTexts(const std::vector<TextSpan>& texts, int most_texts, int most_tokens) {
  std::vector<TextPass> passes;
  for (size_t i = 0; i < texts.size(); ++i) {
    int length = texts[i].length;
    bool full = passes.empty() ||
                passes.back().end - passes.back().begin >= static_cast<size_t>(most_texts) ||
                passes.back().tokens + length > most_tokens;
    if (full) passes.push_back({i, i, 0, 0});
    TextPass& pass = passes.back();
    pass.end = i + 1;
    pass.tokens += length;
    pass.longest = std::max(pass.longest, length);
  }
  return passes;
}

PassShape ShapeOf(const TextPass& pass) {
  PassShape shape;
  shape.items = Bucket(static_cast<int>(pass.end - pass.begin), kTextStep);
  shape.tokens = Bucket(pass.tokens, kTokenStep);
  // The length only says how many warps attend: one for each 16 queries, four at most in a block.
  for (shape.length = 16; shape.length < pass.longest;) shape.length *= 2;
  return shape;
}

size_t IntegerCount(const PassShape& shape) {
  return 2 * static_cast<size_t>(shape.tokens) + 2 * static_cast<size_t>(shape.items) + 1;
}

void WriteIntegers(const Batch& batch, const std::vector<TextSpan>& texts, const TextPass& pass,
                   const PassShape& shape, int32_t* to) {
  int32_t *ids = to, *places = ids + shape.tokens, *offsets = places + shape.tokens,
          *ends = offsets + shape.items + 1;
  int32_t used = 0;
  for (size_t i = pass.begin; i < pass.end; ++i) {
    const TextSpan& text = texts[i];
    std::memcpy(ids + used, Input(batch, 0) + text.first, static_cast<size_t>(text.length) * sizeof(int32_t));
    for (int32_t place = 0; place < text.length; ++place) places[used + place] = place;
    *offsets++ = used;
    used += text.length;
    *ends++ = used - 1;
  }
  std::fill(ids + used, ids + shape.tokens, 0);
  std::fill(places + used, places + shape.tokens, 0);
  std::fill(offsets, to + 2 * shape.tokens + shape.items + 1, used);
  std::fill(ends, to + IntegerCount(shape), used - 1);
}

}  // namespace clip::cuda
