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

// Two output pixels at a time, one in each half of a vector. For every four taps there are 32 numbers: high
// digits of taps 0 and 1 (four times for the four channels; left pixel, then right pixel), of taps 2 and 3,
// low digits likewise.
PackedColumns PackColumns(const Axis& axis) {
  PackedColumns packed;
  packed.count = axis.count;
  packed.chunks = axis.stride / 4;
  const int groups = (axis.count + 1) / 2;
  packed.offset.resize(groups * 2);
  packed.data.resize(static_cast<size_t>(groups) * packed.chunks * 32);
  int32_t* to = packed.data.data();
  for (int group = 0; group < groups; ++group) {
    const int pixel[2] = {group * 2, group * 2 + 1 < axis.count ? group * 2 + 1 : group * 2};
    for (int p = 0; p < 2; ++p) packed.offset[group * 2 + p] = 4 * (axis.start[pixel[p]] - axis.first());
    for (int chunk = 0; chunk < packed.chunks; ++chunk, to += 32) {
      for (int p = 0; p < 2; ++p) {
        const int32_t* k = &axis.fixed[static_cast<size_t>(pixel[p]) * axis.stride + chunk * 4];
        for (int channel = 0; channel < 4; ++channel) {
          const int lane = p * 4 + channel;
          to[lane] = High(k[0], k[1]);
          to[8 + lane] = High(k[2], k[3]);
          to[16 + lane] = Low(k[0], k[1]);
          to[24 + lane] = Low(k[2], k[3]);
        }
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

__attribute__((target("avx2"))) void Horizontal(const PackedColumns& axis, const uint8_t* in, uint8_t* out) {
  // Bytes r g b x of two neighbouring pixels to 16-bit pairs (r r) (g g) (b b) (x x).
  const __m256i first =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
  const __m256i second = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1));
  const int groups = static_cast<int>(axis.offset.size() / 2);
  const __m256i* weight = reinterpret_cast<const __m256i*>(axis.data.data());
  for (int group = 0; group < groups; ++group) {
    const uint8_t* left = in + axis.offset[group * 2];
    const uint8_t* right = in + axis.offset[group * 2 + 1];
    __m256i high = _mm256_setzero_si256();
    __m256i low = _mm256_setzero_si256();
    for (int chunk = 0; chunk < axis.chunks; ++chunk, left += 16, right += 16, weight += 4) {
      const __m256i pixels = _mm256_inserti128_si256(
          _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(left))),
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(right)), 1);
      const __m256i pair0 = _mm256_shuffle_epi8(pixels, first);
      const __m256i pair1 = _mm256_shuffle_epi8(pixels, second);
      high = _mm256_add_epi32(high, _mm256_madd_epi16(pair0, _mm256_loadu_si256(weight)));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(pair1, _mm256_loadu_si256(weight + 1)));
      low = _mm256_add_epi32(low, _mm256_madd_epi16(pair0, _mm256_loadu_si256(weight + 2)));
      low = _mm256_add_epi32(low, _mm256_madd_epi16(pair1, _mm256_loadu_si256(weight + 3)));
    }
    const __m256i value = Combine(high, low);
    const __m256i words = _mm256_packs_epi32(value, value);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const uint32_t pixel0 = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0));
    const uint32_t pixel1 = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4));
    __builtin_memcpy(out + group * 8, &pixel0, 4);
    __builtin_memcpy(out + group * 8 + 4, &pixel1, 4);
  }
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
