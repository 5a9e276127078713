// Kernels for AVX-512 with VNNI and VBMI (Intel since Ice Lake, AMD since Zen 4). A weight k is cut in three
// signed digits of 8 bits, k = d2 * 2^16 + d1 * 2^8 + d0, so that one instruction adds four products of a
// pixel byte and a digit exactly.
#include "kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define CLIP_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))

namespace clip_image {
namespace {

// Digits 0, 1 and 2 of four weights, one byte each.
void FourDigits(const int32_t* weights, int32_t digits[3]) {
  uint32_t four[3] = {0, 0, 0};
  for (int t = 0; t < 4; ++t) {
    int32_t k = weights[t];
    for (int digit = 0; digit < 3; ++digit) {
      const auto low = static_cast<int8_t>(k & 0xff);
      four[digit] |= static_cast<uint32_t>(static_cast<uint8_t>(low)) << (8 * t);
      k = (k - low) >> 8;
    }
  }
  for (int digit = 0; digit < 3; ++digit) digits[digit] = static_cast<int32_t>(four[digit]);
}

// When shrinking by 4 at most, the four taps of four neighbouring output pixels lie within 64 bytes, and one
// permutation of bytes brings them in order: for every group the places of (r r r r) (g g g g) (b b b b) (x x
// x x) of its pixels, counted from the first tap of its first pixel. They are the same for every four taps.
// Empty where it does not fit.
std::vector<uint8_t> GatherIndices(const std::vector<int32_t>& offset) {
  std::vector<uint8_t> indices(offset.size() * 16);
  for (size_t i = 0; i < offset.size(); ++i) {
    const int32_t from = offset[i] - offset[i / 4 * 4];
    if (from < 0 || from > 48) return {};
    for (int byte = 0; byte < 16; ++byte) {
      indices[i * 16 + static_cast<size_t>(byte)] = static_cast<uint8_t>(from + byte % 4 * 4 + byte / 4);
    }
  }
  return indices;
}

// Four output pixels at a time, one in each quarter of a vector. For every four taps there are 12 numbers:
// digit 0 of the four pixels, then digits 1 and 2; a number is that digit of the four taps.
PackedColumns PackColumns(const Axis& axis) {
  PackedColumns packed;
  packed.count = axis.count;
  packed.chunks = axis.stride / 4;
  const int groups = (axis.count + 3) / 4;
  packed.offset.resize(groups * 4);
  packed.data.resize(static_cast<size_t>(groups) * packed.chunks * 12);
  int32_t* to = packed.data.data();
  for (int group = 0; group < groups; ++group) {
    int pixel[4];
    for (int p = 0; p < 4; ++p) {
      pixel[p] = group * 4 + p < axis.count ? group * 4 + p : group * 4;
      packed.offset[group * 4 + p] = 4 * (axis.start[pixel[p]] - axis.first());
    }
    for (int chunk = 0; chunk < packed.chunks; ++chunk, to += 12) {
      for (int p = 0; p < 4; ++p) {
        int32_t digits[3];
        FourDigits(&axis.fixed[static_cast<size_t>(pixel[p]) * axis.stride + chunk * 4], digits);
        for (int digit = 0; digit < 3; ++digit) to[digit * 4 + p] = digits[digit];
      }
    }
  }
  packed.gather = GatherIndices(packed.offset);
  return packed;
}

// For every four taps digits 0, 1 and 2 of the four.
PackedRows PackRows(const Axis& axis) {
  PackedRows packed;
  packed.stride = static_cast<size_t>(axis.stride) / 4 * 3;
  packed.data.resize(packed.stride * axis.count);
  for (size_t group = 0; group * 4 < axis.fixed.size(); ++group) {
    FourDigits(&axis.fixed[group * 4], &packed.data[group * 3]);
  }
  return packed;
}

CLIP_AVX512 inline __m512i Combine(__m512i sum2, __m512i sum1, __m512i sum0) {
  const __m512i half = _mm512_set1_epi32(1 << (kFixedBits - 1));
  const __m512i sum =
      _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(sum2, 16), _mm512_slli_epi32(sum1, 8)),
                       _mm512_add_epi32(sum0, half));
  return _mm512_srai_epi32(sum, kFixedBits);
}

CLIP_AVX512 inline __m128i Load(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// Four pixels of 16 bytes each, one in each quarter.
CLIP_AVX512 inline __m512i Gather(const uint8_t* row, const int32_t* offset) {
  __m512i pixels = _mm512_castsi128_si512(Load(row + offset[0]));
  pixels = _mm512_inserti32x4(pixels, Load(row + offset[1]), 1);
  pixels = _mm512_inserti32x4(pixels, Load(row + offset[2]), 2);
  return _mm512_inserti32x4(pixels, Load(row + offset[3]), 3);
}

// The four numbers at `four`, each to the whole of its quarter.
CLIP_AVX512 inline __m512i Spread(const int32_t* four) {
  const __m512i quarters = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  const __m128i numbers = _mm_loadu_si128(reinterpret_cast<const __m128i*>(four));
  return _mm512_permutexvar_epi32(quarters, _mm512_castsi128_si512(numbers));
}

// kChunks is axis.chunks where that is known when compiling, 0 otherwise: unrolled, the sums stay in their
// registers.
// kNear: axis.gather is there, and a row is read up to 60 bytes past its last pixel.
template <int kRows, int kChunks, bool kNear>
CLIP_AVX512 void SomeRows(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out) {
  // r g b x of four neighbouring pixels to (r r r r) (g g g g) (b b b b) (x x x x).
  const __m512i transpose =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const int groups = static_cast<int>(axis.offset.size() / 4);
  const int chunks = kChunks == 0 ? axis.chunks : kChunks;
  const int32_t* weight = axis.data.data();
  for (int group = 0; group < groups; ++group) {
    const int32_t* offset = &axis.offset[group * 4];
    __m512i order = transpose;
    if constexpr (kNear) order = _mm512_loadu_si512(&axis.gather[static_cast<size_t>(group) * 64]);
    __m512i sum0[kRows], sum1[kRows], sum2[kRows];
    for (int r = 0; r < kRows; ++r) sum0[r] = sum1[r] = sum2[r] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int chunk = 0; chunk < chunks; ++chunk, weight += 12) {
      const __m512i digit0 = Spread(weight);
      const __m512i digit1 = Spread(weight + 4);
      const __m512i digit2 = Spread(weight + 8);
      for (int r = 0; r < kRows; ++r) {
        const uint8_t* row = in[r] + static_cast<size_t>(chunk) * 16;
        __m512i pixels;
        if constexpr (kNear) {
          pixels = _mm512_permutexvar_epi8(order, _mm512_loadu_si512(row + offset[0]));
        } else {
          pixels = _mm512_shuffle_epi8(Gather(row, offset), order);
        }
        sum0[r] = _mm512_dpbusd_epi32(sum0[r], pixels, digit0);
        sum1[r] = _mm512_dpbusd_epi32(sum1[r], pixels, digit1);
        sum2[r] = _mm512_dpbusd_epi32(sum2[r], pixels, digit2);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m512i value = _mm512_max_epi32(Combine(sum2[r], sum1[r], sum0[r]), _mm512_setzero_si512());
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out[r] + group * 16), _mm512_cvtusepi32_epi8(value));
    }
  }
}

template <int kChunks, bool kNear>
void AnyRows(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out, int rows) {
  for (; rows >= 4; rows -= 4, in += 4, out += 4) SomeRows<4, kChunks, kNear>(axis, in, out);
  for (; rows > 0; --rows, ++in, ++out) SomeRows<1, kChunks, kNear>(axis, in, out);
}

void Horizontal(const PackedColumns& axis, const uint8_t* const* in, uint8_t* const* out, int rows) {
  if (axis.gather.empty()) {
    switch (axis.chunks) {
      case 5:
        return AnyRows<5, false>(axis, in, out, rows);
      case 6:
        return AnyRows<6, false>(axis, in, out, rows);
      default:
        return AnyRows<0, false>(axis, in, out, rows);
    }
  }
  switch (axis.chunks) {
    case 1:
      return AnyRows<1, true>(axis, in, out, rows);
    case 2:
      return AnyRows<2, true>(axis, in, out, rows);
    case 3:
      return AnyRows<3, true>(axis, in, out, rows);
    case 4:
      return AnyRows<4, true>(axis, in, out, rows);
    default:
      return AnyRows<0, true>(axis, in, out, rows);
  }
}

// 64 bytes at a time, four rows at a time.
CLIP_AVX512 void Vertical(const uint8_t* const* rows, const int32_t* weights, int taps, uint8_t* out,
                          size_t bytes) {
  const __m512i zero = _mm512_setzero_si512();
  for (size_t at = 0; at < bytes; at += 64) {
    __m512i sum0[4] = {zero, zero, zero, zero};
    __m512i sum1[4] = {zero, zero, zero, zero};
    __m512i sum2[4] = {zero, zero, zero, zero};
    for (int t = 0; t < taps; t += 4) {
      const __m512i row0 = _mm512_loadu_si512(rows[t] + at);
      const __m512i row1 = _mm512_loadu_si512(rows[t + 1] + at);
      const __m512i row2 = _mm512_loadu_si512(rows[t + 2] + at);
      const __m512i row3 = _mm512_loadu_si512(rows[t + 3] + at);
      const __m512i low01 = _mm512_unpacklo_epi8(row0, row1);
      const __m512i high01 = _mm512_unpackhi_epi8(row0, row1);
      const __m512i low23 = _mm512_unpacklo_epi8(row2, row3);
      const __m512i high23 = _mm512_unpackhi_epi8(row2, row3);
      const __m512i fours[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                                _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
      const __m512i digit0 = _mm512_set1_epi32(weights[t / 4 * 3 + 0]);
      const __m512i digit1 = _mm512_set1_epi32(weights[t / 4 * 3 + 1]);
      const __m512i digit2 = _mm512_set1_epi32(weights[t / 4 * 3 + 2]);
      for (int i = 0; i < 4; ++i) {
        sum0[i] = _mm512_dpbusd_epi32(sum0[i], fours[i], digit0);
        sum1[i] = _mm512_dpbusd_epi32(sum1[i], fours[i], digit1);
        sum2[i] = _mm512_dpbusd_epi32(sum2[i], fours[i], digit2);
      }
    }
    // The unpacking and the packing keep to the quarters of a vector in the same way: the order comes out
    // right.
    __m512i value[4];
    for (int i = 0; i < 4; ++i) value[i] = Combine(sum2[i], sum1[i], sum0[i]);
    const __m512i words0 = _mm512_packs_epi32(value[0], value[1]);
    const __m512i words1 = _mm512_packs_epi32(value[2], value[3]);
    _mm512_storeu_si512(out + at, _mm512_packus_epi16(words0, words1));
  }
}

}  // namespace

const Kernels* Avx512Kernels() {
  static const Kernels kernels = {"avx512", PackColumns, PackRows, Horizontal, Vertical};
  const bool supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
                         __builtin_cpu_supports("avx512vbmi");
  return supported ? &kernels : nullptr;
}

}  // namespace clip_image

#else

namespace clip_image {

const Kernels* Avx512Kernels() { return nullptr; }

}  // namespace clip_image

#endif
