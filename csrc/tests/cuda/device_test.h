// What the tests of kernels share. They run twice: on the processor (emulation.h) and, where there is one, on
// a GPU.
#ifndef CLIP_TESTS_CUDA_DEVICE_TEST_H_
#define CLIP_TESTS_CUDA_DEVICE_TEST_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels.h"
#include "network.h"
#include "owners.h"

namespace clip_test {

using clip::cuda::Elements;

// A test that needs a device and elements that it has.
class OnDevice : public testing::TestWithParam<Elements> {
 protected:
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
      GTEST_SKIP() << "there is no GPU on this machine";
    }
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    cudaDeviceProp properties;
    ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    if (GetParam() == Elements::kBfloat16 && properties.major < 8) GTEST_SKIP() << "this GPU has no bfloat16";
    stream_ = clip::cuda::NewStream();
  }

  // How far a result of this size may be off by the rounding of the elements.
  float Tolerance() const {
    return GetParam() == Elements::kFloat ? 2e-5f : GetParam() == Elements::kHalf ? 2e-3f : 1.6e-2f;
  }

  float Rounded(float value) const {
    if (GetParam() == Elements::kBfloat16) return __bfloat162float(__float2bfloat16_rn(value));
    return GetParam() == Elements::kHalf ? __half2float(__float2half_rn(value)) : value;
  }

  // Numbers around 0 that the elements hold exactly. The same seed gives the same numbers.
  std::vector<float> Random(size_t count, float scale, unsigned seed) const {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> values(count);
    for (float& value : values) value = Rounded(normal(engine));
    return values;
  }

  clip::cuda::DeviceMemory<uint8_t> Upload(const std::vector<float>& values) const {
    size_t each = clip::cuda::ElementBytes(GetParam());
    std::vector<uint8_t> raw(values.size() * each);
    for (size_t i = 0; i < values.size(); ++i) {
      if (GetParam() == Elements::kFloat) {
        std::memcpy(&raw[i * each], &values[i], each);
      } else if (GetParam() == Elements::kBfloat16) {
        __nv_bfloat16 value = __float2bfloat16_rn(values[i]);
        std::memcpy(&raw[i * each], &value, each);
      } else {
        __half value = __float2half_rn(values[i]);
        std::memcpy(&raw[i * each], &value, each);
      }
    }
    return Copy(raw);
  }

  template <typename T>
  static clip::cuda::DeviceMemory<T> Copy(const std::vector<T>& values) {
    auto memory = clip::cuda::AllocateDevice<T>(values.size());
    clip::cuda::CopyToDevice(memory.get(), values.data(), values.size() * sizeof(T),
                             "copying a test's numbers");
    return memory;
  }

  // Room for elements that begins as NaN, so that what is not written is seen.
  clip::cuda::DeviceMemory<uint8_t> Room(size_t count) const {
    return Copy(std::vector<uint8_t>(count * clip::cuda::ElementBytes(GetParam()), 0xFF));
  }

  template <typename T>
  std::vector<T> Download(const T* memory, size_t count) {
    EXPECT_EQ(cudaStreamSynchronize(stream_.get()), cudaSuccess);
    std::vector<T> values(count);
    EXPECT_EQ(cudaMemcpy(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

  std::vector<float> DownloadElements(const uint8_t* memory, size_t count) {
    size_t each = clip::cuda::ElementBytes(GetParam());
    std::vector<uint8_t> raw = Download(memory, count * each);
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
      if (GetParam() == Elements::kFloat) {
        std::memcpy(&values[i], &raw[i * each], each);
        continue;
      }
      uint16_t bits;
      std::memcpy(&bits, &raw[i * each], each);
      values[i] = GetParam() == Elements::kBfloat16 ? __bfloat162float(__ushort_as_bfloat16(bits))
                                                    : __half2float(__ushort_as_half(bits));
    }
    return values;
  }

  template <typename Parameters>
  void Start(const Parameters& parameters) {
    Launch(parameters, GetParam(), stream_.get());
    ASSERT_EQ(cudaGetLastError(), cudaSuccess);
  }

  void ExpectNear(const std::vector<float>& got, const std::vector<float>& want, float tolerance) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      // Not EXPECT_NEAR, to which NaN is near nothing but which would print every element.
      if (!(std::fabs(got[i] - want[i]) <= tolerance * (1 + std::fabs(want[i])))) {
        FAIL() << "element " << i << " is " << got[i] << ", not " << want[i];
      }
    }
  }

  clip::cuda::Stream stream_;
};

inline std::string ElementsName(const testing::TestParamInfo<Elements>& info) {
  return info.param == Elements::kFloat ? "fp32" : info.param == Elements::kHalf ? "fp16" : "bf16";
}

#define FOR_ALL_ELEMENTS(Suite) \
  INSTANTIATE_TEST_SUITE_P(     \
      All, Suite, testing::Values(Elements::kFloat, Elements::kBfloat16, Elements::kHalf), ElementsName)

}  // namespace clip_test

#endif  // CLIP_TESTS_CUDA_DEVICE_TEST_H_
