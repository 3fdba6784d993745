// PDQ's samples, their DCT and their quality with AVX-512.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "pdq/pdq_kernel.h"
#include "region_avx512.inc"

namespace screener {
namespace {

template <bool bounded>
INLINE void dct_with(const PdqMatrices& matrices, const float grid[kGrid][kGrid],
                     float coefficients[kBand][kBand], PdqRounding* rounding) {
  constexpr int kParts = kGrid / kTile;
  alignas(64) float half[kBand][kGrid];
  for (int i = 0; i < kBand; i += 2) {
    __m512 sum[2][kParts] = {}, partial[2][kParts] = {};
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kParts; ++j) {
        const __m512 value = _mm512_loadu_ps(grid[k] + j * kTile);
        for (int n = 0; n < 2; ++n) {
          sum[n][j] = _mm512_add_ps(
              sum[n][j], _mm512_mul_ps(_mm512_set1_ps(matrices.matrix[i + n][k]), value));
          if (bounded) partial[n][j] = _mm512_add_ps(partial[n][j], _mm512_abs_ps(sum[n][j]));
        }
      }
    for (int n = 0; n < 2; ++n)
      for (int j = 0; j < kParts; ++j) {
        _mm512_store_ps(half[i + n] + j * kTile, sum[n][j]);
        if (bounded) _mm512_store_ps(rounding->partial[i + n] + j * kTile, partial[n][j]);
      }
  }
  for (int i = 0; i < kBand; i += 8) {
    __m512 sum[8] = {}, second[8] = {};
    for (int k = 0; k < kGrid; ++k) {
      const __m512 row = _mm512_load_ps(matrices.turned[k]);
      for (int n = 0; n < 8; ++n) {
        const __m512 product = _mm512_mul_ps(_mm512_set1_ps(half[i + n][k]), row);
        sum[n] = _mm512_add_ps(sum[n], product);
        if (bounded)
          second[n] = _mm512_add_ps(second[n],
                                    _mm512_add_ps(_mm512_abs_ps(product), _mm512_abs_ps(sum[n])));
      }
    }
    for (int n = 0; n < 8; ++n) {
      _mm512_storeu_ps(coefficients[i + n], sum[n]);
      if (bounded) _mm512_store_ps(rounding->second[i + n], second[n]);
    }
  }
}

#include "pdq/pdq_dct.inc"

// Adds up terms, as small and as large as may be.
struct TermSums {
  __m512i least, most;

  INLINE TermSums() : least(_mm512_setzero_si512()), most(_mm512_setzero_si512()) {}
  INLINE void add(__m512 u, __m512 v, __m512 error, __mmask16 which = 0xffff) {
    const __m512 term = _mm512_mul_ps(_mm512_abs_ps(_mm512_sub_ps(u, v)), _mm512_set1_ps(kPdqTerm));
    const __m512 small = _mm512_max_ps(_mm512_sub_ps(term, error), _mm512_setzero_ps());
    const __m512 large = _mm512_add_ps(term, error);
    least = _mm512_add_epi32(least, _mm512_maskz_cvttps_epi32(which, small));
    most = _mm512_add_epi32(most, _mm512_maskz_cvttps_epi32(which, large));
  }
};

PdqTerms terms(const float grid[kGrid][kGrid], const PdqTermErrors& errors) {
  constexpr int kParts = kGrid / kTile;
  TermSums sums;
  __m512 above[kParts] = {};
  for (int i = 0; i < kGrid; ++i) {
    const __m512 beside = _mm512_set1_ps(i < errors.known ? errors.rounded : errors.beside[i]);
    __m512 row[kParts + 1];
    for (int j = 0; j < kParts; ++j) row[j] = _mm512_loadu_ps(grid[i] + j * kTile);
    row[kParts] = _mm512_setzero_ps();
    for (int j = 0; j < kParts; ++j) {
      const __m512 next = _mm512_castsi512_ps(
          _mm512_alignr_epi32(_mm512_castps_si512(row[j + 1]), _mm512_castps_si512(row[j]), 1));
      sums.add(row[j], next, beside, j == kParts - 1 ? 0x7fff : 0xffff);
      if (i > 0)
        sums.add(above[j], row[j],
                 i < errors.known ? _mm512_set1_ps(errors.rounded)
                                  : _mm512_load_ps(errors.above + j * kTile));
      above[j] = row[j];
    }
  }
  return {_mm512_reduce_add_epi32(sums.least), _mm512_reduce_add_epi32(sums.most)};
}

// The weighed sums of 64 bytes times `blocks`. Rows are taken in pairs: their bytes are
// interleaved, and one instruction multiplies and adds two. What stands in which register is put
// right at the end.
template <int blocks>
INLINE void weigh_blocks(const PdqTent& tent, int64_t x, float* out) {
  constexpr int64_t kBytes = 64;
  const __m512i zero = _mm512_setzero_si512();
  __m512 total[blocks][4] = {};
  for (int run = 0, row = 0; run < tent.runs; ++run) {
    __m512i low[blocks], high[blocks];
    for (int n = 0; n < blocks; ++n) low[n] = high[n] = zero;
    for (; row < tent.ends[run]; row += 2) {
      const uint8_t *first = tent.rows[row] + x, *second = tent.rows[row + 1] + x;
      const __m512i weights = _mm512_set1_epi32(static_cast<int>(tent.pairs[row / 2]));
      for (int n = 0; n < blocks; ++n) {
        _mm_prefetch(first + n * kBytes + kPdqAhead, _MM_HINT_T0);
        _mm_prefetch(second + n * kBytes + kPdqAhead, _MM_HINT_T0);
        const __m512i a = _mm512_loadu_si512(first + n * kBytes);
        const __m512i b = _mm512_loadu_si512(second + n * kBytes);
        low[n] =
            _mm512_add_epi16(low[n], _mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), weights));
        high[n] =
            _mm512_add_epi16(high[n], _mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), weights));
      }
    }
    for (int n = 0; n < blocks; ++n) {
      const __m512i words[4] = {
          _mm512_unpacklo_epi16(low[n], zero), _mm512_unpackhi_epi16(low[n], zero),
          _mm512_unpacklo_epi16(high[n], zero), _mm512_unpackhi_epi16(high[n], zero)};
      for (int i = 0; i < 4; ++i)
        total[n][i] = _mm512_add_ps(total[n][i], _mm512_cvtepi32_ps(words[i]));
    }
  }
  for (int n = 0; n < blocks; ++n) {
    const __m512 a = _mm512_shuffle_f32x4(total[n][0], total[n][1], 0x44);
    const __m512 b = _mm512_shuffle_f32x4(total[n][0], total[n][1], 0xee);
    const __m512 c = _mm512_shuffle_f32x4(total[n][2], total[n][3], 0x44);
    const __m512 d = _mm512_shuffle_f32x4(total[n][2], total[n][3], 0xee);
    float* to = out + x + n * kBytes;
    _mm512_storeu_ps(to, _mm512_shuffle_f32x4(a, c, 0x88));
    _mm512_storeu_ps(to + 16, _mm512_shuffle_f32x4(a, c, 0xdd));
    _mm512_storeu_ps(to + 32, _mm512_shuffle_f32x4(b, d, 0x88));
    _mm512_storeu_ps(to + 48, _mm512_shuffle_f32x4(b, d, 0xdd));
  }
}

void weigh(const PdqTent& tent, int64_t bytes, float* out) {
  if (bytes < 64) {
    kPdqScalar.weigh(tent, bytes, out);
    return;
  }
  int64_t x = 0;
  for (; x + 128 <= bytes; x += 128) weigh_blocks<2>(tent, x, out);
  for (; x < bytes; x += 64) weigh_blocks<1>(tent, x + 64 <= bytes ? x : bytes - 64, out);
}

// The sums of each register's lanes: 8, 4, 2 and 1 apart are added, of two registers at a time.
// Number 4·n + k comes from v[4·k + n].
INLINE __m512 sum_lanes(__m512 v[kTile]) {
  for (int i = 0; i < 8; ++i)
    v[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44),
                         _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xee));
  for (int i = 0; i < 4; ++i)
    v[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x88),
                         _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xdd));
  for (int i = 0; i < 2; ++i)
    v[i] = _mm512_add_ps(_mm512_shuffle_ps(v[2 * i], v[2 * i + 1], 0x44),
                         _mm512_shuffle_ps(v[2 * i], v[2 * i + 1], 0xee));
  return _mm512_add_ps(_mm512_shuffle_ps(v[0], v[1], 0x88), _mm512_shuffle_ps(v[0], v[1], 0xdd));
}

// Sixteen samples at once, of which each has to wait for its own sum.
template <bool one>
INLINE __m512 across_tile(const PdqAcross& plan, const float* sums, int j) {
  const int64_t end = one ? kTile : plan.vectors * kTile;
  __m512 lanes[kTile];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) lanes[i] = _mm512_setzero_ps();
  for (int64_t n = 0; n < end; n += kTile) {
    const __m512 weights = _mm512_loadu_ps(plan.weights[0] + n);
    const __m512 last = _mm512_loadu_ps(plan.weights[j + kTile == kGrid] + n);
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
      const int k = i % 4 * 4 + i / 4;
      const __m512 inputs = _mm512_loadu_ps(sums + plan.firsts[j + k] + n);
      lanes[i] = _mm512_add_ps(lanes[i], _mm512_mul_ps(inputs, k == kTile - 1 ? last : weights));
    }
  }
  return sum_lanes(lanes);
}

void across(const PdqAcross& plan, const float* sums, float out[kGrid]) {
  for (int j = 0; j < kGrid; j += kTile)
    _mm512_storeu_ps(out + j, plan.vectors == 1 ? across_tile<true>(plan, sums, j)
                                                : across_tile<false>(plan, sums, j));
}

}  // namespace

const PdqKernel kPdqAvx512 = {pdq_grey_avx512, pdq_rgb_avx512,  pdq_turn_avx512, dct,   dct_bounded,
                              terms,           pdq_copy_avx512, weigh,           across};

}  // namespace screener

#include "region_end.inc"
#endif
