// PDQ's loops with AVX2: a register holds one input of eight lines, and two sets of eight lines
// run side by side. The target leaves out FMA, which would round differently.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "pdq_kernel.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

namespace screener {
namespace {

#define INLINE __attribute__((always_inline)) inline

constexpr int kLanes = 8;
constexpr int64_t kAhead = 512;  // bytes: far enough ahead for memory to keep up

// In each half of the registers alone, turns 4×4 floats.
INLINE void turn_halves(__m256 v[4]) {
  const __m256 a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
  const __m256 c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
  v[0] = _mm256_shuffle_ps(a, c, 0x44);
  v[1] = _mm256_shuffle_ps(a, c, 0xee);
  v[2] = _mm256_shuffle_ps(b, d, 0x44);
  v[3] = _mm256_shuffle_ps(b, d, 0xee);
}

// Turns the 8×8 floats at `in` whose rows are `apart` floats from one another. Loading each half
// where it belongs saves shuffles across the middle of the registers.
INLINE void turn_block(const float* in, int64_t apart, __m256 v[kLanes]) {
  const auto halves = [&](const float* upper) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(upper)),
                                _mm_load_ps(upper + 4 * apart), 1);
  };
  for (int i = 0; i < 4; ++i) {
    v[i] = halves(in + i * apart);
    v[i + 4] = halves(in + i * apart + 4);
  }
  turn_halves(v);
  turn_halves(v + 4);
}

// Sixteen bytes of row i and of row i + 4: the halves that turning needs.
__m256i two_rows(const uint8_t* const* rows, int i, int64_t offset) {
  const auto bytes = [&](int row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset));
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(bytes(i)), bytes(i + 4), 1);
}

// The sum of the weights is below 2^18 and 65 has seven bits: the first product is exact, and for
// each of the 255,001 sums the result is the correctly rounded thousandth (all are tested).
__m256 luma(__m256i pixels) {
  const __m256i red_green = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1));
  const __m256i blue = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1));
  const __m256i sum = _mm256_add_epi32(
      _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, red_green), _mm256_set1_epi32(299 | 587 << 16)),
      _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, blue), _mm256_set1_epi32(114)));
  const __m256 value = _mm256_cvtepi32_ps(sum);
  return _mm256_add_ps(_mm256_mul_ps(value, _mm256_set1_ps(65.0f / 65536.0f)),
                       _mm256_mul_ps(value, _mm256_set1_ps(0.001 - 65.0 / 65536.0)));
}

// The luma of a tile of pixels, made in sixteen steps and stored one column after another.
struct Rgb {
  static constexpr int channels = 3;
  const uint8_t* const* rows;
  int64_t offset;
  __m256 four[4];

  INLINE Rgb(const uint8_t* const* strip_rows, int64_t column)
      : rows(strip_rows), offset(column * channels) {}
  // Two steps make four columns of eight rows.
  INLINE void step(int n, float* tile) {
    const int y = n / kLanes * kLanes, x = n / 2 % 4 * 4, first = n % 2 * 2;
    for (int i = first; i < first + 2; ++i) four[i] = luma(two_rows(rows + y, i, offset + x * 3));
    if (first == 0) return;
    turn_halves(four);
    for (int i = 0; i < 4; ++i) _mm256_store_ps(tile + (x + i) * kTile + y, four[i]);
  }
};

struct Grey {
  static constexpr int channels = 1;
  alignas(32) uint8_t columns[2][kTile][kLanes];

  INLINE Grey(const uint8_t* const* rows, int64_t column) {
    const __m256i spread = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int half = 0; half < 2; ++half) {
      const uint8_t* const* eight = rows + half * kLanes;
      const __m256i a = two_rows(eight, 0, column), b = two_rows(eight, 1, column);
      const __m256i c = two_rows(eight, 2, column), d = two_rows(eight, 3, column);
      const __m256i low[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d)};
      const __m256i high[2] = {_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d)};
      const __m256i four[4] = {
          _mm256_unpacklo_epi16(low[0], low[1]), _mm256_unpackhi_epi16(low[0], low[1]),
          _mm256_unpacklo_epi16(high[0], high[1]), _mm256_unpackhi_epi16(high[0], high[1])};
      for (int i = 0; i < 4; ++i)
        _mm256_store_si256(reinterpret_cast<__m256i*>(columns[half][i * 4]),
                           _mm256_permutevar8x32_epi32(four[i], spread));
    }
  }
  INLINE void step(int n, float* tile) {
    for (int half = 0; half < 2; ++half) {
      const auto* column = reinterpret_cast<const __m128i*>(columns[half][n]);
      _mm256_store_ps(tile + n * kTile + half * kLanes,
                      _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(column))));
    }
  }
};

// Sixteen running sums.
struct Sums {
  __m256 low, high;

  INLINE explicit Sums(const float* from)
      : low(_mm256_load_ps(from)), high(_mm256_load_ps(from + kLanes)) {}
  INLINE void step(const float* entering, const float* leaving) {
    low = _mm256_sub_ps(_mm256_add_ps(low, _mm256_load_ps(entering)), _mm256_load_ps(leaving));
    high = _mm256_sub_ps(_mm256_add_ps(high, _mm256_load_ps(entering + kLanes)),
                         _mm256_load_ps(leaving + kLanes));
  }
  INLINE void store(float* to) const {
    _mm256_store_ps(to, low);
    _mm256_store_ps(to + kLanes, high);
  }
  INLINE void divide(float count, float* to) const {
    const __m256 counts = _mm256_set1_ps(count);
    _mm256_store_ps(to, _mm256_div_ps(low, counts));
    _mm256_store_ps(to + kLanes, _mm256_div_ps(high, counts));
  }
};

// One tile of the first box: its luma stands at `now`. The next tile's is made between the steps,
// each of which has to wait for the sum of the one before it.
template <class Colour, bool more>
INLINE void box_tile(const PdqStrip& strip, int64_t column, Sums& sums, const float* now,
                     float* next) {
  const float* leaving = now - strip.before->window * kTile;
  Colour ahead(strip.rows, more ? column + kTile : column);
  alignas(64) float quotients[kTile][kTile];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    if (more) ahead.step(i, next);
    sums.step(now + i * kTile, leaving + i * kTile);
    sums.divide(strip.counts[column + i], quotients[i]);
  }
  for (int y = 0; y < kTile; y += kLanes)
    for (int x = 0; x < kTile; x += kLanes) {
      __m256 v[kLanes];
      turn_block(&quotients[x][y], kTile, v);
      for (int i = 0; i < kLanes; ++i)
        _mm256_store_ps(strip.kept[y + i] + column + x,
                        y + i < strip.height ? v[i] : _mm256_setzero_ps());
    }
}

// The first box: pixels in, the strip's rows that are kept out.
template <class Colour>
void box_rows(const PdqStrip& strip) {
  const int64_t last = (strip.tiles - 1) * kTile;
  Sums sums(strip.before->sums);
  float* now = box_enter(*strip.before);
  Colour first(strip.rows, 0);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) first.step(i, now);
  for (int64_t column = 0; column < last; column += kTile) {
    for (int i = 0; i < kTile; ++i)
      _mm_prefetch(strip.rows[i] + column * Colour::channels + kAhead, _MM_HINT_T0);
    float* next = box_enter(*strip.before);
    box_tile<Colour, true>(strip, column, sums, now, next);
    now = next;
  }
  box_tile<Colour, false>(strip, last, sums, now, nullptr);
  sums.store(strip.before->sums);
}

// Divides the sums that are samples; the tile's first input has the number `first`.
void take_samples(BoxSamples& samples, int64_t first, const float sums[kTile][kTile]) {
  for (; samples.inputs[samples.next] < first + kTile; ++samples.next)
    Sums(sums[samples.inputs[samples.next] - first])
        .divide(samples.counts[samples.next], samples.values[samples.next]);
}

// The second box down a tile of kept rows, and the third along the tile before it, which stands at
// `before`: a step of one between two of the other, since each has to wait for its own sum. What
// comes out of the second goes to where the third will find it.
template <bool second, bool third>
INLINE void box_tiles(const PdqStrip& strip, int64_t column, Sums& across, const float*& before) {
  BoxLines& lines = *strip.after;
  const float* leaving = third ? before - lines.window * kTile : nullptr;
  const int64_t number = lines.next - kTile;
  alignas(64) float sums[kTile][kTile], quotients[kTile][kTile];
  Sums down(strip.sums + column);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    if (second) {
      down.step(strip.kept[i] + column, strip.removed[i] + column);
      down.divide(strip.row_counts[i], quotients[i]);
    }
    if (third) {
      across.step(before + i * kTile, leaving + i * kTile);
      across.store(sums[i]);
    }
  }
  if (third) take_samples(*strip.samples, number, sums);
  if (!second) return;
  down.store(strip.sums + column);
  float* entering = box_enter(lines);
  for (int y = 0; y < kTile; y += kLanes)
    for (int x = 0; x < kTile; x += kLanes) {
      __m256 v[kLanes];
      turn_block(&quotients[y][x], kTile, v);
      for (int i = 0; i < kLanes; ++i) _mm256_store_ps(entering + (x + i) * kTile + y, v[i]);
    }
  before = entering;
}

// The second box and the third: kept rows in, samples out.
void box_columns(const PdqStrip& strip) {
  const float* before = nullptr;
  Sums across(strip.after->sums);
  box_tiles<true, false>(strip, 0, across, before);
  for (int64_t column = kTile; column < strip.tiles * kTile; column += kTile)
    box_tiles<true, true>(strip, column, across, before);
  box_tiles<false, true>(strip, 0, across, before);
  across.store(strip.after->sums);
}

template <class Colour>
void run(const PdqStrip& strip) {
  box_rows<Colour>(strip);
  box_columns(strip);
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int j = 0; j < kGrid; j += kLanes)
    for (int y = 0; y < kTile; y += kLanes) {
      __m256 v[kLanes];
      turn_block(&samples[j][y], kTile, v);
      for (int i = 0; i < kLanes; ++i) _mm256_store_ps(rows[y + i] + j, v[i]);
    }
}

INLINE __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

// One row of a product of matrices: factors[k] · rows[k][0…15], from the first k to the last; if
// asked for, the sum of what the sums were on the way and of the products, absolute.
template <bool sums, bool products>
INLINE void product(const float* factors, const float* rows, int64_t step, float* out,
                    float* bound) {
  __m256 sum[2] = {}, all[2] = {};
  for (int k = 0; k < kGrid; ++k) {
    const __m256 factor = _mm256_set1_ps(factors[k]);
    for (int n = 0; n < 2; ++n) {
      const __m256 term = _mm256_mul_ps(factor, _mm256_loadu_ps(rows + k * step + n * kLanes));
      sum[n] = _mm256_add_ps(sum[n], term);
      if (!sums) continue;
      all[n] = _mm256_add_ps(
          all[n], products ? _mm256_add_ps(absolute(term), absolute(sum[n])) : absolute(sum[n]));
    }
  }
  for (int n = 0; n < 2; ++n) {
    _mm256_storeu_ps(out + n * kLanes, sum[n]);
    if (sums) _mm256_store_ps(bound + n * kLanes, all[n]);
  }
}

template <bool bounded>
INLINE void dct_with(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
                     const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
                     PdqRounding* rounding) {
  for (int i = 0; i < kBand; ++i) {
    alignas(64) float half[kGrid];
    for (int j = 0; j < kGrid; j += kTile)
      product<bounded, false>(matrix[i], grid[0] + j, kGrid, half + j,
                              bounded ? rounding->partial[i] + j : nullptr);
    product<bounded, true>(half, turned[0], kBand, coefficients[i],
                           bounded ? rounding->second[i] : nullptr);
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
      _mm_prefetch(first + kAhead, _MM_HINT_T0);
      _mm_prefetch(second + kAhead, _MM_HINT_T0);
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

const PdqKernel kPdqAvx2 = {run<Grey>, run<Rgb>,      turn,  dct,   dct_bounded,
                            terms,     pdq_copy_avx2, weigh, across};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif
