// The scan for AVX-512 with VPOPCNTDQ: sixteen codes a vector.
#include "index/scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx512.inc"

namespace screener {
namespace {

constexpr std::uint32_t kRows = 16;

using Bits = __m512i;
using Column = __m512i;
using Counts = __m512i;

INLINE Bits none() { return _mm512_setzero_si512(); }

INLINE Column column_of(const std::uint32_t* words) { return _mm512_load_si512(words); }

INLINE Bits counted(Bits bits, Column column, std::uint32_t word) {
  const __m512i x = _mm512_xor_si512(column, _mm512_set1_epi32(static_cast<int>(word)));
  return _mm512_add_epi32(bits, _mm512_popcnt_epi32(x));
}

INLINE Counts summed(Bits bits) { return bits; }

INLINE Counts least(Counts a, Counts b) { return _mm512_min_epu32(a, b); }

INLINE std::uint32_t within(Counts counts, std::uint32_t radius) {
  return _mm512_cmple_epu32_mask(counts, _mm512_set1_epi32(static_cast<int>(radius)));
}

#include "index/popcount.inc"
#include "index/scan_sieve.inc"

}  // namespace

const ScanKernel kScanAvx512 = {sieve_eight, sieve_one, confirm};

}  // namespace screener

#include "region_end.inc"
#endif
