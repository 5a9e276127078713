// Pictures a second from 640x480 JPEG bytes in memory to pixels in device memory, without a tower.
//   cuda_preprocess_speed [PICTURES A BATCH = 256] [LANES = 2] [THREADS OF A LANE = 8] [SECONDS = 5]
#include <cuda_runtime.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

#include "pictures.h"
#include "preprocess.h"

namespace {

using clip::pictures::GpuPreprocessor;
using Clock = std::chrono::steady_clock;

void RunLane(const clip::pictures::NvJpeg& nvjpeg, const std::vector<clip_picture>& pictures, int threads,
             Clock::time_point end, std::atomic<uint64_t>* done, std::atomic<uint64_t>* left_behind,
             bool describe) {
  auto device = clip::pictures::OpenPreprocessDevice(0);
  auto* memory = device.get();
  clip::pictures::PreprocessOptions options;
  options.threads = threads;
  GpuPreprocessor preprocessor(options, std::move(device), nvjpeg);
  if (describe) std::printf("%s a lane\n", preprocessor.Describe().c_str());
  clip::pictures::Stream stream = memory->CreateStream();
  auto* pixels = static_cast<uint8_t*>(memory->Allocate(pictures.size() * 224 * 224 * 3));
  std::vector<clip::pictures::Left> left(pictures.size());
  while (Clock::now() < end) {
    preprocessor.Run(pictures.data(), pictures.size(), pixels, stream, left.data());
    *done += pictures.size();
  }
  memory->Drain(stream);
  *left_behind += preprocessor.counts().left;
  memory->Free(pixels);
  memory->DestroyStream(stream);
}

int Argument(int argc, char** argv, int index, int otherwise) {
  return argc > index ? std::atoi(argv[index]) : otherwise;
}

}  // namespace

int main(int argc, char** argv) try {
  const int batch = Argument(argc, argv, 1, 256), lanes = Argument(argc, argv, 2, 2);
  const int threads = Argument(argc, argv, 3, 8), seconds = Argument(argc, argv, 4, 5);
  std::string why;
  const clip::pictures::NvJpeg* nvjpeg = clip::pictures::OpenNvJpeg(CLIP_NVJPEG, &why);
  if (nvjpeg == nullptr) throw std::runtime_error(why);
  std::vector<std::vector<uint8_t>> files;
  for (int i = 0; i < 16; ++i) {
    files.push_back(
        clip_image::MakeJpeg({.width = 640, .height = 480, .seed = static_cast<uint32_t>(i + 1)}));
  }
  std::vector<clip_picture> pictures;
  for (int i = 0; i < batch; ++i) {
    const auto& file = files[static_cast<size_t>(i) % files.size()];
    pictures.push_back({file.data(), file.size(), 0, 0});
  }
  std::printf("JPEGs of 640×480 4:2:0, %zu kB each; %d a batch, %d lanes\n", files[0].size() / 1000, batch,
              lanes);
  std::atomic<uint64_t> done = 0, left = 0;
  const auto start = Clock::now();
  std::vector<std::thread> all;
  for (int i = 0; i < lanes; ++i) {
    all.emplace_back([&, i] {
      try {
        RunLane(*nvjpeg, pictures, threads, start + std::chrono::seconds(seconds), &done, &left, i == 0);
      } catch (const std::exception& failure) {
        std::fprintf(stderr, "cuda_preprocess_speed: %s\n", failure.what());
        std::exit(1);
      }
    });
  }
  for (std::thread& lane : all) lane.join();
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("%.0f pictures/s, %lu of %lu left to the processor\n",
              static_cast<double>(done - left) / elapsed, left.load(), done.load());
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cuda_preprocess_speed: %s\n", failure.what());
  return 1;
}
