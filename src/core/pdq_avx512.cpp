// PDQ's loops with AVX-512: a register holds one input of sixteen lines.
//
// Costs on Zen 4, one core: a tile of 16×16 RGB pixels takes about 70 ns in the first box and 45 ns
// in the next two. The divider is busy for 26 ns of each, and sixteen steps of a running sum take
// as long, two dependent operations a step: that is why other work stands between the steps.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "pdq_kernel.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

namespace screener {
namespace {

#define INLINE __attribute__((always_inline)) inline

constexpr int64_t kAhead = 512;  // bytes: far enough ahead for memory to keep up

// In each quarter of the registers alone, turns 4×4 floats.
INLINE void turn_quarters(__m512 v[4]) {
  const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
  v[0] = _mm512_shuffle_ps(a, c, 0x44);
  v[1] = _mm512_shuffle_ps(a, c, 0xee);
  v[2] = _mm512_shuffle_ps(b, d, 0x44);
  v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

INLINE void turn_tile(__m512 v[kTile]) {
  for (int i = 0; i < kTile; i += 4) turn_quarters(v + i);
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
    const __m512 b = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    v[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    v[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
    v[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
    v[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

// Sixteen bytes of rows i, i + 4, i + 8 and i + 12: the quarters that turning needs.
__m512i four_rows(const uint8_t* const rows[kTile], int i, int64_t offset) {
  const auto bytes = [&](int row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset));
  };
  __m512i all = _mm512_castsi128_si512(bytes(i));
  all = _mm512_inserti32x4(all, bytes(i + 4), 1);
  all = _mm512_inserti32x4(all, bytes(i + 8), 2);
  return _mm512_inserti32x4(all, bytes(i + 12), 3);
}

// The sum of the weights is below 2^18 and 65 has seven bits: the first product is exact, and for
// each of the 255,001 sums the result is the correctly rounded thousandth (all are tested).
__m512 luma(__m512i pixels) {
  const __m512i red_green = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1));
  const __m512i blue = _mm512_broadcast_i32x4(
      _mm_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1));
  const __m512i sum = _mm512_add_epi32(
      _mm512_madd_epi16(_mm512_shuffle_epi8(pixels, red_green), _mm512_set1_epi32(299 | 587 << 16)),
      _mm512_madd_epi16(_mm512_shuffle_epi8(pixels, blue), _mm512_set1_epi32(114)));
  const __m512 value = _mm512_cvtepi32_ps(sum);
  return _mm512_fmadd_ps(value, _mm512_set1_ps(65.0f / 65536.0f),
                         _mm512_mul_ps(value, _mm512_set1_ps(0.001 - 65.0 / 65536.0)));
}

// The luma of a tile of pixels, made in sixteen steps and stored one column after another.
struct Rgb {
  static constexpr int channels = 3;
  const uint8_t* const* rows;
  int64_t offset;
  __m512 four[4];

  INLINE Rgb(const uint8_t* const* strip_rows, int64_t column)
      : rows(strip_rows), offset(column * channels) {}
  INLINE void step(int n, float* tile) {
    four[n % 4] = luma(four_rows(rows, n % 4, offset + n / 4 * 12));
    if (n % 4 != 3) return;
    turn_quarters(four);
    for (int i = 0; i < 4; ++i) _mm512_store_ps(tile + (n - 3 + i) * kTile, four[i]);
  }
};

struct Grey {
  static constexpr int channels = 1;
  alignas(64) uint8_t columns[kTile][kTile];

  INLINE Grey(const uint8_t* const* rows, int64_t column) {
    const __m512i spread = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = four_rows(rows, 0, column), b = four_rows(rows, 1, column);
    const __m512i c = four_rows(rows, 2, column), d = four_rows(rows, 3, column);
    const __m512i low[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d)};
    const __m512i high[2] = {_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d)};
    const __m512i four[4] = {
        _mm512_unpacklo_epi16(low[0], low[1]), _mm512_unpackhi_epi16(low[0], low[1]),
        _mm512_unpacklo_epi16(high[0], high[1]), _mm512_unpackhi_epi16(high[0], high[1])};
    for (int i = 0; i < 4; ++i)
      _mm512_store_si512(columns[i * 4], _mm512_permutexvar_epi32(spread, four[i]));
  }
  INLINE void step(int n, float* tile) {
    const __m128i column = _mm_load_si128(reinterpret_cast<const __m128i*>(columns[n]));
    _mm512_store_ps(tile + n * kTile, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(column)));
  }
};

// The sums of sixteen lines after one more input.
INLINE __m512 step(__m512 sum, const float* entering, const float* leaving) {
  return _mm512_sub_ps(_mm512_add_ps(sum, _mm512_load_ps(entering)), _mm512_load_ps(leaving));
}

// One tile of the first box: its luma stands at `now`. The next tile's is made between the steps,
// each of which has to wait for the sum of the one before it.
template <class Colour, bool more>
INLINE __m512 box_tile(const PdqStrip& strip, int64_t column, __m512 sum, const float* now,
                       float* next) {
  const float* leaving = now - strip.before->window * kTile;
  const auto rows = static_cast<__mmask16>((1u << strip.height) - 1);
  Colour ahead(strip.rows, more ? column + kTile : column);
  __m512 v[kTile];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    if (more) ahead.step(i, next);
    sum = step(sum, now + i * kTile, leaving + i * kTile);
    v[i] = _mm512_maskz_div_ps(rows, sum, _mm512_set1_ps(strip.counts[column + i]));
  }
  turn_tile(v);
  for (int i = 0; i < kTile; ++i) _mm512_store_ps(strip.kept[i] + column, v[i]);
  return sum;
}

// The first box: pixels in, the strip's rows that are kept out.
template <class Colour>
void box_rows(const PdqStrip& strip) {
  const int64_t last = (strip.tiles - 1) * kTile;
  __m512 sum = _mm512_load_ps(strip.before->sums);
  float* now = box_enter(*strip.before);
  Colour first(strip.rows, 0);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) first.step(i, now);
  for (int64_t column = 0; column < last; column += kTile) {
    for (int i = 0; i < kTile; ++i)
      _mm_prefetch(strip.rows[i] + column * Colour::channels + kAhead, _MM_HINT_T0);
    float* next = box_enter(*strip.before);
    sum = box_tile<Colour, true>(strip, column, sum, now, next);
    now = next;
  }
  sum = box_tile<Colour, false>(strip, last, sum, now, nullptr);
  _mm512_store_ps(strip.before->sums, sum);
}

// Divides the sums that are samples; the tile's first input has the number `first`.
void take_samples(BoxSamples& samples, int64_t first, const float sums[kTile][kTile]) {
  for (; samples.inputs[samples.next] < first + kTile; ++samples.next)
    _mm512_store_ps(samples.values[samples.next],
                    _mm512_div_ps(_mm512_load_ps(sums[samples.inputs[samples.next] - first]),
                                  _mm512_set1_ps(samples.counts[samples.next])));
}

// The second box down a tile of kept rows, and the third along the tile before it, which stands at
// `before`: a step of one between two of the other, since each has to wait for its own sum. What
// comes out of the second goes to where the third will find it.
template <bool second, bool third>
INLINE __m512 box_tiles(const PdqStrip& strip, int64_t column, __m512 across,
                        const float*& before) {
  BoxLines& lines = *strip.after;
  const float* leaving = third ? before - lines.window * kTile : nullptr;
  const int64_t number = lines.next - kTile;
  alignas(64) float sums[kTile][kTile];
  __m512 down = second ? _mm512_load_ps(strip.sums + column) : across;
  __m512 v[kTile];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    if (second) {
      down = step(down, strip.kept[i] + column, strip.removed[i] + column);
      v[i] = _mm512_div_ps(down, _mm512_set1_ps(strip.row_counts[i]));
    }
    if (third) {
      across = step(across, before + i * kTile, leaving + i * kTile);
      _mm512_store_ps(sums[i], across);
    }
  }
  if (third) take_samples(*strip.samples, number, sums);
  if (second) {
    _mm512_store_ps(strip.sums + column, down);
    turn_tile(v);
    float* entering = box_enter(lines);
    for (int i = 0; i < kTile; ++i) _mm512_store_ps(entering + i * kTile, v[i]);
    before = entering;
  }
  return across;
}

// The second box and the third: kept rows in, samples out.
void box_columns(const PdqStrip& strip) {
  const float* before = nullptr;
  __m512 across = _mm512_load_ps(strip.after->sums);
  across = box_tiles<true, false>(strip, 0, across, before);
  for (int64_t column = kTile; column < strip.tiles * kTile; column += kTile)
    across = box_tiles<true, true>(strip, column, across, before);
  across = box_tiles<false, true>(strip, 0, across, before);
  _mm512_store_ps(strip.after->sums, across);
}

template <class Colour>
void run(const PdqStrip& strip) {
  box_rows<Colour>(strip);
  box_columns(strip);
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int j = 0; j < kGrid; j += kTile) {
    __m512 v[kTile];
    for (int i = 0; i < kTile; ++i) v[i] = _mm512_load_ps(samples[j + i]);
    turn_tile(v);
    for (int i = 0; i < kTile; ++i) _mm512_store_ps(rows[i] + j, v[i]);
  }
}

template <bool bounded>
INLINE void dct_with(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
                     const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
                     PdqRounding* rounding) {
  constexpr int kParts = kGrid / kTile;
  alignas(64) float half[kBand][kGrid];
  for (int i = 0; i < kBand; i += 2) {
    __m512 sum[2][kParts] = {}, partial[2][kParts] = {};
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kParts; ++j) {
        const __m512 value = _mm512_loadu_ps(grid[k] + j * kTile);
        for (int n = 0; n < 2; ++n) {
          sum[n][j] =
              _mm512_add_ps(sum[n][j], _mm512_mul_ps(_mm512_set1_ps(matrix[i + n][k]), value));
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
      const __m512 cosines = _mm512_load_ps(turned[k]);
      for (int n = 0; n < 8; ++n) {
        const __m512 product = _mm512_mul_ps(_mm512_set1_ps(half[i + n][k]), cosines);
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

void dct(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
         const float grid[kGrid][kGrid], float coefficients[kBand][kBand]) {
  dct_with<false>(matrix, turned, grid, coefficients, nullptr);
}

void dct_bounded(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
                 const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
                 PdqRounding& rounding) {
  dct_with<true>(matrix, turned, grid, coefficients, &rounding);
}

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
        _mm_prefetch(first + n * kBytes + kAhead, _MM_HINT_T0);
        _mm_prefetch(second + n * kBytes + kAhead, _MM_HINT_T0);
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

const PdqKernel kPdqAvx512 = {run<Grey>, run<Rgb>,      turn,  dct,   dct_bounded,
                              terms,     pdq_copy_avx2, weigh, across};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif
