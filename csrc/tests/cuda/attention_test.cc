// Attention against the plain formula in double, for pictures, packed texts and pooled rows.
#include <algorithm>

#include "device_test.h"

namespace clip_test {
namespace {

using clip::cuda::Attention;

class AttentionTest : public OnDevice {
 protected:
  struct Case {
    std::vector<int> lengths;
    int heads, head_width;
    bool causal, pooled, packed;
  };

  void Check(const Case& c) {
    SCOPED_TRACE("head of " + std::to_string(c.head_width) + ", first length " +
                 std::to_string(c.lengths[0]) + (c.causal ? ", causal" : "") + (c.pooled ? ", pooled" : "") +
                 (c.packed ? ", packed" : ""));
    std::vector<int32_t> offsets = {0};
    for (int length : c.lengths) offsets.push_back(offsets.back() + length);
    size_t width = static_cast<size_t>(c.heads * c.head_width), stride = 3 * width,
           rows = static_cast<size_t>(offsets.back());
    size_t items = c.lengths.size(), out_rows = c.pooled ? items : rows;
    // Rows beyond the last item are there, and are NaN: nobody may look at them.
    auto values = Random((rows + 70) * stride, 0.7f, static_cast<unsigned>(c.head_width));
    std::fill(values.begin() + static_cast<long>(rows * stride), values.end(), NAN);
    auto memory = Upload(values), out = Room(out_rows * width);
    auto offsets_memory = Copy(offsets);
    size_t each = clip::cuda::ElementBytes(GetParam());
    Attention attention = {};
    attention.queries = memory.get();
    attention.keys = memory.get() + width * each;
    attention.values = memory.get() + 2 * width * each;
    attention.query_stride = attention.key_stride = static_cast<int>(stride);
    attention.out = out.get();
    attention.offsets = c.packed ? offsets_memory.get() : nullptr;
    attention.length = *std::max_element(c.lengths.begin(), c.lengths.end());
    attention.items = static_cast<int>(items);
    attention.heads = c.heads;
    attention.head_width = c.head_width;
    attention.causal = c.causal;
    attention.pooled = c.pooled;
    Start(attention);
    std::vector<float> want(out_rows * width, NAN);
    for (size_t item = 0; item < items; ++item) {
      size_t first = static_cast<size_t>(offsets[item]), length = static_cast<size_t>(c.lengths[item]);
      for (size_t q = 0; q < (c.pooled ? std::min<size_t>(length, 1) : length); ++q) {
        size_t query_row = c.pooled ? item : first + q, seen = c.causal ? q + 1 : length;
        for (size_t head = 0; head < static_cast<size_t>(c.heads); ++head) {
          Reference(values, query_row, first, seen, width, head * static_cast<size_t>(c.head_width),
                    static_cast<size_t>(c.head_width), &want[query_row * width]);
        }
      }
    }
    auto got = DownloadElements(out.get(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      if (std::isnan(want[i])) {
        ASSERT_TRUE(std::isnan(got[i])) << "row " << i / width << " of an empty item was written";
        want[i] = got[i] = 0;
      }
    }
    ExpectNear(got, want, Tolerance());
  }

  static void Reference(const std::vector<float>& values, size_t query, size_t first, size_t seen,
                        size_t width, size_t column, size_t columns, float* out) {
    std::vector<double> weights(seen);
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < seen; ++k) {
      for (size_t c = 0; c < columns; ++c) {
        weights[k] += double{values[query * 3 * width + column + c]} *
                      values[(first + k) * 3 * width + width + column + c];
      }
      most = std::max(most, weights[k]);
    }
    for (double& weight : weights) sum += weight = std::exp(weight - most);
    for (size_t c = 0; c < columns; ++c) {
      double value = 0;
      for (size_t k = 0; k < seen; ++k)
        value += weights[k] / sum * values[(first + k) * 3 * width + 2 * width + column + c];
      out[column + c] = static_cast<float>(value);
    }
  }
};

TEST_P(AttentionTest, OfPictures) {
  Check({{50, 50}, 2, 64, false, false, false});  // ViT-B/32: one tile of keys
  Check({{197}, 1, 64, false, false, false});     // ViT-B/16: several, the last one cut
  Check({{65, 65}, 1, 80, false, false, false});  // ViT-H/14's heads; one key in the last tile
  Check({{64}, 2, 104, false, false, false});     // ViT-bigG/14's, a full tile
  Check({{1}, 1, 8, false, false, false});
}

TEST_P(AttentionTest, OfPackedTexts) {
  Check({{12, 3, 77, 1, 16, 17, 33}, 2, 64, true, false, true});
  Check({{5, 9, 16}, 3, 64, true, false, true});   // a warp a text
  Check({{20, 32, 2}, 1, 32, true, false, true});  // two warps
  Check({{7, 0, 0, 9, 0}, 1, 64, true, false, true});
  Check({{130, 64}, 1, 88, true, false, true});  // longer than a block's queries
}

TEST_P(AttentionTest, OfPooledRows) {
  Check({{50, 50, 50}, 2, 64, false, true, false});
  Check({{12, 3, 77, 1}, 2, 64, false, true, true});
  Check({{12, 0, 7}, 1, 40, false, true, true});
  Check({{257}, 1, 128, false, true, false});
}

// A score that is far above the others, also where it comes last, must not overflow or lose the others'
// weights.
TEST_P(AttentionTest, OfLargeScores) {
  constexpr size_t kLength = 90, kWidth = 64;
  for (size_t loud : {size_t{0}, size_t{70}, kLength - 1}) {
    std::vector<float> values(kLength * 3 * kWidth, 0.0f);
    for (size_t row = 0; row < kLength; ++row) {
      values[row * 3 * kWidth] = 16;                                     // query
      values[row * 3 * kWidth + kWidth] = row == loud ? 16.0f : -16.0f;  // key
      values[row * 3 * kWidth + 2 * kWidth] = static_cast<float>(row);   // value
    }
    auto memory = Upload(values), out = Room(kLength * kWidth);
    size_t each = clip::cuda::ElementBytes(GetParam());
    Attention attention = {memory.get(),
                           memory.get() + kWidth * each,
                           memory.get() + 2 * kWidth * each,
                           3 * kWidth,
                           3 * kWidth,
                           out.get(),
                           nullptr,
                           kLength,
                           1,
                           1,
                           kWidth,
                           false,
                           false};
    Start(attention);
    auto got = DownloadElements(out.get(), kLength * kWidth);
    for (size_t row = 0; row < kLength; ++row) EXPECT_EQ(got[row * kWidth], static_cast<float>(loud)) << row;
  }
}

FOR_ALL_ELEMENTS(AttentionTest);

}  // namespace
}  // namespace clip_test
