// The tests of an index for AVX-512: the 32 sketches of a cache line in one vector.
#include "ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Opens after the last include: see scan_avx2.cpp.
#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((                                                                         \
        target("avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,avx512bitalg,popcnt"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,avx512bitalg,popcnt")
#endif

namespace screener {
namespace {

inline __attribute__((always_inline)) std::uint32_t within(__m512i line, __m512i sketch,
                                                           __m512i limit) {
  return _mm512_cmple_epu16_mask(_mm512_popcnt_epi16(_mm512_xor_si512(line, sketch)), limit);
}

inline __attribute__((always_inline)) __m512i sketch_of(std::uint32_t test) {
  return _mm512_set1_epi16(static_cast<short>(test));
}

inline __attribute__((always_inline)) __m512i limit_of(std::uint32_t test) {
  return _mm512_set1_epi16(static_cast<short>(test >> 16));
}

// Masks that are not zero are few; a branch on each would cost more than the tests.
inline __attribute__((always_inline)) std::size_t list_passed(std::uint32_t* masks,
                                                              std::size_t count,
                                                              std::uint32_t* passed) {
  _mm512_storeu_si512(masks + count, _mm512_setzero_si512());
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t listed = 0;
  for (std::size_t k = 0; k < count; k += 16) {
    const __m512i some = _mm512_loadu_si512(masks + k);
    const __mmask16 any = _mm512_test_epi32_mask(some, some);
    _mm512_storeu_si512(passed + listed, _mm512_maskz_compress_epi32(any, at));
    listed += static_cast<std::size_t>(_mm_popcnt_u32(any));
    at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
  }
  return listed;
}

std::size_t sieve_lines(const std::uint16_t* sketches, const std::uint32_t* lines,
                        const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                        std::uint32_t* passed) {
  for (std::size_t k = 0; k < count; ++k) {
    // Into the second cache, not the first, which has few places for lines on their way.
    _mm_prefetch(reinterpret_cast<const char*>(sketches + lines[k + kAhead] * kLine), _MM_HINT_T1);
    const __m512i line = _mm512_load_si512(sketches + lines[k] * kLine);
    masks[k] = within(line, sketch_of(tests[k]), limit_of(tests[k]));
  }
  return list_passed(masks, count, passed);
}

template <std::size_t kLines>
inline __attribute__((always_inline)) void test_bucket(const std::uint16_t* sketches,
                                                       const std::uint32_t* tests,
                                                       std::size_t count, std::uint32_t* masks) {
  __m512i lines[kLines];
#pragma GCC unroll 8
  for (std::size_t l = 0; l < kLines; ++l) lines[l] = _mm512_load_si512(sketches + l * kLine);
  for (std::size_t k = 0; k < count; ++k) {
    const __m512i sketch = sketch_of(tests[k]);
    const __m512i limit = limit_of(tests[k]);
#pragma GCC unroll 8
    for (std::size_t l = 0; l < kLines; ++l)
      masks[k * kLines + l] = within(lines[l], sketch, limit);
  }
}

std::size_t sieve_bucket(const std::uint16_t* sketches, std::size_t lines,
                         const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                         std::uint32_t* passed) {
  switch (lines) {
    case 1:
      test_bucket<1>(sketches, tests, count, masks);
      break;
    case 2:
      test_bucket<2>(sketches, tests, count, masks);
      break;
    case 3:
      test_bucket<3>(sketches, tests, count, masks);
      break;
    case 4:
      test_bucket<4>(sketches, tests, count, masks);
      break;
    case 5:
      test_bucket<5>(sketches, tests, count, masks);
      break;
    case 6:
      test_bucket<6>(sketches, tests, count, masks);
      break;
    case 7:
      test_bucket<7>(sketches, tests, count, masks);
      break;
    default:
      test_bucket<8>(sketches, tests, count, masks);
  }
  return list_passed(masks, count * lines, passed);
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

extern const RingKernel kRingAvx512 = {sieve_lines, sieve_bucket, distances};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
