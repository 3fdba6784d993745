// Turned views of pictures, copied to rows without gaps sixteen bytes at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "pdq/pdq_kernel.h"
#include "region_avx2.inc"

namespace screener {
namespace {

// The twelve bytes of four pixels, a pixel in each quarter.
INLINE __m128i load_four(const uint8_t* pixels, __m128i order) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixels));
  return _mm_shuffle_epi8(_mm_unpacklo_epi64(bytes, _mm_loadu_si32(pixels + 8)), order);
}

INLINE void store_four(__m128i pixels, uint8_t* out) {
  const __m128i order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(pixels, order));
}

constexpr int64_t kPixel = 3;

// Colours whose rows lie side by side in memory, forwards (1) or backwards (-1), turned four by
// four; returns how many pixels of each row it has copied.
template <int way>
int64_t turn_colours(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const __m128i order = way > 0
                            ? _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1)
                            : _mm_setr_epi8(9, 10, 11, -1, 6, 7, 8, -1, 3, 4, 5, -1, 0, 1, 2, -1);
  const int64_t count = copy.count / 4 * 4;
  const uint8_t* lowest = copy.from[way > 0 ? 0 : kTile - 1];
  for (int64_t n = 0; n < count; n += 4) {
    for (int64_t k = 0; k < 4; ++k) {
      const uint8_t* ahead = lowest + (n + k + kPdqRowsAhead) * copy.apart;
      _mm_prefetch(ahead, _MM_HINT_T0);
      _mm_prefetch(ahead + kTile * kPixel - 1, _MM_HINT_T0);
    }
    for (int i = 0; i < kTile; i += 4) {
      const uint8_t* from = copy.from[way > 0 ? i : i + 3] + n * copy.apart;
      __m128i v[4];
      for (int k = 0; k < 4; ++k) v[k] = load_four(from + k * copy.apart, order);
      const __m128i a = _mm_unpacklo_epi32(v[0], v[1]), b = _mm_unpackhi_epi32(v[0], v[1]);
      const __m128i c = _mm_unpacklo_epi32(v[2], v[3]), d = _mm_unpackhi_epi32(v[2], v[3]);
      uint8_t* to = out + i * stride + n * kPixel;
      store_four(_mm_unpacklo_epi64(a, c), to);
      store_four(_mm_unpackhi_epi64(a, c), to + stride);
      store_four(_mm_unpacklo_epi64(b, d), to + 2 * stride);
      store_four(_mm_unpackhi_epi64(b, d), to + 3 * stride);
    }
  }
  return count;
}

// Colours that run backwards along their rows.
int64_t reverse_colours(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const __m128i order = _mm_setr_epi8(9, 10, 11, -1, 6, 7, 8, -1, 3, 4, 5, -1, 0, 1, 2, -1);
  const int64_t count = copy.count / 4 * 4;
  for (int i = 0; i < copy.rows; ++i)
    for (int64_t n = 0; n < count; n += 4) {
      if (n % 16 == 0) _mm_prefetch(copy.from[i] - n * kPixel - kPdqAhead, _MM_HINT_T0);
      store_four(load_four(copy.from[i] - (n + 3) * kPixel, order), out + i * stride + n * kPixel);
    }
  return count;
}

// Greys whose rows lie side by side, sixteen by sixteen.
template <int way>
int64_t turn_greys(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const int64_t count = copy.count / kTile * kTile;
  const uint8_t* from = copy.from[way > 0 ? 0 : kTile - 1];
  for (int64_t n = 0; n < count; n += kTile) {
    __m128i v[kTile], w[kTile];
    for (int k = 0; k < kTile; ++k)
      v[k] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + (n + k) * copy.apart));
    // Four rounds of interleaving the first half with the second turn the square.
    for (int round = 0; round < 4; ++round) {
      for (int k = 0; k < kTile / 2; ++k) {
        w[2 * k] = _mm_unpacklo_epi8(v[k], v[k + kTile / 2]);
        w[2 * k + 1] = _mm_unpackhi_epi8(v[k], v[k + kTile / 2]);
      }
      for (int k = 0; k < kTile; ++k) v[k] = w[k];
    }
    for (int k = 0; k < kTile; ++k)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (way > 0 ? k : kTile - 1 - k) * stride + n),
                       v[k]);
  }
  return count;
}

int64_t reverse_greys(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  const __m128i order = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const int64_t count = copy.count / kTile * kTile;
  for (int i = 0; i < copy.rows; ++i)
    for (int64_t n = 0; n < count; n += kTile) {
      const uint8_t* from = copy.from[i] - n - (kTile - 1);
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * stride + n),
                       _mm_shuffle_epi8(bytes, order));
    }
  return count;
}

}  // namespace

// Turned views have their ways; what is left, and any other view, is copied byte by byte.
void pdq_copy_avx2(const PdqCopy& all, uint8_t* out, int64_t stride) {
  const bool grey = all.channels == 1;
  const int64_t pixel = all.channels;
  bool forwards = all.rows == kTile, backwards = forwards;
  for (int i = 1; i < all.rows; ++i) {
    forwards &= all.from[i] - all.from[i - 1] == pixel;
    backwards &= all.from[i] - all.from[i - 1] == -pixel;
  }
  int64_t done = 0;
  if (grey || all.channel_stride == 1) {
    if (forwards)
      done = grey ? turn_greys<1>(all, out, stride) : turn_colours<1>(all, out, stride);
    else if (backwards)
      done = grey ? turn_greys<-1>(all, out, stride) : turn_colours<-1>(all, out, stride);
    else if (all.apart == -pixel)
      done = grey ? reverse_greys(all, out, stride) : reverse_colours(all, out, stride);
  }
  kPdqScalar.copy(all.after(done), out + done * pixel, stride);
}

}  // namespace screener

#include "region_end.inc"
#endif
