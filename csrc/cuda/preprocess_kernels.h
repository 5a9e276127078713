// The bodies of the two kernels of preprocessing: every picture is filtered along one direction, then along
// the other, with the integers of csrc/image, so that the same samples give the same bytes.
//
// The bodies are ordinary C++ over a Block, which runs a function for each of its threads and has memory that
// they share. The device's Block is in preprocess_device.cu; the tests have one that runs the threads one
// after another.
//   block.Each(f)   f(thread) for each thread, then all wait
//   block.tile      uint32_t[kTilePixels], shared
//   block.sums(t)   the sums of thread t, which outlive Each
#ifndef CLIP_CUDA_PREPROCESS_KERNELS_H_
#define CLIP_CUDA_PREPROCESS_KERNELS_H_

#include "preprocess_task.h"

#ifdef __CUDACC__
#define CLIP_BODY __device__ __forceinline__
#else
#define CLIP_BODY inline
#endif

namespace clip::pictures {

inline constexpr int kFilterBits = 22;  // clip_image::kFixedBits
inline constexpr int kTilePixels = 1024;
// Rows that a block filters along the columns: its weights are read from memory once for all of them.
inline constexpr int kRowsOfBlock = 4;

// The sums of the three colours of one output pixel.
struct Sums {
  int32_t r, g, b;
};

CLIP_BODY int Clamp255(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }
CLIP_BODY int AtMost(int v, int most) { return v < most ? v : most; }
CLIP_BODY int AtLeast(int v, int least) { return v > least ? v : least; }
CLIP_BODY uint32_t Pack(int r, int g, int b) {
  return static_cast<uint32_t>(r) | static_cast<uint32_t>(g) << 8 | static_cast<uint32_t>(b) << 16;
}

// The chroma sample at column x and row y of the whole picture. Halves are interpolated with the weights 3/4
// and 1/4 and the roundings of jdsample.c in libjpeg-turbo (h2v1_, h1v2_ and h2v2_fancy_upsample); the rest
// is repeated, as there.
CLIP_BODY int Chroma(const PictureTask& p, int plane, int x, int y) {
  const uint8_t* data = p.plane[plane];
  const uint32_t pitch = p.pitch[plane];
  const int cx = x >> p.across_bits;
  const int cy = y >> p.down_bits;
  const uint8_t* row = data + static_cast<uint64_t>(pitch) * cy;
  if (!p.interpolated) return row[cx];
  // The next nearest sample of each direction; at the sides the nearest one again.
  const int ox = x & 1 ? AtMost(cx + 1, p.chroma_width - 1) : AtLeast(cx - 1, 0);
  const int oy = y & 1 ? AtMost(cy + 1, p.chroma_height - 1) : AtLeast(cy - 1, 0);
  const uint8_t* other = data + static_cast<uint64_t>(pitch) * oy;
  if (p.down_bits == 0) return (3 * row[cx] + row[ox] + (x & 1 ? 2 : 1)) >> 2;
  if (p.across_bits == 0) return (3 * row[cx] + other[cx] + (y & 1 ? 2 : 1)) >> 2;
  const int near_sum = 3 * row[cx] + other[cx];
  const int far_sum = 3 * row[ox] + other[ox];
  return (3 * near_sum + far_sum + (x & 1 ? 7 : 8)) >> 4;
}

// The pixel at column x and row y. JPEG's conversion in the fixed point of jdcolor.c.
CLIP_BODY uint32_t LoadPixel(const PictureTask& p, int x, int y) {
  const uint8_t* row = p.plane[0] + static_cast<uint64_t>(p.pitch[0]) * (y - p.origin_row);
  if (p.samples == Samples::kRgb) {
    const uint8_t* pixel = row + static_cast<uint64_t>(3) * (x - p.origin_column);
    return Pack(pixel[0], pixel[1], pixel[2]);
  }
  const int luma = row[x - p.origin_column];
  if (p.samples == Samples::kGray) return Pack(luma, luma, luma);
  constexpr int kHalf = 1 << 15;
  const int cb = Chroma(p, 1, x, y) - 128;
  const int cr = Chroma(p, 2, x, y) - 128;
  return Pack(Clamp255(luma + ((91881 * cr + kHalf) >> 16)),                // 1.40200
              Clamp255(luma + ((-22554 * cb - 46802 * cr + kHalf) >> 16)),  // 0.34414, 0.71414
              Clamp255(luma + ((116130 * cb + kHalf) >> 16)));              // 1.77200
}

CLIP_BODY void Start(Sums& sums) { sums.r = sums.g = sums.b = 1 << (kFilterBits - 1); }
CLIP_BODY void Add(Sums& sums, uint32_t pixel, int32_t weight) {
  sums.r += static_cast<int32_t>(pixel & 255) * weight;
  sums.g += static_cast<int32_t>(pixel >> 8 & 255) * weight;
  sums.b += static_cast<int32_t>(pixel >> 16 & 255) * weight;
}
CLIP_BODY uint32_t Finish(const Sums& sums) {
  return Pack(Clamp255(sums.r >> kFilterBits), Clamp255(sums.g >> kFilterBits),
              Clamp255(sums.b >> kFilterBits));
}
CLIP_BODY void StoreRgb(uint8_t* to, uint32_t pixel) {
  to[0] = static_cast<uint8_t>(pixel);
  to[1] = static_cast<uint8_t>(pixel >> 8);
  to[2] = static_cast<uint8_t>(pixel >> 16);
}

// The picture that a block belongs to, by halving.
CLIP_BODY int PictureOf(const TaskList& list, uint32_t block) {
  int low = 0, high = list.count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (list.first_block[middle] <= block) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

CLIP_BODY int Blocks(int count, int each) { return (count + each - 1) / each; }

// Filters rows along the columns axis: kThreads output columns of kRowsOfBlock rows a block. load(x, y) gives
// the pixel at an input column and a row, store(x, y, pixel) takes the result. The inputs go through shared
// memory in pieces, so any width and any support does.
template <typename Block, typename Load, typename Store>
CLIP_BODY void AlongColumns(Block& block, const TaskAxis& axis, int rows, uint32_t index, Load load,
                            Store store) {
  const int tiles = Blocks(axis.count, kThreads);
  const int tile = static_cast<int>(index % static_cast<uint32_t>(tiles));
  const int first_row = static_cast<int>(index / static_cast<uint32_t>(tiles)) * kRowsOfBlock;
  const int first = tile * kThreads;
  const int last = AtMost(first + kThreads, axis.count) - 1;
  const int begin = axis.start[first];
  const int end = AtMost(axis.start[last] + axis.taps, axis.end);
  for (int y = first_row; y < AtMost(first_row + kRowsOfBlock, rows); ++y) {
    block.Each([&](int thread) { Start(block.sums(thread)); });
    for (int piece = begin; piece < end; piece += kTilePixels) {
      const int piece_end = AtMost(piece + kTilePixels, end);
      block.Each([&](int thread) {
        for (int x = piece + thread; x < piece_end; x += kThreads) block.tile[x - piece] = load(x, y);
      });
      block.Each([&](int thread) {
        const int x = first + thread;
        if (x > last) return;
        const int start = axis.start[x];
        const int from = AtLeast(piece - start, 0);
        const int to = AtMost(piece_end - start, axis.taps);
        Sums sums = block.sums(thread);
        for (int t = from; t < to; ++t) {
          Add(sums, block.tile[start + t - piece], axis.weights[static_cast<int64_t>(t) * axis.count + x]);
        }
        block.sums(thread) = sums;
      });
    }
    block.Each([&](int thread) {
      const int x = first + thread;
      if (x <= last) store(x, y, Finish(block.sums(thread)));
    });
  }
}

// Filters columns along the rows axis: kThreads pixels of the output a block, line by line of `columns`
// pixels.
template <typename Block, typename Load, typename Store>
CLIP_BODY void AlongRows(Block& block, const TaskAxis& axis, int columns, uint32_t index, Load load,
                         Store store) {
  const int tiles = Blocks(columns, kThreads);
  const int y = static_cast<int>(index / static_cast<uint32_t>(tiles));
  const int first = static_cast<int>(index % static_cast<uint32_t>(tiles)) * kThreads;
  const int start = axis.start[y];
  const int taps = AtMost(axis.taps, axis.end - start);
  block.Each([&](int thread) {
    const int x = first + thread;
    if (x >= columns) return;
    Sums sums;
    Start(sums);
    for (int t = 0; t < taps; ++t)
      Add(sums, load(x, start + t), axis.weights[static_cast<int64_t>(t) * axis.count + y]);
    store(x, y, Finish(sums));
  });
}

// Blocks that a picture needs in each of the two launches.
CLIP_BODY uint32_t FirstPassBlocks(const PictureTask& p) {
  switch (p.order) {
    case Order::kWidthFirst:
      return static_cast<uint32_t>(Blocks(p.size, kThreads)) *
             static_cast<uint32_t>(Blocks(p.rows.end - p.rows.first, kRowsOfBlock));
    case Order::kHeightFirst:
      return static_cast<uint32_t>(Blocks(p.columns.end - p.columns.first, kThreads)) *
             static_cast<uint32_t>(p.size);
    case Order::kCropOnly:
      return 0;
  }
  return 0;
}
CLIP_BODY uint32_t SecondPassBlocks(const PictureTask& p) {
  const int rows = p.order == Order::kHeightFirst ? Blocks(p.size, kRowsOfBlock) : p.size;
  return static_cast<uint32_t>(Blocks(p.size, kThreads)) * static_cast<uint32_t>(rows);
}

// From the picture's samples to p.between.
template <typename Block>
CLIP_BODY void FirstPass(Block& block, const TaskList& list, uint32_t index) {
  const int picture = PictureOf(list, index);
  const PictureTask& p = list.tasks[picture];
  index -= list.first_block[picture];
  if (p.order == Order::kWidthFirst) {
    AlongColumns(
        block, p.columns, p.rows.end - p.rows.first, index,
        [&](int x, int y) { return LoadPixel(p, x, y + p.rows.first); },
        [&](int x, int y, uint32_t pixel) { p.between[static_cast<int64_t>(y) * p.size + x] = pixel; });
  } else {
    const int columns = p.columns.end - p.columns.first;
    AlongRows(
        block, p.rows, columns, index, [&](int x, int y) { return LoadPixel(p, x + p.columns.first, y); },
        [&](int x, int y, uint32_t pixel) { p.between[static_cast<int64_t>(y) * columns + x] = pixel; });
  }
}

// From p.between to p.out; where nothing is resampled, from the picture's samples.
template <typename Block>
CLIP_BODY void SecondPass(Block& block, const TaskList& list, uint32_t index) {
  const int picture = PictureOf(list, index);
  const PictureTask& p = list.tasks[picture];
  index -= list.first_block[picture];
  const auto store = [&](int x, int y, uint32_t pixel) {
    StoreRgb(p.out + 3 * (static_cast<int64_t>(y) * p.size + x), pixel);
  };
  if (p.order == Order::kWidthFirst) {
    AlongRows(
        block, p.rows, p.size, index,
        [&](int x, int y) { return p.between[static_cast<int64_t>(y - p.rows.first) * p.size + x]; }, store);
  } else if (p.order == Order::kHeightFirst) {
    const int columns = p.columns.end - p.columns.first;
    AlongColumns(
        block, p.columns, p.size, index,
        [&](int x, int y) { return p.between[static_cast<int64_t>(y) * columns + x - p.columns.first]; },
        store);
  } else {
    const int tiles = Blocks(p.size, kThreads);
    const int y = static_cast<int>(index / static_cast<uint32_t>(tiles));
    const int first = static_cast<int>(index % static_cast<uint32_t>(tiles)) * kThreads;
    block.Each([&](int thread) {
      const int x = first + thread;
      if (x < p.size) store(x, y, LoadPixel(p, x + p.left, y + p.top));
    });
  }
}

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_KERNELS_H_
