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

constexpr int kLanes = 8;
constexpr int64_t kAhead = 512;  // bytes: far enough ahead for memory to keep up

// In each half of the registers alone, turns 4×4 floats.
__attribute__((always_inline)) inline void turn_halves(__m256 v[4]) {
  const __m256 a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
  const __m256 c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
  v[0] = _mm256_shuffle_ps(a, c, 0x44);
  v[1] = _mm256_shuffle_ps(a, c, 0xee);
  v[2] = _mm256_shuffle_ps(b, d, 0x44);
  v[3] = _mm256_shuffle_ps(b, d, 0xee);
}

// Turns the 8×8 floats at `in` whose rows are `step` apart. Loading the halves where they belong
// saves the shuffles across the middle of the registers.
__attribute__((always_inline)) inline void turn_block(const float* in, int64_t step, __m256 v[kLanes]) {
  for (int i = 0; i < 4; ++i) {
    const float* upper = in + i * step;
    const float* lower = in + (i + 4) * step;
    v[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(upper)), _mm_load_ps(lower), 1);
    v[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(upper + 4)),
                                    _mm_load_ps(lower + 4), 1);
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

// The luma of 8 rows × 16 columns of pixels from `column` on: eight floats of each tile row.
struct Rgb {
  static constexpr int channels = 3;
  static void load(const uint8_t* const* rows, int64_t column, float* tile) {
    for (int x = 0; x < kTile; x += 4) {
      __m256 v[4];
      for (int i = 0; i < 4; ++i) v[i] = luma(two_rows(rows, i, (column + x) * 3));
      turn_halves(v);
      for (int i = 0; i < 4; ++i) _mm256_store_ps(tile + (x + i) * kTile, v[i]);
    }
  }
};

struct Grey {
  static constexpr int channels = 1;
  static void load(const uint8_t* const* rows, int64_t column, float* tile) {
    const __m256i spread = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i a = two_rows(rows, 0, column), b = two_rows(rows, 1, column);
    const __m256i c = two_rows(rows, 2, column), d = two_rows(rows, 3, column);
    const __m256i pairs[4] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b),
                              _mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d)};
    alignas(32) uint8_t turned[kTile][kLanes];
    for (int half = 0; half < 2; ++half) {
      const __m256i lo = _mm256_unpacklo_epi16(pairs[half], pairs[half + 2]);
      const __m256i hi = _mm256_unpackhi_epi16(pairs[half], pairs[half + 2]);
      auto* out = reinterpret_cast<__m256i*>(turned[half * 8]);
      _mm256_store_si256(out, _mm256_permutevar8x32_epi32(lo, spread));
      _mm256_store_si256(out + 1, _mm256_permutevar8x32_epi32(hi, spread));
    }
    for (int i = 0; i < kTile; ++i) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(turned[i]));
      _mm256_store_ps(tile + i * kTile, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
    }
  }
};

// The sums of eight lines after one more input.
__m256 step(__m256 sum, const float* entering, const float* leaving) {
  return _mm256_sub_ps(_mm256_add_ps(sum, _mm256_load_ps(entering)), _mm256_load_ps(leaving));
}

template <class Colour>
void box_rows(const uint8_t* const rows[kTile], int64_t tiles, const float* counts,
              float* const out[kTile], int height, BoxLines& lines) {
  __m256 low = _mm256_load_ps(lines.sums);
  __m256 high = _mm256_load_ps(lines.sums + kLanes);
  for (int64_t column = 0; column < tiles * kTile; column += kTile) {
    for (int i = 0; i < kTile; ++i)
      _mm_prefetch(rows[i] + column * Colour::channels + kAhead, _MM_HINT_T0);
    const int64_t next = lines.next;
    float* entering = box_enter(lines);
    const float* leaving = entering - lines.window * kTile;
    Colour::load(rows, column, entering);
    Colour::load(rows + kLanes, column, entering + kLanes);
    alignas(64) float quotients[kTile][kTile];
    for (int i = 0; i < kTile; ++i) {
      const __m256 count = _mm256_set1_ps(counts[next + i]);
      low = step(low, entering + i * kTile, leaving + i * kTile);
      high = step(high, entering + i * kTile + kLanes, leaving + i * kTile + kLanes);
      _mm256_store_ps(quotients[i], _mm256_div_ps(low, count));
      _mm256_store_ps(quotients[i] + kLanes, _mm256_div_ps(high, count));
    }
    for (int y = 0; y < height; y += kLanes)
      for (int x = 0; x < kTile; x += kLanes) {
        __m256 v[kLanes];
        turn_block(&quotients[x][y], kTile, v);
        for (int i = 0; i < kLanes && y + i < height; ++i)
          _mm256_store_ps(out[y + i] + next + x, v[i]);
      }
  }
  _mm256_store_ps(lines.sums, low);
  _mm256_store_ps(lines.sums + kLanes, high);
}

void columns(const float* const added[kTile], const float* const removed[kTile],
             const float counts[kTile], float* sums, int64_t tiles, BoxLines& lines,
             BoxSamples& samples) {
  __m256 low = _mm256_load_ps(lines.sums);
  __m256 high = _mm256_load_ps(lines.sums + kLanes);
  for (int64_t column = 0; column < tiles * kTile; column += kTile) {
    alignas(64) float quotients[kTile][kTile];
    for (int x = 0; x < kTile; x += kLanes) {
      __m256 down = _mm256_load_ps(sums + column + x);
      for (int i = 0; i < kTile; ++i) {
        down = _mm256_add_ps(down, _mm256_load_ps(added[i] + column + x));
        down = _mm256_sub_ps(down, _mm256_load_ps(removed[i] + column + x));
        _mm256_store_ps(quotients[i] + x, _mm256_div_ps(down, _mm256_set1_ps(counts[i])));
      }
      _mm256_store_ps(sums + column + x, down);
    }
    const int64_t next = lines.next;
    float* entering = box_enter(lines);
    const float* leaving = entering - lines.window * kTile;
    for (int y = 0; y < kTile; y += kLanes)
      for (int x = 0; x < kTile; x += kLanes) {
        __m256 v[kLanes];
        turn_block(&quotients[y][x], kTile, v);
        for (int i = 0; i < kLanes; ++i) _mm256_store_ps(entering + (x + i) * kTile + y, v[i]);
      }

    alignas(64) float across[kTile][kTile];
    for (int i = 0; i < kTile; ++i) {
      low = step(low, entering + i * kTile, leaving + i * kTile);
      high = step(high, entering + i * kTile + kLanes, leaving + i * kTile + kLanes);
      _mm256_store_ps(across[i], low);
      _mm256_store_ps(across[i] + kLanes, high);
    }
    for (; samples.inputs[samples.next] < next + kTile; ++samples.next) {
      const float* value = across[samples.inputs[samples.next] - next];
      const __m256 count = _mm256_set1_ps(samples.counts[samples.next]);
      float* out = samples.values[samples.next];
      _mm256_store_ps(out, _mm256_div_ps(_mm256_load_ps(value), count));
      _mm256_store_ps(out + kLanes, _mm256_div_ps(_mm256_load_ps(value + kLanes), count));
    }
  }
  _mm256_store_ps(lines.sums, low);
  _mm256_store_ps(lines.sums + kLanes, high);
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int j = 0; j < kGrid; j += kLanes)
    for (int y = 0; y < kTile; y += kLanes) {
      __m256 v[kLanes];
      turn_block(&samples[j][y], kTile, v);
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

const PdqKernel kPdqAvx2 = {box_rows<Grey>, box_rows<Rgb>, columns, turn, dct};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif
