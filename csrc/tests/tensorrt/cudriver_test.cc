#include "cudriver.h"

#include <gtest/gtest.h>

#include <fstream>
#include <type_traits>

#include "cuobjects.h"
#include "fake_driver.h"

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

namespace clip_test {
namespace {

using clip::cu::FindDevice;

template <typename Body>
std::string Fault(clip_status status, Body&& body) {
  char error[1024] = "";
  EXPECT_EQ(clip::AtEdge(error, sizeof(error), body), status) << error;
  return error;
}

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#if __has_include(<cuda.h>)
// Enumerations of cuda.h are plain integers in calls.h; all else must be the same.
template <typename T>
using Plain =
    typename std::conditional_t<std::is_enum_v<T>, std::type_identity<int>, std::type_identity<T>>::type;
template <typename T>
struct Shape;
template <typename R, typename... A>
struct Shape<R(A...)> {
  using type = Plain<R> (*)(Plain<A>...);
};
#define CLIP_CU_SAME(member, symbol, parameters) \
  static_assert(std::is_same_v<Shape<decltype(symbol)>::type, decltype(clip::cu::Driver::member)>, #symbol);
CLIP_CU_CALLS(CLIP_CU_SAME)
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == clip::cu::kAttributeMajor);
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == clip::cu::kAttributeMinor);
static_assert(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == clip::cu::kAttributeMultiprocessors);
static_assert(CU_STREAM_NON_BLOCKING == clip::cu::kStreamNonBlocking);
static_assert(CU_EVENT_BLOCKING_SYNC == clip::cu::kEventBlockingSync);
static_assert(CU_EVENT_DISABLE_TIMING == clip::cu::kEventDisableTiming);
static_assert(CU_MEMHOSTALLOC_PORTABLE == clip::cu::kMemHostPortable);
static_assert(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == clip::cu::kCaptureThreadLocal);
static_assert(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES == clip::cu::kFunctionMaxDynamicSharedMemory);
static_assert(CUDA_ERROR_OUT_OF_MEMORY == clip::cu::kOutOfMemory &&
              CUDA_ERROR_NO_DEVICE == clip::cu::kNoDevice);
static_assert(CUDA_ERROR_INVALID_DEVICE == clip::cu::kInvalidDevice);
static_assert(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH == clip::cu::kSystemDriverMismatch);
static_assert(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED == clip::cu::kCaptureUnsupported);
static_assert(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED == clip::cu::kCaptureInvalidated);
#endif

TEST(OpenDriver, SaysWhatIsMissing) {
  std::string text = Fault(CLIP_UNAVAILABLE, [] { clip::cu::OpenDriver("libcuda_of_nobody.so.1"); });
  EXPECT_TRUE(Has(text, "no NVIDIA driver")) << text;
  EXPECT_TRUE(Has(text, "libcuda_of_nobody.so.1")) << text;
  text = Fault(CLIP_UNAVAILABLE, [] { clip::cu::OpenDriver("libm.so.6"); });
  EXPECT_TRUE(Has(text, "has no cuInit")) << text;
}

TEST(FindDevice, TakesAnOrdinalOrAPciAddress) {
  FakeDriver fake;
  fake.gpus = {{"NVIDIA H200", "0000:65:00.0", 9, 0, size_t{140} << 30},
               {"Tesla T4", "0000:B3:00.0", 7, 5, size_t{15} << 30}};
  auto& driver = fake.table();
  EXPECT_EQ(FindDevice(driver, "cuda").ordinal, 0);
  EXPECT_EQ(FindDevice(driver, "cuda:0").name, "NVIDIA H200");
  EXPECT_EQ(FindDevice(driver, "cuda:1").name, "Tesla T4");
  EXPECT_EQ(FindDevice(driver, "cuda:0000:B3:00.0").ordinal, 1);
  for (const char* wrong : {"cuda:2", "cuda:-1", "cuda:", "cpu", "cuda:0000:00:00.0", "cuda:1x", "gpu:0"}) {
    std::string text = Fault(CLIP_UNAVAILABLE, [&] { FindDevice(driver, wrong); });
    EXPECT_TRUE(Has(text, std::string("\"") + wrong + "\"")) << text;
    EXPECT_TRUE(Has(text, "cuda:1 Tesla T4 (0000:B3:00.0)")) << text;
  }
  auto devices = Devices(driver);
  EXPECT_EQ(DeviceLine(devices[0]), "cuda:0 NVIDIA H200, 140 GiB, compute capability 9.0, fp32 bf16 fp16");
  EXPECT_EQ(DeviceLine(devices[1]), "cuda:1 Tesla T4, 15 GiB, compute capability 7.5, fp32 fp16");
  fake.gpus.clear();
  EXPECT_TRUE(Has(Fault(CLIP_UNAVAILABLE, [&] { FindDevice(driver, "cuda"); }), "no GPU"));
}

TEST(Owned, GivesBackWhatItHolds) {
  FakeDriver fake;
  auto& driver = fake.table();
  {
    auto primary = clip::cu::Primary::Retain(driver, FindDevice(driver, "cuda"));
    clip::cu::Current current(*primary);
    auto stream = clip::cu::NewStream(driver);
    auto memory = clip::cu::NewDeviceMemory(driver, 64);
    memory = clip::cu::NewDeviceMemory(driver, 128);  // the first goes
    auto moved = std::move(memory);
    EXPECT_FALSE(memory);
    EXPECT_FALSE(clip::cu::NewHostMemory(driver, 0));
    EXPECT_EQ(fake.live["MemAlloc"], 1);
    EXPECT_EQ(fake.current, 1);
  }
  EXPECT_EQ(fake.Leaks(), "");
}

TEST(Check, TurnsResultsIntoKinds) {
  FakeDriver fake;
  auto& driver = fake.table();
  auto primary = clip::cu::Primary::Retain(driver, FindDevice(driver, "cuda"));
  clip::cu::Current current(*primary);
  fake.FailCall("MemAlloc", 1, clip::cu::kOutOfMemory);
  EXPECT_EQ(Fault(CLIP_OUT_OF_MEMORY, [&] { clip::cu::NewDeviceMemory(driver, 4096); }),
            "cannot get 4096 bytes of GPU memory: out of memory (CUDA_ERROR_OUT_OF_MEMORY)");
  fake.FailCall("StreamCreate", 1, 999);
  EXPECT_TRUE(Has(Fault(CLIP_INTERNAL, [&] { clip::cu::NewStream(driver); }), "fake failure"));
}

}  // namespace
}  // namespace clip_test
