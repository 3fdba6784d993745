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

INLINE void turn_block(__m256 v[kLanes]) {
  turn_halves(v);
  turn_halves(v + 4);
  for (int i = 0; i < 4; ++i) {
    const __m256 low = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    v[i] = low;
  }
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

// The luma of 8 rows × 8 columns of pixels from `column` on, one column a register.
struct Rgb {
  static constexpr int channels = 3;
  static void load(const uint8_t* const* rows, int64_t column, __m256 v[kLanes]) {
    for (int i = 0; i < 4; ++i)
      for (int x = 0; x < kLanes; x += 4) v[x + i] = luma(two_rows(rows, i, (column + x) * 3));
    turn_halves(v);
    turn_halves(v + 4);
  }
};

struct Grey {
  static constexpr int channels = 1;
  static void load(const uint8_t* const* rows, int64_t column, __m256 v[kLanes]) {
    __m128i four[4];  // columns 0 to 3 of rows 0 to 3, columns 4 to 7, the same of rows 4 to 7
    for (int i = 0; i < kLanes; i += 4) {
      const auto bytes = [&](int row) {
        return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[i + row] + column));
      };
      const __m128i a = _mm_unpacklo_epi8(bytes(0), bytes(1));
      const __m128i b = _mm_unpacklo_epi8(bytes(2), bytes(3));
      four[i / 2] = _mm_unpacklo_epi16(a, b);
      four[i / 2 + 1] = _mm_unpackhi_epi16(a, b);
    }
    for (int i = 0; i < 2; ++i) {
      widen(_mm_unpacklo_epi32(four[i], four[i + 2]), v + i * 4);
      widen(_mm_unpackhi_epi32(four[i], four[i + 2]), v + i * 4 + 2);
    }
  }
  static void widen(__m128i columns, __m256 v[2]) {
    v[0] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(columns));
    v[1] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(columns, 8)));
  }
};

// The box along eight rows: eight inputs in, the sums after each of them out.
INLINE __m256 box(float* entering, int64_t window, __m256 sum, __m256 v[kLanes]) {
  const float* leaving = entering - window * kTile;
  for (int i = 0; i < kLanes; ++i) _mm256_store_ps(entering + i * kTile, v[i]);
  for (int i = 0; i < kLanes; ++i) {
    sum = _mm256_add_ps(sum, v[i]);
    sum = _mm256_sub_ps(sum, _mm256_load_ps(leaving + i * kTile));
    v[i] = sum;
  }
  return sum;
}

// The first box: pixels in, the strip's rows that are kept out.
template <class Colour>
void box_rows(const PdqStrip& strip) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256 sums[2] = {_mm256_load_ps(strip.before->sums),
                    _mm256_load_ps(strip.before->sums + kLanes)};
  for (int64_t tile = 0; tile < strip.tiles * kTile; tile += kTile) {
    for (int i = 0; i < kTile; ++i)
      _mm_prefetch(strip.rows[i] + tile * Colour::channels + kAhead, _MM_HINT_T0);
    float* entering = box_enter(*strip.before);
    for (int x = 0; x < kTile; x += kLanes)
      for (int y = 0; y < kTile; y += kLanes) {
        const int64_t column = tile + x;
        __m256 v[kLanes];
        Colour::load(strip.rows + y, column, v);
        __m256& sum = sums[y / kLanes];
        sum = box(entering + x * kTile + y, strip.before->window, sum, v);
        const __m256 there =
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(strip.height - y), lanes));
        for (int i = 0; i < kLanes; ++i)
          v[i] =
              _mm256_and_ps(there, _mm256_div_ps(v[i], _mm256_set1_ps(strip.counts[column + i])));
        turn_block(v);
        for (int i = 0; i < kLanes; ++i) _mm256_store_ps(strip.kept[y + i] + column, v[i]);
      }
  }
  _mm256_store_ps(strip.before->sums, sums[0]);
  _mm256_store_ps(strip.before->sums + kLanes, sums[1]);
}

// Divides the sums that are samples; the tile's first input has the number `first`.
void take_samples(BoxSamples& samples, int64_t first, const float sums[kTile][kTile]) {
  for (; samples.inputs[samples.next] < first + kTile; ++samples.next) {
    const __m256 count = _mm256_set1_ps(samples.counts[samples.next]);
    const float* sum = sums[samples.inputs[samples.next] - first];
    float* out = samples.values[samples.next];
    for (int y = 0; y < kTile; y += kLanes)
      _mm256_store_ps(out + y, _mm256_div_ps(_mm256_load_ps(sum + y), count));
  }
}

// The second box and the third: kept rows in, samples out.
void box_columns(const PdqStrip& strip) {
  BoxLines& lines = *strip.after;
  __m256 sums[2] = {_mm256_load_ps(lines.sums), _mm256_load_ps(lines.sums + kLanes)};
  for (int64_t tile = 0; tile < strip.tiles * kTile; tile += kTile) {
    const int64_t first = lines.next;
    float* entering = box_enter(lines);
    alignas(64) float across[kTile][kTile];
    for (int x = 0; x < kTile; x += kLanes) {
      const int64_t column = tile + x;
      __m256 down = _mm256_load_ps(strip.sums + column);
      for (int y = 0; y < kTile; y += kLanes) {
        __m256 v[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          down = _mm256_add_ps(down, _mm256_load_ps(strip.kept[y + i] + column));
          down = _mm256_sub_ps(down, _mm256_load_ps(strip.removed[y + i] + column));
          v[i] = _mm256_div_ps(down, _mm256_set1_ps(strip.row_counts[y + i]));
        }
        turn_block(v);
        __m256& sum = sums[y / kLanes];
        sum = box(entering + x * kTile + y, lines.window, sum, v);
        for (int i = 0; i < kLanes; ++i) _mm256_store_ps(across[x + i] + y, v[i]);
      }
      _mm256_store_ps(strip.sums + column, down);
    }
    take_samples(*strip.samples, first, across);
  }
  _mm256_store_ps(lines.sums, sums[0]);
  _mm256_store_ps(lines.sums + kLanes, sums[1]);
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
      for (int i = 0; i < kLanes; ++i) v[i] = _mm256_load_ps(samples[j + i] + y);
      turn_block(v);
      for (int i = 0; i < kLanes; ++i) _mm256_store_ps(rows[y + i] + j, v[i]);
    }
}

// One row of a product of matrices: factors[k] · rows[k][0…15], from the first k to the last.
void product(const float* factors, const float* rows, int64_t step, float* out) {
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  for (int k = 0; k < kGrid; ++k) {
    const __m256 factor = _mm256_set1_ps(factors[k]);
    low = _mm256_add_ps(low, _mm256_mul_ps(factor, _mm256_load_ps(rows + k * step)));
    high = _mm256_add_ps(high, _mm256_mul_ps(factor, _mm256_load_ps(rows + k * step + kLanes)));
  }
  _mm256_store_ps(out, low);
  _mm256_store_ps(out + kLanes, high);
}

void dct(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
         const float grid[kGrid][kGrid], float coefficients[kBand][kBand]) {
  for (int i = 0; i < kBand; ++i) {
    alignas(64) float half[kGrid];
    for (int j = 0; j < kGrid; j += kTile) product(matrix[i], grid[0] + j, kGrid, half + j);
    product(half, turned[0], kBand, coefficients[i]);
  }
}

}  // namespace

const PdqKernel kPdqAvx2 = {run<Grey>, run<Rgb>, turn, dct};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif
