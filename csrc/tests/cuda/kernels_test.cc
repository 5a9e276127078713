// Layer norms, embeddings, patches, activations and products against plain references in double.
#include "device_test.h"
#include "products.h"

namespace clip_test {
namespace {

using namespace clip::cuda;

class Kernels : public OnDevice {
 protected:
  static constexpr float kEpsilon = 1e-5f;

  // Of one row.
  static std::vector<float> Normed(const std::vector<double>& row, const std::vector<float>& scale,
                                   const std::vector<float>& shift) {
    double mean = 0, variance = 0;
    for (double value : row) mean += value / static_cast<double>(row.size());
    for (double value : row) variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
    std::vector<float> normed;
    for (size_t i = 0; i < row.size(); ++i) {
      normed.push_back(
          static_cast<float>((row[i] - mean) / std::sqrt(variance + kEpsilon) * scale[i] + shift[i]));
    }
    return normed;
  }
};

TEST_P(Kernels, AddNormSumsBranchesAndNorms) {
  // A width of less than a warp's columns, one that is not a multiple of them, a large one.
  for (int width : {64, 208, 1664}) {
    constexpr int kRows = 5;
    size_t count = static_cast<size_t>(kRows * width);
    auto x = Random(count, 3, 1), branch = Random(count, 1, 2),
         scale = Random(static_cast<size_t>(width), 1, 3), shift = Random(static_cast<size_t>(width), 1, 4);
    for (float& value : x) value += 40;  // a mean that is large beside the deviation
    std::vector<int32_t> picked = {4, 0, 2, 2, 1};
    auto x_memory = Copy(x), scale_memory = Copy(scale), shift_memory = Copy(shift),
         to = Copy(std::vector<float>(count, NAN));
    auto branch_memory = Upload(branch), y = Room(count);
    auto picked_memory = Copy(picked);
    Start(AddNorm{x_memory.get(),
                  picked_memory.get(),
                  branch_memory.get(),
                  to.get(),
                  {scale_memory.get(), shift_memory.get()},
                  y.get(),
                  kRows,
                  width,
                  kEpsilon});
    std::vector<float> sums, want;
    for (size_t row = 0; row < kRows; ++row) {
      std::vector<double> sum;
      for (size_t i = 0; i < static_cast<size_t>(width); ++i) {
        sum.push_back(double{x[static_cast<size_t>(picked[row]) * static_cast<size_t>(width) + i]} +
                      branch[row * static_cast<size_t>(width) + i]);
        sums.push_back(static_cast<float>(sum.back()));
      }
      auto normed = Normed(sum, scale, shift);
      want.insert(want.end(), normed.begin(), normed.end());
    }
    ExpectNear(Download(to.get(), count), sums, 1e-6f);
    ExpectNear(DownloadElements(y.get(), count), want, Tolerance());
  }
}

TEST_P(Kernels, PatchesAreBytesInTheOrderOfTheWeights) {
  struct Case {
    int size, patch, columns;
  };
  // 8 bytes at a time; byte by byte with columns to fill; a picture whose edge no patch reaches.
  for (Case c : {Case{64, 32, 3072}, Case{28, 14, 592}, Case{30, 14, 592}, Case{12, 4, 48}}) {
    constexpr int kPictures = 2;
    int grid = c.size / c.patch;
    std::vector<uint8_t> pixels(static_cast<size_t>(kPictures * c.size * c.size * 3));
    std::mt19937 engine(7);
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(engine());
    auto memory = Copy(pixels);
    size_t rows = static_cast<size_t>(kPictures * grid * grid), columns = static_cast<size_t>(c.columns);
    auto got = Room(rows * columns);
    Start(PatchRows{memory.get(), got.get(), kPictures, c.size, c.patch, grid, c.columns, 1.0f / 256});
    std::vector<float> want;
    for (int n = 0; n < kPictures; ++n) {
      for (int cell = 0; cell < grid * grid; ++cell) {
        for (int y = 0; y < c.patch; ++y) {
          for (int x = 0; x < c.patch * 3; ++x) {
            int line = cell / grid * c.patch + y, byte = cell % grid * c.patch * 3 + x;
            want.push_back(pixels[static_cast<size_t>((n * c.size + line) * c.size * 3 + byte)] / 256.0f);
          }
        }
        want.resize(want.size() + columns - static_cast<size_t>(c.patch * c.patch * 3), 0);
      }
    }
    ExpectNear(DownloadElements(got.get(), rows * columns), want, 0);
  }
}

TEST_P(Kernels, EmbedsTokensAndPictures) {
  constexpr int kWidth = 64, kTokens = 3, kPictures = 2;
  size_t width = kWidth, rows = kTokens * kPictures;
  auto scale = Random(width, 1, 1), shift = Random(width, 1, 2), positions = Random(kTokens * width, 1, 3),
       patches = Random(kPictures * (kTokens - 1) * width, 1, 4);
  auto scale_memory = Copy(scale), shift_memory = Copy(shift), positions_memory = Copy(positions);
  auto patches_memory = Upload(patches), y = Room(rows * width);
  auto x = Copy(std::vector<float>(rows * width, NAN));
  Norm norm = {scale_memory.get(), shift_memory.get()};
  for (bool pre : {false, true}) {
    Start(EmbedPictures{patches_memory.get(), positions_memory.get(), pre ? norm : Norm{}, norm, x.get(),
                        y.get(), kPictures, kTokens, kWidth, kEpsilon});
    std::vector<float> want_x, want_y;
    for (size_t row = 0; row < rows; ++row) {
      size_t picture = row / kTokens, token = row % kTokens;
      std::vector<double> sum(width);
      for (size_t i = 0; i < width; ++i) {
        sum[i] = positions[token * width + i];
        if (token > 0) sum[i] += patches[(picture * (kTokens - 1) + token - 1) * width + i];
      }
      if (pre) {
        auto normed = Normed(sum, scale, shift);
        sum.assign(normed.begin(), normed.end());
      }
      want_x.insert(want_x.end(), sum.begin(), sum.end());
      auto normed = Normed(sum, scale, shift);
      want_y.insert(want_y.end(), normed.begin(), normed.end());
    }
    ExpectNear(Download(x.get(), rows * width), want_x, 1e-5f);
    ExpectNear(DownloadElements(y.get(), rows * width), want_y, Tolerance());
  }
  // The patches as a table of tokens.
  auto ids = Copy(std::vector<int32_t>{3, 0, 3}), places = Copy(std::vector<int32_t>{0, 1, 2});
  Start(EmbedTokens{patches_memory.get(), positions_memory.get(), ids.get(), places.get(), norm, x.get(),
                    y.get(), 3, kWidth, kEpsilon});
  std::vector<float> want;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < width; ++i)
      want.push_back(patches[(row == 1 ? 0 : 3) * width + i] + positions[row * width + i]);
  }
  ExpectNear(Download(x.get(), 3 * width), want, 1e-6f);
}

TEST_P(Kernels, ActivationsAndPickedRows) {
  std::vector<float> values;
  for (int i = -400; i < 400; ++i) values.push_back(Rounded(static_cast<float>(i) / 40));
  for (Activation activation : {Activation::kGelu, Activation::kQuickGelu}) {
    auto memory = Upload(values);
    Start(Activate{memory.get(), static_cast<int64_t>(values.size()), activation});
    std::vector<float> want;
    for (double x : values) {
      want.push_back(static_cast<float>(activation == Activation::kGelu
                                            ? x * 0.5 * std::erfc(-x / std::sqrt(2.0))
                                            : x / (1 + std::exp(-1.702 * x))));
    }
    ExpectNear(DownloadElements(memory.get(), values.size()), want, Tolerance());
  }
  auto from = Upload(values), to = Room(3 * 16);
  auto picked = Copy(std::vector<int32_t>{49, 0, 7});
  Start(PickRows{from.get(), picked.get(), to.get(), 3, 16});
  std::vector<float> want;
  for (size_t row : {49, 0, 7})
    want.insert(want.end(), values.begin() + static_cast<long>(row * 16),
                values.begin() + static_cast<long>(row * 16 + 16));
  ExpectNear(DownloadElements(to.get(), want.size()), want, 0);
}

// y = x matrix^T + bias, as the library computes it out of how it is told of the matrices.
TEST_P(Kernels, ProductsMultiplyRowsByTransposedMatrices) {
  constexpr int kRows = 9, kIn = 48, kOut = 40;
  auto x = Random(kRows * kIn, 1, 1), matrix = Random(kOut * kIn, 0.2f, 2), bias = Random(kOut, 1, 3);
  auto x_memory = Upload(x), matrix_memory = Upload(matrix), bias_memory = Upload(bias),
       y = Room(kRows * kOut);
  auto floats = Copy(std::vector<float>(kRows * kOut, NAN));
  auto workspace = AllocateDevice<uint8_t>(kWorkspaceBytes);
  std::string path = testing::TempDir() + "/products_" + ElementsName({GetParam(), 0}) + ".txt";
  remove(path.c_str());
  std::vector<float> with_bias, without, gelu;
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t o = 0; o < kOut; ++o) {
      double sum = 0;
      for (size_t i = 0; i < kIn; ++i) sum += double{x[r * kIn + i]} * matrix[o * kIn + i];
      without.push_back(static_cast<float>(sum));
      sum += bias[o];
      with_bias.push_back(static_cast<float>(sum));
      gelu.push_back(static_cast<float>(sum * 0.5 * std::erfc(-sum / std::sqrt(2.0))));
    }
  }
  for (int time = 0; time < 2; ++time) {
    Products products(GetParam(), path);
    EXPECT_EQ(products.all_known(), time == 1);
    Product product = {x_memory.get(), matrix_memory.get(), bias_memory.get(), y.get(), kRows, kIn, kOut};
    products.Multiply(product, {workspace.get(), kWorkspaceBytes}, stream_.get());
    ExpectNear(DownloadElements(y.get(), with_bias.size()), with_bias, Tolerance());
    product.bias = nullptr;
    product.y = floats.get();
    product.float_y = true;
    products.Multiply(product, {workspace.get(), kWorkspaceBytes}, stream_.get());
    ExpectNear(Download(floats.get(), without.size()), without, 2e-5f);
    if (GetParam() != Elements::kFloat) {
      // The tanh form lies within 5e-4 of GELU.
      product = {x_memory.get(), matrix_memory.get(), bias_memory.get(), y.get(), kRows, kIn, kOut, true};
      products.Multiply(product, {workspace.get(), kWorkspaceBytes}, stream_.get());
      ExpectNear(DownloadElements(y.get(), gelu.size()), gelu, Tolerance() + 5e-4f);
    }
    EXPECT_EQ(products.all_known(), time == 1);
  }
  remove(path.c_str());
}

FOR_ALL_ELEMENTS(Kernels);

}  // namespace
}  // namespace clip_test
