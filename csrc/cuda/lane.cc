#include "lane.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace clip::cuda {
namespace {

// Tokens of a pass at most: enough to fill any GPU, and a bound of the memory (ViT-L/14 takes 0.7 GB for
// these). Larger batches run in several passes.
constexpr int kPassTokens = 1 << 15;
constexpr int kPassTexts = 1 << 13;

// A graph of ViT-B/32 takes about 0.5 MB.
constexpr size_t kMostGraphs = 64;

size_t GraphLimit() {
  const char* wanted = getenv("CLIPD_CUDA_GRAPHS");  // 0 turns them off, to look for a fault
  return wanted != nullptr && std::string(wanted) == "0" ? 0 : kMostGraphs;
}

// Pixels are copied in pieces, so that one is on its way to the GPU while the next is copied to pinned
// memory.
constexpr size_t kPiece = 2 << 20;

// A short batch is done before a thread that went to sleep would be awake again.
constexpr std::chrono::microseconds kSpin(500);

}  // namespace

CudaLane::CudaLane(const Network& network, Products* products, int device, uint32_t max_rows,
                   uint32_t max_length)
    : network_(network), products_(products), device_(device), graphs_(GraphLimit()) {
  Check(cudaSetDevice(device_), "choosing the GPU");
  stream_ = NewStream();
  done_ = NewEvent(cudaEventDisableTiming | cudaEventBlockingSync);
  WarmUp(max_rows, max_length);
}

CudaLane::~CudaLane() {
  cudaSetDevice(device_);
  cudaStreamSynchronize(stream_.get());
}

void CudaLane::Run(const Batch& batch) {
  Check(cudaSetDevice(device_), "choosing the GPU");
  try {
    network_.shape.image ? RunImages(batch) : RunTexts(batch);
  } catch (...) {
    // What is on its way reads the pinned memory, which the next batch overwrites.
    cudaStreamSynchronize(stream_.get());
    cudaGetLastError();
    throw;
  }
}

void CudaLane::RunImages(const Batch& batch) {
  const TowerShape& own = network_.shape;
  const auto* pixels = static_cast<const uint8_t*>(batch.inputs[0].data);
  size_t each = static_cast<size_t>(own.size) * static_cast<size_t>(own.size) * 3,
         dim = static_cast<size_t>(own.dim);
  size_t most = static_cast<size_t>(std::max(1, kPassTokens / own.tokens));
  size_t passes = (batch.rows + most - 1) / most, share = (batch.rows + passes - 1) / passes;
  for (size_t begin = 0; begin < batch.rows; begin += share) {
    size_t rows = std::min(share, batch.rows - begin);
    PassShape shape;
    shape.items = Bucket(static_cast<int>(rows), 1);
    shape.tokens = shape.items * own.tokens;
    shape.length = own.tokens;
    Reserve(shape);
    CopyPixels(pixels + begin * each, rows * each);
    Finish(shape, rows, batch.output + begin * dim);
  }
}

void CudaLane::RunTexts(const Batch& batch) {
  std::vector<TextSpan> texts = FindTexts(batch, network_.shape);
  size_t dim = static_cast<size_t>(network_.shape.dim);
  for (const TextPass& pass : DivideTexts(texts, kPassTexts, kPassTokens)) {
    PassShape shape = ShapeOf(pass);
    Reserve(shape);
    WriteIntegers(batch, texts, pass, shape, integers_.get());
    Check(cudaMemcpyAsync(buffers_->integers.get(), integers_.get(), IntegerCount(shape) * sizeof(int32_t),
                          cudaMemcpyHostToDevice, stream_.get()),
          "copying tokens to the GPU");
    Finish(shape, pass.end - pass.begin, batch.output + pass.begin * dim);
  }
  const float* last = batch.output + (texts.size() - 1) * dim;
  for (size_t row = texts.size(); row < batch.rows; ++row)
    std::memcpy(batch.output + row * dim, last, dim * sizeof(float));
}

void CudaLane::CopyPixels(const uint8_t* pixels, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPiece) {
    size_t piece = std::min(kPiece, bytes - at);
    std::memcpy(pixels_.get() + at, pixels + at, piece);
    Check(cudaMemcpyAsync(buffers_->pixels.get() + at, pixels_.get() + at, piece, cudaMemcpyHostToDevice,
                          stream_.get()),
          "copying pixels to the GPU");
  }
}

void CudaLane::Finish(const PassShape& shape, size_t rows, float* output) {
  graphs_.Run(shape, stream_.get(), [&] { Forward(network_, products_, *buffers_, shape, stream_.get()); });
  size_t bytes = rows * static_cast<size_t>(network_.shape.dim) * sizeof(float);
  Check(cudaMemcpyAsync(output_.get(), buffers_->embeddings.get(), bytes, cudaMemcpyDeviceToHost,
                        stream_.get()),
        "copying embeddings from the GPU");
  Wait();
  std::memcpy(output, output_.get(), bytes);
}

void CudaLane::Wait() {
  Check(cudaEventRecord(done_.get(), stream_.get()), "marking the end of a batch");
  auto until = std::chrono::steady_clock::now() + kSpin;
  while (std::chrono::steady_clock::now() < until) {
    cudaError_t status = cudaEventQuery(done_.get());
    if (status == cudaSuccess) return;
    if (status != cudaErrorNotReady) Check(status, "running a batch");
  }
  Check(cudaEventSynchronize(done_.get()), "running a batch");
}

void CudaLane::Reserve(const PassShape& shape) {
  int items = shape.items, tokens = shape.tokens;
  if (buffers_ != nullptr) {
    if (items <= buffers_->items() && tokens <= buffers_->tokens()) return;
    items = std::max(items, buffers_->items());
    tokens = std::max(tokens, buffers_->tokens());
  }
  // The old memory goes first, so that both need not fit side by side.
  graphs_.Clear();
  buffers_.reset();
  pixels_.reset();
  integers_.reset();
  output_.reset();
  const TowerShape& own = network_.shape;
  size_t n = static_cast<size_t>(items);
  auto buffers = std::make_unique<Buffers>(network_, items, tokens);
  output_ = AllocatePinned<float>(n * static_cast<size_t>(own.dim));
  if (own.image) {
    pixels_ = AllocatePinned<uint8_t>(n * static_cast<size_t>(own.size) * static_cast<size_t>(own.size) * 3);
    std::vector<int32_t> rows(n);
    for (size_t i = 0; i < n; ++i) rows[i] = static_cast<int32_t>(i) * own.tokens;
    CopyToDevice(buffers->integers.get(), rows.data(), n * sizeof(int32_t), "numbering class tokens");
  } else {
    integers_ = AllocatePinned<int32_t>(2 * static_cast<size_t>(tokens) + 2 * n + 1);
  }
  buffers_ = std::move(buffers);
}

// Takes the memory, loads the kernels, and records the graphs of the smallest and the largest batch.
void CudaLane::WarmUp(uint32_t max_rows, uint32_t max_length) {
  const TowerShape& own = network_.shape;
  std::vector<uint32_t> sizes = {1};
  if (max_rows > 1) sizes.insert(sizes.begin(), max_rows);
  for (uint32_t rows : sizes) {
    std::vector<float> output(static_cast<size_t>(rows) * static_cast<size_t>(own.dim));
    Batch batch = {{}, rows, 0, output.data(), output.size()};
    std::vector<uint8_t> pixels;
    std::vector<int32_t> ids, places, segments, ends;
    if (own.image) {
      pixels.resize(static_cast<size_t>(rows) * static_cast<size_t>(own.size) *
                    static_cast<size_t>(own.size) * 3);
      for (size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = static_cast<uint8_t>(i * 2654435761u >> 24);  // not all alike
      batch.inputs.push_back({pixels.data(), pixels.size(), {rows, own.size, own.size, 3}});
    } else {
      // Captions have about a dozen tokens.
      int length = std::min({own.context, 12, max_length == 0 ? own.context : static_cast<int>(max_length)});
      for (uint32_t text = 0; text < rows; ++text) {
        for (int place = 0; place < length; ++place) {
          ids.push_back(static_cast<int32_t>(ids.size()) % own.vocabulary);
          places.push_back(place);
          segments.push_back(static_cast<int32_t>(text));
        }
        ends.push_back(static_cast<int32_t>(ids.size()) - 1);
      }
      for (std::vector<int32_t>* part : {&ids, &places, &segments}) {
        batch.inputs.push_back(
            {part->data(), part->size() * sizeof(int32_t), {1, static_cast<int64_t>(part->size())}});
      }
      batch.inputs.push_back({ends.data(), ends.size() * sizeof(int32_t), {rows}});
    }
    for (int time = 0; time < 2; ++time) Run(batch);
  }
}

}  // namespace clip::cuda
