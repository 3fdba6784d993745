// Turned views of coloured pictures, copied to rows without gaps sixteen pixels at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "pdq/pdq_kernel.h"
#include "region_avx512.inc"

namespace screener {
namespace {

constexpr int64_t kPixel = 3;
constexpr __mmask16 kTwelve = 0x0fff;  // 48 bytes, in fours: sixteen pixels

// A pixel in each four bytes, from the first to the last.
INLINE __m512i apart(__m512i sixteen) {
  const __m512i quarters = _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11), sixteen);
  return _mm512_shuffle_epi8(quarters, _mm512_broadcast_i32x4(_mm_setr_epi8(
                                           0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1)));
}

// Stores the pixels of four bytes each without gaps.
INLINE void store_joined(__m512i pixels, __m128i order, uint8_t* out) {
  const __m512i quarters = _mm512_shuffle_epi8(pixels, _mm512_broadcast_i32x4(order));
  _mm512_mask_storeu_epi32(
      out, kTwelve,
      _mm512_permutexvar_epi32(
          _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15), quarters));
}

// In each quarter of the registers alone, turns 4×4 pixels.
INLINE void turn_quarters(__m512i v[4]) {
  const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
  const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
  v[0] = _mm512_unpacklo_epi64(a, c);
  v[1] = _mm512_unpackhi_epi64(a, c);
  v[2] = _mm512_unpacklo_epi64(b, d);
  v[3] = _mm512_unpackhi_epi64(b, d);
}

// Rows that lie side by side in memory, forwards (1) or backwards (-1), turned sixteen by sixteen;
// returns how many pixels of each it has copied.
template <int way>
int64_t turn_colours(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const __mmask64 all = (__mmask64{1} << kTile * kPixel) - 1;
  const __mmask64 none = (__mmask64{1} << (kTile - copy.rows) * kPixel) - 1;
  const __mmask64 there = way > 0 ? all >> (kTile - copy.rows) * kPixel : all & ~none;
  const __m128i joined = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const int64_t count = copy.count / kTile * kTile;
  const uint8_t* from = copy.from[0] - (way > 0 ? 0 : (kTile - 1) * kPixel);
  for (int64_t n = 0; n < count; n += kTile, from += kTile * copy.apart) {
    __m512i v[kTile];
    for (int k = 0; k < kTile; ++k) {
      const uint8_t* pixels = from + k * copy.apart;
      const uint8_t* ahead = pixels + kPdqRowsAhead * copy.apart;
      _mm_prefetch(ahead, _MM_HINT_T0);
      _mm_prefetch(ahead + kTile * kPixel - 1, _MM_HINT_T0);
      v[k] = apart(_mm512_maskz_loadu_epi8(there, pixels));
    }
    for (int k = 0; k < kTile; k += 4) turn_quarters(v + k);
    for (int i = 0; i < 4; ++i) {
      const __m512i a = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
      const __m512i b = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
      const __m512i c = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
      const __m512i d = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
      const __m512i turned[4] = {_mm512_shuffle_i32x4(a, c, 0x88), _mm512_shuffle_i32x4(b, d, 0x88),
                                 _mm512_shuffle_i32x4(a, c, 0xdd),
                                 _mm512_shuffle_i32x4(b, d, 0xdd)};
      for (int k = 0; k < 4; ++k) {
        const int row = way > 0 ? i + 4 * k : kTile - 1 - i - 4 * k;
        store_joined(turned[k], joined, out + row * stride + n * kPixel);
      }
    }
  }
  return count;
}

// Colours that run backwards along their rows.
int64_t reverse_colours(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const __m512i quarters = _mm512_setr_epi32(9, 10, 11, 11, 6, 7, 8, 8, 3, 4, 5, 5, 0, 1, 2, 2);
  const __m128i reversed = _mm_setr_epi8(9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, -1, -1, -1, -1);
  const int64_t count = copy.count / kTile * kTile;
  for (int i = 0; i < copy.rows; ++i)
    for (int64_t n = 0; n < count; n += kTile) {
      const uint8_t* pixels = copy.from[i] - (n + kTile - 1) * kPixel;
      _mm_prefetch(pixels - kPdqAhead, _MM_HINT_T0);
      store_joined(_mm512_permutexvar_epi32(quarters, _mm512_maskz_loadu_epi32(kTwelve, pixels)),
                   reversed, out + i * stride + n * kPixel);
    }
  return count;
}

// Whether the rows lie side by side in memory, so many bytes apart.
bool side_by_side(const PdqCopy& copy, int64_t bytes) {
  for (int i = 1; i < copy.rows; ++i)
    if (copy.from[i] - copy.from[i - 1] != bytes) return false;
  return true;
}

}  // namespace

// What is left, and any other view, goes the narrower way.
void pdq_copy_avx512(const PdqCopy& all, uint8_t* out, int64_t stride) {
  int64_t done = 0;
  if (all.channels == kPixel && all.channel_stride == 1) {
    if (all.apart == -kPixel)
      done = reverse_colours(all, out, stride);
    else if (side_by_side(all, kPixel))
      done = turn_colours<1>(all, out, stride);
    else if (side_by_side(all, -kPixel))
      done = turn_colours<-1>(all, out, stride);
  }
  pdq_copy_avx2(all.after(done), out + done * all.channels, stride);
}

}  // namespace screener

#include "region_end.inc"
#endif
