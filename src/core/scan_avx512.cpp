// The scan for AVX-512 with VPOPCNTDQ: sixteen codes a vector.
#include "scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "region_avx512.inc"

namespace screener {
namespace {

constexpr std::uint32_t kRows = 16;

using Bits = __m512i;
using Column = __m512i;
using Counts = __m512i;

inline __attribute__((always_inline)) Bits none() { return _mm512_setzero_si512(); }

inline __attribute__((always_inline)) Column column_of(const std::uint32_t* words) {
  return _mm512_load_si512(words);
}

inline __attribute__((always_inline)) Bits counted(Bits bits, Column column, std::uint32_t word) {
  const __m512i x = _mm512_xor_si512(column, _mm512_set1_epi32(static_cast<int>(word)));
  return _mm512_add_epi32(bits, _mm512_popcnt_epi32(x));
}

inline __attribute__((always_inline)) Counts summed(Bits bits) { return bits; }

inline __attribute__((always_inline)) Counts least(Counts a, Counts b) {
  return _mm512_min_epu32(a, b);
}

inline __attribute__((always_inline)) std::uint32_t within(Counts counts, std::uint32_t radius) {
  return _mm512_cmple_epu32_mask(counts, _mm512_set1_epi32(static_cast<int>(radius)));
}

inline __attribute__((always_inline)) std::uint32_t bits_of(unsigned long long x) {
  return static_cast<std::uint32_t>(_mm_popcnt_u64(x));
}

#include "scan_sieve.inc"

}  // namespace

extern const ScanKernel kScanAvx512 = {sieve_eight, sieve_one, confirm};

}  // namespace screener

#include "region_end.inc"
#endif
