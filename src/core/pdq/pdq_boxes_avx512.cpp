// The boxes of PDQ's filter with AVX-512: a register holds a value of each of sixteen lanes.
//
// Costs on Zen 5 at 4.2 GHz, one core: a tile of 16×16 pixels takes about 60 ns of RGB, of which 13
// are the luma, and 47 ns of grey. Sixteen steps of the slowest chain, the sums of the columns,
// take 30 ns; about 24 arithmetic instructions, 12 loads and 4 stores a step would fit into 27 ns.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "pdq/pdq_kernel.h"
#include "region_avx512.inc"

namespace screener {
namespace {

// In each quarter of the registers alone, turns 4×4 floats.
INLINE void turn_quarters(__m512 v[4]) {
  const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
  v[0] = _mm512_shuffle_ps(a, c, 0x44);
  v[1] = _mm512_shuffle_ps(a, c, 0xee);
  v[2] = _mm512_shuffle_ps(b, d, 0x44);
  v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

// Where sixteen lanes have their pixels: every fourth of them, and one and three lanes further.
struct Pixels16 {
  const uint8_t* fourths[4];
  int64_t apart, thrice;

  INLINE explicit Pixels16(const PdqStrip& strip) : apart(strip.apart), thrice(3 * strip.apart) {
    for (int i = 0; i < 4; ++i) fourths[i] = strip.pixels + 4 * i * apart;
  }
  INLINE void advance(int64_t bytes) {
    for (const uint8_t*& fourth : fourths) fourth += bytes;
  }
  INLINE int64_t beside(int i) const {
    return i == 0 ? 0 : i == 1 ? apart : i == 2 ? 2 * apart : thrice;
  }
  INLINE void prefetch() const {
    for (const uint8_t* fourth : fourths)
      for (int i = 0; i < 4; ++i) _mm_prefetch(fourth + beside(i) + kPdqAhead, _MM_HINT_T0);
  }
  // Sixteen bytes of lanes i, i + 4, i + 8 and i + 12: the quarters that turning needs.
  INLINE __m512 load(int i, int64_t offset) const {
    const auto bytes = [&](int quarter) {
      return _mm_loadu_si128(
          reinterpret_cast<const __m128i*>(fourths[quarter] + beside(i) + offset));
    };
    __m512i all = _mm512_castsi128_si512(bytes(0));
    all = _mm512_inserti32x4(all, bytes(1), 1);
    all = _mm512_inserti32x4(all, bytes(2), 2);
    return _mm512_castsi512_ps(_mm512_inserti32x4(all, bytes(3), 3));
  }
  // Four columns of four bytes.
  INLINE void turn(int64_t offset, __m512i columns[4]) const {
    __m512 v[4];
    for (int i = 0; i < 4; ++i) v[i] = load(i, offset);
    turn_quarters(v);
    for (int i = 0; i < 4; ++i) columns[i] = _mm512_castps_si512(v[i]);
  }
};

// The sum of the weights is below 2^18 and 65 has seven bits: the first product is exact, and for
// each of the 255,001 sums the result is the correctly rounded thousandth (all are tested).
INLINE __m512 thousandth(__m512i sum) {
  const __m512 value = _mm512_cvtepi32_ps(sum);
  return _mm512_fmadd_ps(value, _mm512_set1_ps(65.0f / 65536.0f),
                         _mm512_mul_ps(value, _mm512_set1_ps(0.001 - 65.0 / 65536.0)));
}

// Weighs two bytes that stand in 16 bits each.
INLINE __m512i weighed(__m512i pair, int low, int high) {
  return _mm512_madd_epi16(pair, _mm512_set1_epi32(low | high << 16));
}

// The luma of a tile of pixels, a column at a time. Four pixels are three times four bytes: to turn
// these, and not floats, takes half of the shuffles; then masks and shifts part the colours.
struct Rgb {
  static constexpr int channels = 3;
  const Pixels16& pixels;
  __m512i fours[13];

  INLINE explicit Rgb(const Pixels16& from) : pixels(from) {}
  // Bytes 0 and 2 of each four, and bytes 1 and 3.
  static INLINE __m512i even(__m512i four) {
    return _mm512_and_si512(four, _mm512_set1_epi32(0x00ff00ff));
  }
  static INLINE __m512i odd(__m512i four) { return _mm512_srli_epi16(four, 8); }
  // Byte 0 of a four below the upper half of what even or odd gave.
  static INLINE __m512i joined(__m512i four, __m512i upper) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xff), four, upper, 0xca);
  }
  INLINE __m512i sum(int n) const {
    const __m512i a = fours[n * 3 / 4], b = fours[n * 3 / 4 + 1];
    switch (n % 4) {
      case 0:  // red green blue ·
        return _mm512_add_epi32(weighed(even(a), kPdqRed, kPdqBlue), weighed(odd(a), kPdqGreen, 0));
      case 1:  // · · · red, green blue · ·
        return _mm512_add_epi32(weighed(joined(b, odd(a)), kPdqGreen, kPdqRed),
                                weighed(odd(b), kPdqBlue, 0));
      case 2:  // · · red green, blue · · ·
        return _mm512_add_epi32(weighed(joined(b, even(a)), kPdqBlue, kPdqRed),
                                weighed(odd(a), 0, kPdqGreen));
      default:  // · red green blue
        return _mm512_add_epi32(weighed(odd(a), kPdqRed, kPdqBlue), weighed(even(a), 0, kPdqGreen));
    }
  }
  template <int n>
  INLINE __m512 column() {
    if (n == 0 || n == 5 || n == 10) pixels.turn(n / 5 * 16, fours + n / 5 * 4);
    return thousandth(sum(n));
  }
};

struct Grey {
  static constexpr int channels = 1;
  __m512i fours[4];

  INLINE explicit Grey(const Pixels16& from) { from.turn(0, fours); }
  template <int n>
  INLINE __m512 column() {
    const __m512i low = _mm512_srli_epi32(fours[n / 4], n % 4 * 8);
    return _mm512_cvtepi32_ps(n % 4 == 3 ? low : _mm512_and_si512(low, _mm512_set1_epi32(0xff)));
  }
};

template <class Colour, int n = 0>
INLINE void store_luma(Colour& colour, float* tile) {
  _mm512_store_ps(tile + n * kTile, colour.template column<n>());
  if constexpr (n + 1 < kTile) store_luma<Colour, n + 1>(colour, tile);
}

// Takes one more input into the sums, and another off.
INLINE __m512 step(__m512 sum, __m512 entering, __m512 leaving) {
  return _mm512_sub_ps(_mm512_add_ps(sum, entering), leaving);
}

// Divides: see BoxCounts.
INLINE __m512 quotient(__m512 sum, __m512 high, __m512 low) {
  return _mm512_fmadd_ps(sum, high, _mm512_mul_ps(sum, low));
}

template <int n>
INLINE __m512 rotated(__m512 v) {
  const __m512i lanes = _mm512_castps_si512(v);
  return n == 0 ? v : _mm512_castsi512_ps(_mm512_alignr_epi32(lanes, lanes, n));
}

#include "pdq/pdq_diagonal_avx2.inc"

// The samples whose last row was made in the tile of sums that is over.
INLINE void take_samples(BoxSamples& samples, const float* tile) {
  const int64_t first = samples.step;
  samples.step += kTile;
  while (samples.columns[samples.next] + kTile - 1 < samples.step) {
    const float* last = tile + (samples.columns[samples.next] + kTile - 1 - first) * kTile;
    const __m512 sums = _mm512_insertf32x8(_mm512_castps256_ps512(diagonal<7>(last)),
                                           diagonal<7>(last - 8 * kTile + 8), 1);
    _mm512_store_ps(samples.values[samples.next],
                    _mm512_div_ps(sums, _mm512_set1_ps(samples.counts[samples.next])));
    ++samples.next;
  }
}

// All three boxes. The luma is made a tile ahead, and the second and third box are a step or two
// behind the first, so that what an instruction needs is mostly there when it comes into the
// processor's window: 5 to 10 ns a tile.
//
// The sum of a column stays in the lane that is its number modulo 16, and the inputs are rotated
// to it and the outputs back: to move the sums instead would put the five cycles of a shuffle
// between one sum and the next, ten cycles a step and not seven. In each step the lane of the
// column that has had its last row begins with the next column.
template <bool whole>
struct Boxes {
  __m512 across_high, across_low, down_high, down_low;
  __m512i leaving_from;
  __mmask16 inside;
  __m512 across, down, again;
  __m512 begun, ended;  // a tile of columns
  __m512 once[kTile], off[kTile], twice[kTile];
  const float *high, *low;
  LanesTile before, after;
  float *kept, *sums;
  const float* leaving[2];

  INLINE explicit Boxes(const PdqStrip& strip)
      : across_high(_mm512_set1_ps(*strip.across.high)),
        across_low(_mm512_set1_ps(*strip.across.low)),
        down_high(_mm512_loadu_ps(strip.down.high)),
        down_low(_mm512_loadu_ps(strip.down.low)),
        leaving_from(_mm512_add_epi32(
            _mm512_set1_epi32(strip.leaving_from),
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))),
        inside(static_cast<__mmask16>(0xffff << strip.below)),
        across(_mm512_load_ps(strip.running[0])),
        down(_mm512_load_ps(strip.running[1])),
        again(_mm512_load_ps(strip.running[2])),
        begun(_mm512_setzero_ps()),
        ended(_mm512_setzero_ps()) {}

  template <int i>
  INLINE void first_box() {
    across = step(across, _mm512_load_ps(before.entering + i * kTile),
                  _mm512_load_ps(before.leaving + i * kTile));
    if (!whole) {
      across_high = _mm512_loadu_ps(high + i);
      across_low = _mm512_loadu_ps(low + i);
    }
    const __m512 out = _mm512_maskz_mov_ps(inside, quotient(across, across_high, across_low));
    const __m512 left = _mm512_permutex2var_ps(_mm512_load_ps(leaving[0] + i * kTile), leaving_from,
                                               _mm512_load_ps(leaving[1] + i * kTile));
    _mm512_store_ps(kept + i * kTile, out);
    once[i] = rotated<kTile - 1 - i>(out);
    off[i] = rotated<kTile - 1 - i>(left);
  }

  template <int i>
  INLINE void second_box() {
    ended = _mm512_mask_mov_ps(ended, 1 << i, down);
    down = step(_mm512_mask_mov_ps(down, 1 << i, begun), once[i], off[i]);
    twice[i] = quotient(rotated<(i + 1) % kTile>(down), down_high, down_low);
    _mm512_store_ps(after.entering + i * kTile, twice[i]);
  }

  template <int i>
  INLINE void third_box() {
    again = step(again, twice[i], _mm512_load_ps(after.leaving + i * kTile));
    _mm512_store_ps(sums + i * kTile, again);
  }

  // A tile; of the next one the luma, if there is one.
  template <bool more, class Colour, int n = 0>
  INLINE void tile(Colour& next, float* luma) {
    if constexpr (more && n < kTile) _mm512_store_ps(luma + n * kTile, next.template column<n>());
    if constexpr (n < kTile) first_box<n>();
    if constexpr (n >= 1 && n < kTile + 1) second_box<n - 1>();
    if constexpr (n >= 2) third_box<n - 2>();
    if constexpr (n < kTile + 1) tile<more, Colour, n + 1>(next, luma);
  }
};

template <class Colour, bool whole>
INLINE void run_tiles(const PdqStrip& strip) {
  Boxes<whole> boxes(strip);
  Pixels16 pixels(strip);
  LanesTile next = enter(*strip.before);
  Colour first(pixels);
  store_luma(first, next.entering);
  for (int64_t t = 0; t < strip.tiles * kTile; t += kTile) {
    boxes.before = next;
    boxes.after = enter(*strip.after);
    boxes.sums = enter(*strip.samples->sums).entering;
    boxes.kept = strip.kept + t * kTile;
    for (int i = 0; i < 2; ++i) boxes.leaving[i] = strip.leaving[i] + t * kTile;
    boxes.high = strip.across.high + t;
    boxes.low = strip.across.low + t;
    boxes.begun = _mm512_load_ps(strip.sums + t);
    if (t + kTile < strip.tiles * kTile) {
      next = enter(*strip.before);
      pixels.advance(kTile * Colour::channels);
      pixels.prefetch();
      Colour ahead(pixels);
      boxes.template tile<true>(ahead, next.entering);
    } else {
      boxes.template tile<false>(first, nullptr);
    }
    _mm512_store_ps(strip.sums + t - kTile, boxes.ended);
    take_samples(*strip.samples, boxes.sums);
  }
  _mm512_store_ps(strip.running[0], boxes.across);
  _mm512_store_ps(strip.running[1], boxes.down);
  _mm512_store_ps(strip.running[2], boxes.again);
}

template <class Colour>
void run(const PdqStrip& strip) {
  if (strip.whole)
    run_tiles<Colour, true>(strip);
  else
    run_tiles<Colour, false>(strip);
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

}  // namespace

void pdq_grey_avx512(const PdqStrip& strip) { run<Grey>(strip); }

void pdq_rgb_avx512(const PdqStrip& strip) { run<Rgb>(strip); }

void pdq_turn_avx512(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int j = 0; j < kGrid; j += kTile) {
    __m512 v[kTile];
    for (int i = 0; i < kTile; ++i) v[i] = _mm512_load_ps(samples[j + i]);
    turn_tile(v);
    for (int i = 0; i < kTile; ++i) _mm512_store_ps(rows[i] + j, v[i]);
  }
}

}  // namespace screener

#include "region_end.inc"
#endif
