// MD5 of sixteen messages at once.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "md5/md5_kernel.h"
#include "region_avx512.inc"

namespace screener {
namespace {

constexpr int kLanes = 16;

// The tables of ternary logic of the four rounds.
constexpr int kTables[4] = {0xca, 0xe4, 0x96, 0x39};

template <int step>
INLINE void steps(__m512i s[4], const __m512i words[kMd5Words]) {
  if constexpr (step < kMd5Steps) {
    __m512i& a = s[md5_part(step, 0)];
    const __m512i b = s[md5_part(step, 1)], c = s[md5_part(step, 2)], d = s[md5_part(step, 3)];
    const __m512i added = _mm512_add_epi32(words[md5_word(step)],
                                           _mm512_set1_epi32(static_cast<int>(kMd5Sines[step])));
    __m512i early = _mm512_add_epi32(a, added);
    __asm__("" : "+v"(early));  // added up before the rest, which waits for the step before
    const __m512i sum =
        _mm512_add_epi32(early, _mm512_ternarylogic_epi32(b, c, d, kTables[step / 16]));
    a = _mm512_add_epi32(b, _mm512_rol_epi32(sum, md5_turn(step)));
    steps<step + 1>(s, words);
  }
}

// Turns sixteen rows of sixteen words.
INLINE void turn(__m512i v[16]) {
  __m512i a[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512i x = _mm512_unpacklo_epi32(v[i], v[i + 1]),
                  y = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    const __m512i z = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]),
                  w = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
    a[i] = _mm512_unpacklo_epi64(x, z);
    a[i + 1] = _mm512_unpackhi_epi64(x, z);
    a[i + 2] = _mm512_unpacklo_epi64(y, w);
    a[i + 3] = _mm512_unpackhi_epi64(y, w);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i x = _mm512_shuffle_i32x4(a[i], a[i + 4], 0x88);
    const __m512i y = _mm512_shuffle_i32x4(a[i], a[i + 4], 0xdd);
    const __m512i z = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0x88);
    const __m512i w = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0xdd);
    v[i] = _mm512_shuffle_i32x4(x, z, 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(x, z, 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(y, w, 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(y, w, 0xdd);
  }
}

void blocks(const uint8_t* const* from, const int64_t* strides, int64_t count, uint32_t* state) {
  __m512i s[4];
  for (int w = 0; w < 4; ++w) s[w] = _mm512_load_si512(state + w * kLanes);
  for (int64_t n = 0; n < count; ++n) {
    __m512i words[kMd5Words];
    for (int l = 0; l < kLanes; ++l) words[l] = _mm512_loadu_si512(from[l] + n * strides[l]);
    turn(words);
    const __m512i before[4] = {s[0], s[1], s[2], s[3]};
    steps<0>(s, words);
    for (int w = 0; w < 4; ++w) s[w] = _mm512_add_epi32(s[w], before[w]);
  }
  for (int w = 0; w < 4; ++w) _mm512_store_si512(state + w * kLanes, s[w]);
}

}  // namespace

const Md5Kernel kMd5Avx512 = {kLanes, blocks};

}  // namespace screener

#include "region_end.inc"
#endif
