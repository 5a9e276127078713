// Attention over short sequences, on the matrix units, with the softmax computed as keys come along, so that
// scores never leave the registers. A block of 1 to 4 warps serves one head of one item; a warp holds 16
// queries. Keys and values pass through shared memory, 64 rows at a time.
#include "tensor_core.h"

namespace clip::cuda {
namespace {

constexpr int kKeys = 64;   // in shared memory at a time
constexpr int kGroup = 16;  // keys of one step of the second product
constexpr int kWarpQueries = 16;
constexpr float kLog2E = 1.4426950408889634f;

__device__ inline int Least(int a, int b) { return a < b ? a : b; }

struct Item {
  int64_t first;  // row of its first key
  int length;
  int queries;
  int64_t first_query;
};

__device__ inline Item ItemOf(const Attention& p, int number) {
  Item item;
  item.first = p.offsets != nullptr ? p.offsets[number] : static_cast<int64_t>(number) * p.length;
  item.length = p.offsets != nullptr ? p.offsets[number + 1] - static_cast<int>(item.first) : p.length;
  item.queries = p.pooled ? Least(item.length, 1) : item.length;
  item.first_query = p.pooled ? number : item.first;
  return item;
}

// What a warp keeps of its 16 queries; a lane holds parts of the rows g and g + 8 (tensor_core.h).
template <int D>
struct Softmax {
  float out[D / 8][4] = {};
  float most[2] = {-INFINITY, -INFINITY};  // of the scores so far, times log2(e)
  float sum[2] = {0, 0};                   // of the lane's own columns
};

// Loads rows [from, from + rows) of a head, zeros beyond the end or the head's columns.
template <typename T, int D>
__device__ void LoadRows(T* to, const T* head, int64_t stride, int columns, int rows, int end) {
  constexpr int kAtOnce = 8, kStride = D + kAtOnce;
  for (int i = static_cast<int>(threadIdx.x); i < rows * (D / kAtOnce); i += static_cast<int>(blockDim.x)) {
    int row = i / (D / kAtOnce), column = i % (D / kAtOnce) * kAtOnce;
    Pack<T, kAtOnce> pack;
    if (row < end && column < columns) {
      pack = LoadPack<kAtOnce>(head + row * stride + column);
    } else {
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) pack.at[k] = FromFloat<T>(0.0f);
    }
    StorePack(to + row * kStride + column, pack);
  }
}

// One tile of keys: scores, softmax, and the values they weigh. key0 is the first key's place, groups the
// number of 16 keys that the warp's queries may see.
template <typename T, int D>
__device__ void Tile(Softmax<D>* state, const uint32_t (*query)[4], const T* keys, const T* values, int key0,
                     int groups, int length, bool causal, int row) {
  constexpr int kStride = D + 8;
  int lane = static_cast<int>(threadIdx.x) % 32, t = lane % 4;
  float scores[kKeys / 8][4];
#pragma unroll
  for (int group = 0; group < kKeys / kGroup; ++group) {
    if (group >= groups) break;
    float* low = scores[2 * group];
    float* high = scores[2 * group + 1];
#pragma unroll
    for (int i = 0; i < 4; ++i) low[i] = high[i] = 0;
    const T* at = keys + (group * kGroup + lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * 8;
#pragma unroll
    for (int step = 0; step < D / 16; ++step) {
      uint32_t b[4];
      LoadMatrices(b, at + step * 16);
      MultiplyAdd<T>(low, query[step], b[0], b[1]);
      MultiplyAdd<T>(high, query[step], b[2], b[3]);
    }
  }

  float most[2] = {state->most[0], state->most[1]};
#pragma unroll
  for (int n = 0; n < kKeys / 8; ++n) {
    if (n / 2 >= groups) break;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int key = key0 + n * 8 + 2 * t + i % 2;
      bool seen = key < length && !(causal && key > row + i / 2 * 8);
      scores[n][i] = seen ? scores[n][i] * kLog2E : -INFINITY;
      most[i / 2] = fmaxf(most[i / 2], scores[n][i]);
    }
  }
  float keep[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    // The four lanes of a row. Each row sees the item's first key, so that the largest score is finite from
    // the start.
    most[i] = fmaxf(most[i], __shfl_xor_sync(0xFFFFFFFFu, most[i], 1));
    most[i] = fmaxf(most[i], __shfl_xor_sync(0xFFFFFFFFu, most[i], 2));
    keep[i] = exp2f(state->most[i] - most[i]);
    state->most[i] = most[i];
    state->sum[i] *= keep[i];
  }
#pragma unroll
  for (int n = 0; n < D / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) state->out[n][i] *= keep[i / 2];
  }

#pragma unroll
  for (int group = 0; group < kKeys / kGroup; ++group) {
    if (group >= groups) break;
    float* low = scores[2 * group];
    float* high = scores[2 * group + 1];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      low[i] = exp2f(low[i] - most[i / 2]);
      high[i] = exp2f(high[i] - most[i / 2]);
      state->sum[i / 2] += low[i] + high[i];
    }
    // What a lane holds of the scores is what it must hold of the left factor.
    uint32_t a[4] = {Two<T>(low[0], low[1]), Two<T>(low[2], low[3]), Two<T>(high[0], high[1]),
                     Two<T>(high[2], high[3])};
    const T* at = values + (group * kGroup + lane % 8 + lane / 8 % 2 * 8) * kStride + lane / 16 * 8;
#pragma unroll
    for (int pair = 0; pair < D / 16; ++pair) {
      uint32_t b[4];
      LoadMatricesTransposed(b, at + pair * 16);
      MultiplyAdd<T>(state->out[2 * pair], a, b[0], b[1]);
      MultiplyAdd<T>(state->out[2 * pair + 1], a, b[2], b[3]);
    }
  }
}

// D is the number of columns of a head, rounded up.
template <typename T, int D>
__global__ void __launch_bounds__(128, D == 64 ? 4 : 2) AttentionKernel(Attention p) {
  constexpr int kStride = D + 8;  // 8 more, so that rows lie in different banks
  CLIP_SHARED_BYTES(shared);
  T* keys = reinterpret_cast<T*>(shared);
  T* values = keys + kKeys * kStride;
  Item item = ItemOf(p, static_cast<int>(blockIdx.z));
  int64_t column0 = static_cast<int64_t>(blockIdx.y) * p.head_width;
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  int block_queries = static_cast<int>(blockDim.x) / 32 * kWarpQueries;

  for (int begin = static_cast<int>(blockIdx.x) * block_queries; begin < item.queries;
       begin += static_cast<int>(gridDim.x) * block_queries) {
    int warp_begin = begin + warp * kWarpQueries, row = warp_begin + lane / 4;
    uint32_t query[D / 16][4];
    const T* queries = static_cast<const T*>(p.queries) + item.first_query * p.query_stride + column0;
#pragma unroll
    for (int step = 0; step < D / 16; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int r = row + i % 2 * 8, column = step * 16 + lane % 4 * 2 + i / 2 * 8;
        bool inside = r < item.queries && column < p.head_width;
        query[step][i] = inside ? *reinterpret_cast<const uint32_t*>(
                                      queries + static_cast<int64_t>(r) * p.query_stride + column)
                                : 0u;
      }
    }

    Softmax<D> state;
    int end = p.causal ? Least(item.length, begin + block_queries) : item.length;
    int warp_end = p.causal ? Least(end, warp_begin + kWarpQueries) : end;
    for (int key0 = 0; key0 < end; key0 += kKeys) {
      int rows = Least(kKeys, (end - key0 + kGroup - 1) / kGroup * kGroup);
      int64_t first = (item.first + key0) * p.key_stride + column0;
      __syncthreads();  // all warps are done with the last tile
      LoadRows<T, D>(keys, static_cast<const T*>(p.keys) + first, p.key_stride, p.head_width, rows,
                     end - key0);
      LoadRows<T, D>(values, static_cast<const T*>(p.values) + first, p.key_stride, p.head_width, rows,
                     end - key0);
      __syncthreads();
      int groups = Least(kKeys / kGroup, (warp_end - key0 + kGroup - 1) / kGroup);
      if (warp_begin < item.queries && groups > 0) {
        Tile<T, D>(&state, query, keys, values, key0, groups, end, p.causal, row);
      }
    }
    if (warp_begin >= item.queries) continue;

#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float sum = state.sum[i];
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
      int r = row + i * 8;
      if (r >= item.queries) continue;
      T* out = static_cast<T*>(p.out) +
               (item.first_query + r) * (static_cast<int64_t>(p.heads) * p.head_width) + column0;
      float factor = 1.0f / sum;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        int column = n * 8 + lane % 4 * 2;
        if (column < p.head_width) {
          *reinterpret_cast<uint32_t*>(out + column) =
              Two<T>(state.out[n][2 * i] * factor, state.out[n][2 * i + 1] * factor);
        }
      }
    }
  }
}

// The same in float, a query a warp: the path that others are compared with, not a fast one.
__global__ void __launch_bounds__(128) PlainAttentionKernel(Attention p) {
  constexpr int kMine = kMostHeadWidth / 32;  // columns of a lane
  Item item = ItemOf(p, static_cast<int>(blockIdx.z));
  int64_t column0 = static_cast<int64_t>(blockIdx.y) * p.head_width;
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  for (int row = static_cast<int>(blockIdx.x) * 4 + warp; row < item.queries;
       row += static_cast<int>(gridDim.x) * 4) {
    const float* query =
        static_cast<const float*>(p.queries) + (item.first_query + row) * p.query_stride + column0;
    const float* keys = static_cast<const float*>(p.keys) + item.first * p.key_stride + column0;
    const float* values = static_cast<const float*>(p.values) + item.first * p.key_stride + column0;
    int end = p.causal ? row + 1 : item.length;
    float most = -INFINITY, sum = 0, out[kMine] = {};
    for (int key0 = 0; key0 < end; key0 += 32) {
      int key = key0 + lane;
      float score = key < end ? 0.0f : -INFINITY;
      for (int c = 0; c < p.head_width && key < end; ++c) {
        score += query[c] * keys[static_cast<int64_t>(key) * p.key_stride + c];
      }
      float largest = score;
      for (int distance = 16; distance > 0; distance /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, distance));
      }
      largest = fmaxf(largest, most);
      float keep = expf(most - largest), part = expf(score - largest);
      most = largest;
      sum = sum * keep + WarpSum(part);
      for (int i = 0; i < kMine; ++i) out[i] *= keep;
      for (int k = 0; k < Least(32, end - key0); ++k) {
        float weight = __shfl_sync(0xFFFFFFFFu, part, k);
        const float* value = values + static_cast<int64_t>(key0 + k) * p.key_stride;
#pragma unroll
        for (int i = 0; i < kMine; ++i) {
          int column = i * 32 + lane;
          if (column < p.head_width) out[i] += weight * value[column];
        }
      }
    }
    float* to = static_cast<float*>(p.out) +
                (item.first_query + row) * (static_cast<int64_t>(p.heads) * p.head_width) + column0;
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int column = i * 32 + lane;
      if (column < p.head_width) to[column] = out[i] / sum;
    }
  }
}

template <typename T, int D>
void LaunchTiles(const Attention& p, cudaStream_t stream) {
  int queries = p.pooled ? 1 : p.length;
  // Of a pooled item one warp computes; the others help to load.
  int warps = queries <= 16 && !(p.pooled && p.length > 32) ? 1 : queries <= 32 && !p.pooled ? 2 : 4;
  unsigned tiles = static_cast<unsigned>((queries + warps * kWarpQueries - 1) / (warps * kWarpQueries));
  dim3 grid(tiles, static_cast<unsigned>(p.heads), static_cast<unsigned>(p.items));
  size_t shared_bytes = 2 * kKeys * (D + 8) * sizeof(T);
  auto kernel = AttentionKernel<T, D>;
  CLIP_LAUNCH(kernel, grid, dim3(static_cast<unsigned>(warps * 32)), shared_bytes, stream, p);
}

template <typename T>
void LaunchWidth(const Attention& p, cudaStream_t stream) {
  if (p.head_width <= 64) return LaunchTiles<T, 64>(p, stream);
  if (p.head_width <= 96) return LaunchTiles<T, 96>(p, stream);
  LaunchTiles<T, 128>(p, stream);
}

}  // namespace

void Launch(const Attention& p, Elements elements, cudaStream_t stream) {
  switch (elements) {
    case Elements::kFloat: {
      unsigned tiles = static_cast<unsigned>(((p.pooled ? 1 : p.length) + 3) / 4);
      CLIP_LAUNCH(PlainAttentionKernel,
                  dim3(tiles, static_cast<unsigned>(p.heads), static_cast<unsigned>(p.items)), dim3(128), 0,
                  stream, p);
      break;
    }
    case Elements::kBfloat16:
      return LaunchWidth<Bfloat16>(p, stream);
    case Elements::kHalf:
      return LaunchWidth<Half>(p, stream);
  }
}

}  // namespace clip::cuda
