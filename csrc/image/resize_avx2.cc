// Kernels for AVX2. A weight k (23 bits and sign) is cut in two digits that fit 16 bits, k = high * 2^11 +
// low with low in 0..2047, so that the 16-bit multiply-add of pairs gives exact sums: sum = (sum_high << 11)
// + sum_low.
#include "kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace clip_image {
namespace {

constexpr int kLowBits = 11;

int32_t Pair(int32_t first, int32_t second) {
  return static_cast<int32_t>((static_cast<uint32_t>(first) & 0xffff) |
                              (static_cast<uint32_t>(second) << 16));
}

int32_t High(int32_t first, int32_t second) { return Pair(first >> kLowBits, second >> kLowBits); }

int32_t Low(int32_t first, int32_t second) {
  constexpr int32_t kMask = (1 << kLowBits) - 1;
  return Pair(first & kMask, second & kMask);
}

// Two output pixels at a time, one in each half of a vector. For every four taps there are 8 numbers: high
// digits of taps 0 and 1 of the left pixel, then of the right one; of taps 2 and 3; low digits likewise.
PackedColumns PackColumns(const Axis& axis) {
  PackedColumns packed;
  packed.count = axis.count;
  packed.chunks = axis.stride / 4;
  const int groups = (axis.count + 1) / 2;
  packed.offset.resize(groups * 2);
  packed.data.resize(static_cast<size_t>(groups) * packed.chunks * 8);
  int32_t* to = packed.data.data();
  for (int group = 0; group < groups; ++group) {
    const int pixel[2] = {group * 2, group * 2 + 1 < axis.count ? group * 2 + 1 : group * 2};
    for (int p = 0; p < 2; ++p) packed.offset[group * 2 + p] = 4 * (axis.start[pixel[p]] - axis.first());
    for (int chunk = 0; chunk < packed.chunks; ++chunk, to += 8) {
      for (int p = 0; p < 2; ++p) {
        const int32_t* k = &axis.fixed[static_cast<size_t>(pixel[p]) * axis.stride + chunk * 4];
        to[p] = High(k[0], k[1]);
        to[2 + p] = High(k[2], k[3]);
        to[4 + p] = Low(k[0], k[1]);
        to[6 + p] = Low(k[2], k[3]);
      }
    }
  }
  return packed;
}

// For every two taps the high digits of both, then the low ones.
PackedRows PackRows(const Axis& axis) {
  PackedRows packed;
  packed.stride = axis.stride;
  packed.data.resize(axis.fixed.size());
  for (size_t i = 0; i < axis.fixed.size(); i += 2) {
    packed.data[i] = High(axis.fixed[i], axis.fixed[i + 1]);
    packed.data[i + 1] = Low(axis.fixed[i], axis.fixed[i + 1]);
  }
  return packed;
}

__attribute__((target("avx2"))) inline __m256i Combine(__m256i high, __m256i low) {
  const __m256i half = _mm256_set1_epi32(1 << (kFixedBits - 1));
  const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low), half);
  return _mm256_srai_epi32(sum, kFixedBits);
}

__attribute__((target("avx2"))) inline void StoreTwo(__m256i value, uint8_t* out) {
  const __m256i words = _mm256_packs_epi32(value, value);
  const __m256i bytes = _mm256_packus_epi16(words, words);
  const uint32_t pixel0 = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0));
  const uint32_t pixel1 = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4));
  __builtin_memcpy(out, &pixel0, 4);
  __builtin_memcpy(out + 4, &pixel1, 4);
}

template <int kRows>
__attribute__((target("avx2"))) void SomeRows(const PackedColumns& axis, const uint8_t* const* in,
                                              uint8_t* const* out) {
  // Bytes r g b x of two neighbouring pixels to 16-bit pairs (r r) (g g) (b b) (x x).
  const __m256i first =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
  const __m256i second = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1));
  // Number 2 i of eight to the left half, number 2 i + 1 to the right one.
  const __m256i spread = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i two = _mm256_set1_epi32(2);
  const int groups = static_cast<int>(axis.offset.size() / 2);
  const __m256i* weight = reinterpret_cast<const __m256i*>(axis.data.data());
  for (int group = 0; group < groups; ++group) {
    const int32_t left = axis.offset[group * 2];
    const int32_t right = axis.offset[group * 2 + 1];
    __m256i high[kRows], low[kRows];
    for (int r = 0; r < kRows; ++r) high[r] = low[r] = _mm256_setzero_si256();
    for (int chunk = 0; chunk < axis.chunks; ++chunk, ++weight) {
      const __m256i packed = _mm256_loadu_si256(weight);
      __m256i index = spread;
      const __m256i high01 = _mm256_permutevar8x32_epi32(packed, index);
      index = _mm256_add_epi32(index, two);
      const __m256i high23 = _mm256_permutevar8x32_epi32(packed, index);
      index = _mm256_add_epi32(index, two);
      const __m256i low01 = _mm256_permutevar8x32_epi32(packed, index);
      index = _mm256_add_epi32(index, two);
      const __m256i low23 = _mm256_permutevar8x32_epi32(packed, index);
      for (int r = 0; r < kRows; ++r) {
        const uint8_t* row = in[r] + static_cast<size_t>(chunk) * 16;
        const __m256i pixels = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row + left))),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + right)), 1);
        const __m256i pair0 = _mm256_shuffle_epi8(pixels, first);
        const __m256i pair1 = _mm256_shuffle_epi8(pixels, second);
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pair0, high01));
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pair1, high23));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pair0, low01));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pair1, low23));
      }
    }
    for (int r = 0; r < kRows; ++r) StoreTwo(Combine(high[r], low[r]), out[r] + group * 8);
  }
}

void Horizontal(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out, int rows) {
  for (; rows >= 2; rows -= 2, in += 2, out += 2) SomeRows<2>(axis, in, out);
  if (rows == 1) SomeRows<1>(axis, in, out);
}

// 32 bytes at a time, two rows at a time.
__attribute__((target("avx2"))) void Vertical(const uint8_t* const* rows, const int32_t* weights, int taps,
                                              uint8_t* out, size_t bytes) {
  const __m256i zero = _mm256_setzero_si256();
  for (size_t at = 0; at < bytes; at += 32) {
    __m256i high[4] = {zero, zero, zero, zero};
    __m256i low[4] = {zero, zero, zero, zero};
    for (int t = 0; t < taps; t += 2) {
      const __m256i row0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[t] + at));
      const __m256i row1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[t + 1] + at));
      const __m256i weight_high = _mm256_set1_epi32(weights[t]);
      const __m256i weight_low = _mm256_set1_epi32(weights[t + 1]);
      const __m256i mixed0 = _mm256_unpacklo_epi8(row0, row1);
      const __m256i mixed1 = _mm256_unpackhi_epi8(row0, row1);
      const __m256i pairs[4] = {_mm256_unpacklo_epi8(mixed0, zero), _mm256_unpackhi_epi8(mixed0, zero),
                                _mm256_unpacklo_epi8(mixed1, zero), _mm256_unpackhi_epi8(mixed1, zero)};
      for (int i = 0; i < 4; ++i) {
        high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(pairs[i], weight_high));
        low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(pairs[i], weight_low));
      }
    }
    // The unpacking and the packing keep to the halves of a vector in the same way: the order comes out
    // right.
    const __m256i words0 = _mm256_packs_epi32(Combine(high[0], low[0]), Combine(high[1], low[1]));
    const __m256i words1 = _mm256_packs_epi32(Combine(high[2], low[2]), Combine(high[3], low[3]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at), _mm256_packus_epi16(words0, words1));
  }
}

}  // namespace

const Kernels* Avx2Kernels() {
  static const Kernels kernels = {"avx2", PackColumns, PackRows, Horizontal, Vertical};
  return __builtin_cpu_supports("avx2") ? &kernels : nullptr;
}

}  // namespace clip_image

#else

namespace clip_image {

const Kernels* Avx2Kernels() { return nullptr; }

}  // namespace clip_image

#endif
