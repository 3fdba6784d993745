// The tests of an index for AVX2: the 32 sketches of a cache line in two vectors.
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Opens after the last include: see scan_avx2.cpp.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,popcnt")
#endif

namespace screener {
namespace {

// Words left with a bit set after their lowest set bit has been cleared `kTimes` times have
// more than that many; up to three, this is faster than counting.
template <std::uint32_t kTimes>
inline __attribute__((always_inline)) __m256i few_bits(__m256i x) {
  for (std::uint32_t i = 0; i < kTimes; ++i)
    x = _mm256_and_si256(x, _mm256_add_epi16(x, _mm256_set1_epi16(-1)));
  return _mm256_cmpeq_epi16(x, _mm256_setzero_si256());
}

inline __attribute__((always_inline)) __m256i counted(__m256i x, __m256i limit) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(0x0f);
  const __m256i bytes =
      _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                      _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
  const __m256i words = _mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1));
  return _mm256_cmpeq_epi16(_mm256_max_epi16(words, limit), limit);
}

// One bit for each of the 32 words, which are all zeros or all ones.
inline __attribute__((always_inline)) std::uint32_t mask_of(__m256i a, __m256i b) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(packed));
}

inline __attribute__((always_inline)) std::uint32_t test_line(const std::uint16_t* line,
                                                              std::uint32_t test) {
  const __m256i sketch = _mm256_set1_epi16(static_cast<short>(test));
  const __m256i a =
      _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(line)), sketch);
  const __m256i b =
      _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(line + 16)), sketch);
  switch (test >> 16) {
    case 0:
      return mask_of(few_bits<0>(a), few_bits<0>(b));
    case 1:
      return mask_of(few_bits<1>(a), few_bits<1>(b));
    case 2:
      return mask_of(few_bits<2>(a), few_bits<2>(b));
    case 3:
      return mask_of(few_bits<3>(a), few_bits<3>(b));
    default: {
      const __m256i limit = _mm256_set1_epi16(static_cast<short>(test >> 16));
      return mask_of(counted(a, limit), counted(b, limit));
    }
  }
}

std::size_t sieve_lines(const std::uint16_t* sketches, const std::uint32_t* lines,
                        const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                        std::uint32_t* passed) {
  std::size_t listed = 0;
  for (std::size_t k = 0; k < count; ++k) {
    _mm_prefetch(reinterpret_cast<const char*>(sketches + lines[k + kAhead] * kLine), _MM_HINT_T1);
    masks[k] = test_line(sketches + lines[k] * kLine, tests[k]);
    passed[listed] = static_cast<std::uint32_t>(k);
    listed += masks[k] != 0;
  }
  return listed;
}

std::size_t sieve_bucket(const std::uint16_t* sketches, std::size_t lines,
                         const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                         std::uint32_t* passed) {
  std::size_t listed = 0;
  std::size_t at = 0;
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t l = 0; l < lines; ++l, ++at) {
      masks[at] = test_line(sketches + l * kLine, tests[k]);
      passed[listed] = static_cast<std::uint32_t>(at);
      listed += masks[at] != 0;
    }
  }
  return listed;
}

void distances(const std::uint8_t* codes, const std::uint8_t* queries, std::size_t bytes,
               const Pair* pairs, std::size_t count, std::uint16_t* distances) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* a = codes + pairs[i].row * bytes;
    const std::uint8_t* b = queries + pairs[i].query * bytes;
    unsigned long long sum = 0;
    for (std::size_t at = 0; at < bytes; at += 8) {
      unsigned long long x;
      unsigned long long y;
      __builtin_memcpy(&x, a + at, 8);
      __builtin_memcpy(&y, b + at, 8);
      sum += static_cast<unsigned long long>(_mm_popcnt_u64(x ^ y));
    }
    distances[i] = static_cast<std::uint16_t>(sum);
  }
}

}  // namespace

extern const RingKernel kRingAvx2 = {sieve_lines, sieve_bucket, distances};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
