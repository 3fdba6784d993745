// PDQ's samples, their DCT and their quality with AVX2.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "pdq/pdq_kernel.h"
#include "region_avx2.inc"

namespace screener {
namespace {

constexpr int kLanes = 8;

INLINE __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

// One row of a product of matrices: factors[k] · rows[k][0…15], from the first k to the last; if
// asked for, the sum of what the sums were on the way and of the products, absolute.
template <bool bounded, bool products>
INLINE void product(const float* factors, const float* rows, int64_t step, float* out,
                    float* bound) {
  __m256 sum[2] = {}, all[2] = {};
  for (int k = 0; k < kGrid; ++k) {
    const __m256 factor = _mm256_set1_ps(factors[k]);
    for (int n = 0; n < 2; ++n) {
      const __m256 term = _mm256_mul_ps(factor, _mm256_loadu_ps(rows + k * step + n * kLanes));
      sum[n] = _mm256_add_ps(sum[n], term);
      if (!bounded) continue;
      all[n] = _mm256_add_ps(
          all[n], products ? _mm256_add_ps(absolute(term), absolute(sum[n])) : absolute(sum[n]));
    }
  }
  for (int n = 0; n < 2; ++n) {
    _mm256_storeu_ps(out + n * kLanes, sum[n]);
    if (bounded) _mm256_store_ps(bound + n * kLanes, all[n]);
  }
}

#include "pdq/pdq_dct_by_rows.inc"

// Adds up terms, as small and as large as may be.
struct TermSums {
  __m256i least, most;

  INLINE TermSums() : least(_mm256_setzero_si256()), most(_mm256_setzero_si256()) {}
  INLINE void add(__m256 u, __m256 v, __m256 error, __m256i which) {
    const __m256 term = _mm256_mul_ps(absolute(_mm256_sub_ps(u, v)), _mm256_set1_ps(kPdqTerm));
    const __m256 small = _mm256_max_ps(_mm256_sub_ps(term, error), _mm256_setzero_ps());
    const __m256 large = _mm256_add_ps(term, error);
    least = _mm256_add_epi32(least, _mm256_and_si256(_mm256_cvttps_epi32(small), which));
    most = _mm256_add_epi32(most, _mm256_and_si256(_mm256_cvttps_epi32(large), which));
  }
};

INLINE int sum_lanes(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

PdqTerms terms(const float grid[kGrid][kGrid], const PdqTermErrors& errors) {
  constexpr int kLast = kGrid - kLanes;
  const __m256i all = _mm256_set1_epi32(-1);
  const __m256i seven = _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, -1, 0);
  const __m256 rounded = _mm256_set1_ps(errors.rounded);
  TermSums sums;
  for (int i = 0; i < kGrid; ++i) {
    const bool known = i < errors.known;
    const __m256 beside = known ? rounded : _mm256_set1_ps(errors.beside[i]);
    for (int j = 0; j < kGrid; j += kLanes) {
      const __m256 row = _mm256_loadu_ps(grid[i] + j);
      // The last sample of a row has none beside it.
      const __m256 next =
          j < kLast ? _mm256_loadu_ps(grid[i] + j + 1)
                    : _mm256_permutevar8x32_ps(row, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7));
      sums.add(row, next, beside, j < kLast ? all : seven);
      if (i > 0)
        sums.add(_mm256_loadu_ps(grid[i - 1] + j), row,
                 known ? rounded : _mm256_load_ps(errors.above + j), all);
    }
  }
  return {sum_lanes(sums.least), sum_lanes(sums.most)};
}

// The weighed sums of 32 bytes times `blocks`. Rows are taken in pairs: their bytes are
// interleaved, and one instruction multiplies and adds two. What stands in which register is put
// right at the end.
template <int blocks>
INLINE void weigh_blocks(const PdqTent& tent, int64_t x, float* out) {
  constexpr int64_t kBytes = 32;
  const __m256i zero = _mm256_setzero_si256();
  __m256 total[blocks][4] = {};
  for (int run = 0, row = 0; run < tent.runs; ++run) {
    __m256i low[blocks], high[blocks];
    for (int n = 0; n < blocks; ++n) low[n] = high[n] = zero;
    for (; row < tent.ends[run]; row += 2) {
      const uint8_t *first = tent.rows[row] + x, *second = tent.rows[row + 1] + x;
      const __m256i weights = _mm256_set1_epi32(static_cast<int>(tent.pairs[row / 2]));
      _mm_prefetch(first + kPdqAhead, _MM_HINT_T0);
      _mm_prefetch(second + kPdqAhead, _MM_HINT_T0);
      for (int n = 0; n < blocks; ++n) {
        const auto load = [&](const uint8_t* from) {
          return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + n * kBytes));
        };
        const __m256i a = load(first), b = load(second);
        low[n] =
            _mm256_add_epi16(low[n], _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), weights));
        high[n] =
            _mm256_add_epi16(high[n], _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), weights));
      }
    }
    for (int n = 0; n < blocks; ++n) {
      const __m256i words[4] = {
          _mm256_unpacklo_epi16(low[n], zero), _mm256_unpackhi_epi16(low[n], zero),
          _mm256_unpacklo_epi16(high[n], zero), _mm256_unpackhi_epi16(high[n], zero)};
      for (int i = 0; i < 4; ++i)
        total[n][i] = _mm256_add_ps(total[n][i], _mm256_cvtepi32_ps(words[i]));
    }
  }
  for (int n = 0; n < blocks; ++n) {
    float* to = out + x + n * kBytes;
    for (int i = 0; i < 4; i += 2) {
      _mm256_storeu_ps(to + i * 4, _mm256_permute2f128_ps(total[n][i], total[n][i + 1], 0x20));
      _mm256_storeu_ps(to + i * 4 + 16, _mm256_permute2f128_ps(total[n][i], total[n][i + 1], 0x31));
    }
  }
}

void weigh(const PdqTent& tent, int64_t bytes, float* out) {
  if (bytes < 32) {
    kPdqScalar.weigh(tent, bytes, out);
    return;
  }
  int64_t x = 0;
  for (; x + 64 <= bytes; x += 64) weigh_blocks<2>(tent, x, out);
  for (; x < bytes; x += 32) weigh_blocks<1>(tent, x + 32 <= bytes ? x : bytes - 32, out);
}

// The weighed inputs of a sample in eight sums: lanes 8 apart are added.
template <bool one>
INLINE __m256 across_one(const float* inputs, const float* weights, int64_t vectors) {
  const int64_t end = one ? kTile : vectors * kTile;
  __m256 lanes[2] = {};
  for (int64_t n = 0; n < end; n += kTile)
    for (int h = 0; h < 2; ++h) {
      const int64_t at = n + h * kLanes;
      lanes[h] = _mm256_add_ps(
          lanes[h], _mm256_mul_ps(_mm256_loadu_ps(inputs + at), _mm256_loadu_ps(weights + at)));
    }
  return _mm256_add_ps(lanes[0], lanes[1]);
}

// Eight samples: lanes 4, 2 and 1 apart are added, of two registers at a time.
template <bool one>
INLINE __m256 across_eight(const PdqAcross& plan, const float* sums, int j) {
  __m256 four[4], two[2];
  const auto lanes = [&](int i) {
    const float* weights = plan.weights[j + i == kGrid - 1];
    return across_one<one>(sums + plan.firsts[j + i], weights, plan.vectors);
  };
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256 a = lanes(i), b = lanes(i + 4);
    four[i] = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  }
  for (int i = 0; i < 2; ++i)
    two[i] = _mm256_add_ps(_mm256_shuffle_ps(four[2 * i], four[2 * i + 1], 0x44),
                           _mm256_shuffle_ps(four[2 * i], four[2 * i + 1], 0xee));
  return _mm256_add_ps(_mm256_shuffle_ps(two[0], two[1], 0x88),
                       _mm256_shuffle_ps(two[0], two[1], 0xdd));
}

void across(const PdqAcross& plan, const float* sums, float out[kGrid]) {
  for (int j = 0; j < kGrid; j += kLanes)
    _mm256_storeu_ps(out + j, plan.vectors == 1 ? across_eight<true>(plan, sums, j)
                                                : across_eight<false>(plan, sums, j));
}

}  // namespace

const PdqKernel kPdqAvx2 = {pdq_grey_avx2, pdq_rgb_avx2,  pdq_turn_avx2, dct,   dct_bounded,
                            terms,         pdq_copy_avx2, weigh,         across};

}  // namespace screener

#include "region_end.inc"
#endif
