// Lays out the leading words of a tile's codes as columns. A single query spends most of its
// time here, so four codes are transposed at once, with what the base architecture has: SSE2
// or NEON, no target region.
#include <algorithm>
#include <cstring>

#include "index/scan.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace screener {
namespace {

#if defined(__x86_64__)
using Vector = __m128i;
inline Vector load(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline void store(std::uint32_t* p, Vector x) { _mm_store_si128(reinterpret_cast<__m128i*>(p), x); }
inline Vector low_words(Vector a, Vector b) { return _mm_unpacklo_epi32(a, b); }
inline Vector high_words(Vector a, Vector b) { return _mm_unpackhi_epi32(a, b); }
inline Vector low_halves(Vector a, Vector b) { return _mm_unpacklo_epi64(a, b); }
inline Vector high_halves(Vector a, Vector b) { return _mm_unpackhi_epi64(a, b); }
#elif defined(__aarch64__)
using Vector = uint32x4_t;
inline Vector load(const std::uint8_t* p) { return vreinterpretq_u32_u8(vld1q_u8(p)); }
inline void store(std::uint32_t* p, Vector x) { vst1q_u32(p, x); }
inline Vector low_words(Vector a, Vector b) { return vzip1q_u32(a, b); }
inline Vector high_words(Vector a, Vector b) { return vzip2q_u32(a, b); }
inline Vector low_halves(Vector a, Vector b) {
  return vreinterpretq_u32_u64(vzip1q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}
inline Vector high_halves(Vector a, Vector b) {
  return vreinterpretq_u32_u64(vzip2q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}
#endif

// Four words of each of four codes. Writes columns w to w + 3, of which the last ones may be
// more than were asked for: the room for them is there.
#if defined(__x86_64__) || defined(__aarch64__)
inline void transpose_four(const std::uint8_t* code, std::size_t bytes, std::uint32_t* column) {
  const Vector a = load(code);
  const Vector b = load(code + bytes);
  const Vector c = load(code + 2 * bytes);
  const Vector d = load(code + 3 * bytes);
  const Vector ab_low = low_words(a, b);
  const Vector cd_low = low_words(c, d);
  const Vector ab_high = high_words(a, b);
  const Vector cd_high = high_words(c, d);
  store(column, low_halves(ab_low, cd_low));
  store(column + kColumnStride, high_halves(ab_low, cd_low));
  store(column + 2 * kColumnStride, low_halves(ab_high, cd_high));
  store(column + 3 * kColumnStride, high_halves(ab_high, cd_high));
}
#else
inline void transpose_four(const std::uint8_t* code, std::size_t bytes, std::uint32_t* column) {
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t w = 0; w < 4; ++w)
      std::memcpy(column + w * kColumnStride + i, code + i * bytes + 4 * w, 4);
}
#endif

// The hardware's own prefetching stops at each page of 4 KiB; a lone query is half as fast
// without this.
constexpr std::size_t kAhead = 32 << 10;

// `p` as a number, since it may lie past the end of the codes: nothing is read from there.
inline void prefetch(std::uintptr_t p) {
  __builtin_prefetch(reinterpret_cast<const void*>(p), 0, 2);
}

}  // namespace

void lay_out_columns(const std::uint8_t* codes, std::size_t count, std::size_t words,
                     std::size_t sieve_words, std::uint32_t* columns) {
  const std::size_t bytes = 4 * words;
  const std::size_t whole = words % 4 == 0 ? count / 4 * 4 : 0;
  for (std::size_t i = 0; i < whole; i += 4) {
    for (std::size_t at = 0; at < 4 * bytes; at += 64)
      prefetch(reinterpret_cast<std::uintptr_t>(codes) + i * bytes + at + kAhead);
    for (std::size_t w = 0; w < sieve_words; w += 4)
      transpose_four(codes + i * bytes + 4 * w, bytes, columns + w * kColumnStride + i);
  }
  for (std::size_t i = whole; i < count; ++i)
    for (std::size_t w = 0; w < sieve_words; ++w)
      std::memcpy(columns + w * kColumnStride + i, codes + i * bytes + 4 * w, 4);
  const std::size_t padded = (count + 15) / 16 * 16;
  for (std::size_t w = 0; w < sieve_words; ++w)
    std::fill(columns + w * kColumnStride + count, columns + w * kColumnStride + padded, 0u);
}

}  // namespace screener
