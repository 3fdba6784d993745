// MD5 of eight messages at once.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "inline.h"
#include "md5/md5_kernel.h"
#include "region_avx2.inc"

namespace screener {
namespace {

constexpr int kLanes = 8;

// What a round makes of three words of the state.
template <int round>
INLINE __m256i mixed(__m256i b, __m256i c, __m256i d) {
  if constexpr (round == 0)
    return _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)));
  else if constexpr (round == 1)
    return _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)));
  else if constexpr (round == 2)
    return _mm256_xor_si256(b, _mm256_xor_si256(c, d));
  else
    return _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1))));
}

template <int step>
INLINE void steps(__m256i s[4], const __m256i words[kMd5Words]) {
  if constexpr (step < kMd5Steps) {
    __m256i& a = s[md5_part(step, 0)];
    const __m256i b = s[md5_part(step, 1)], c = s[md5_part(step, 2)], d = s[md5_part(step, 3)];
    const __m256i added = _mm256_add_epi32(words[md5_word(step)],
                                           _mm256_set1_epi32(static_cast<int>(kMd5Sines[step])));
    __m256i early = _mm256_add_epi32(a, added);
    __asm__("" : "+x"(early));  // added up before the rest, which waits for the step before
    const __m256i sum = _mm256_add_epi32(early, mixed<step / 16>(b, c, d));
    constexpr int turn = md5_turn(step);
    a = _mm256_add_epi32(
        b, _mm256_or_si256(_mm256_slli_epi32(sum, turn), _mm256_srli_epi32(sum, 32 - turn)));
    steps<step + 1>(s, words);
  }
}

// Turns eight rows of eight words.
INLINE void turn(__m256i v[8]) {
  __m256i a[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256i x = _mm256_unpacklo_epi32(v[i], v[i + 1]),
                  y = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    const __m256i z = _mm256_unpacklo_epi32(v[i + 2], v[i + 3]),
                  w = _mm256_unpackhi_epi32(v[i + 2], v[i + 3]);
    a[i] = _mm256_unpacklo_epi64(x, z);
    a[i + 1] = _mm256_unpackhi_epi64(x, z);
    a[i + 2] = _mm256_unpacklo_epi64(y, w);
    a[i + 3] = _mm256_unpackhi_epi64(y, w);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2x128_si256(a[i], a[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(a[i], a[i + 4], 0x31);
  }
}

void blocks(const uint8_t* const* from, const int64_t* strides, int64_t count, uint32_t* state) {
  __m256i s[4];
  for (int w = 0; w < 4; ++w)
    s[w] = _mm256_load_si256(reinterpret_cast<const __m256i*>(state + w * kLanes));
  for (int64_t n = 0; n < count; ++n) {
    __m256i words[kMd5Words];
    for (int half = 0; half < kMd5Words; half += kLanes) {
      for (int l = 0; l < kLanes; ++l)
        words[half + l] = _mm256_loadu_si256(
            reinterpret_cast<const __m256i*>(from[l] + n * strides[l] + half * 4));
      turn(words + half);
    }
    const __m256i before[4] = {s[0], s[1], s[2], s[3]};
    steps<0>(s, words);
    for (int w = 0; w < 4; ++w) s[w] = _mm256_add_epi32(s[w], before[w]);
  }
  for (int w = 0; w < 4; ++w)
    _mm256_store_si256(reinterpret_cast<__m256i*>(state + w * kLanes), s[w]);
}

}  // namespace

const Md5Kernel kMd5Avx2 = {kLanes, blocks};

}  // namespace screener

#include "region_end.inc"
#endif
