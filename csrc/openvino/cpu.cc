#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace clip {

#if defined(__x86_64__)
namespace {

// Bits of XCR0, Intel SDM volume 1, chapter 13: which registers the system saves.
constexpr unsigned kXcr0Avx512 = 0xE6;  // SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM
constexpr unsigned kXcr0Amx = 0x60000;  // XTILECFG, XTILEDATA

unsigned Xcr0() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

bool HasNativeBf16() {
  unsigned a, b, c, d;
  constexpr unsigned kOsxsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kOsxsave) == 0) return false;
  unsigned saved = Xcr0();
  bool amx_bf16 = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 22)) != 0;
  bool avx512_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5)) != 0;
  return (avx512_bf16 && (saved & kXcr0Avx512) == kXcr0Avx512) ||
         (amx_bf16 && (saved & kXcr0Amx) == kXcr0Amx);
}
#else
bool HasNativeBf16() { return false; }
#endif

}  // namespace clip
