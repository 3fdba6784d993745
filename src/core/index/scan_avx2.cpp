// The scan for AVX2: eight codes a vector, bits counted by table look-ups of half bytes.
#include "index/scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx2.inc"

namespace screener {
namespace {

constexpr std::uint32_t kRows = 8;

#include "index/byte_counts_avx2.inc"

using Bits = __m256i;
using Column = __m256i;
using Counts = __m256i;

INLINE Bits none() { return _mm256_setzero_si256(); }

INLINE Column column_of(const std::uint32_t* words) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(words));
}

INLINE Bits counted(Bits bits, Column column, std::uint32_t word) {
  const __m256i x = _mm256_xor_si256(column, _mm256_set1_epi32(static_cast<int>(word)));
  return _mm256_add_epi8(bits, byte_counts(x));
}

// The sum of the four bytes of each 32-bit word. No byte is above 128, so the signed
// multiplication by one is safe.
INLINE Counts summed(Bits bits) {
  const __m256i pairs = _mm256_maddubs_epi16(bits, _mm256_set1_epi8(1));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE Counts least(Counts a, Counts b) { return _mm256_min_epu32(a, b); }

INLINE std::uint32_t within(Counts counts, std::uint32_t radius) {
  const __m256i above = _mm256_cmpgt_epi32(counts, _mm256_set1_epi32(static_cast<int>(radius)));
  return ~static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(above))) & 0xffu;
}

#include "index/popcount.inc"
#include "index/scan_sieve.inc"

}  // namespace

const ScanKernel kScanAvx2 = {sieve_eight, sieve_one, confirm};

}  // namespace screener

#include "region_end.inc"
#endif
