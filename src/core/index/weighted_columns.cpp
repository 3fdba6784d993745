// Lays out the bytes of a tile's codes as columns, sixteen codes at once, with what the base
// architecture has: SSE2 or NEON, no target region.
#include "index/weighted_scan.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace screener {
namespace {

constexpr std::size_t kSixteen = 16;

#if defined(__x86_64__)
using Vector = __m128i;
inline Vector load(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline void store(std::uint8_t* p, Vector x) { _mm_store_si128(reinterpret_cast<__m128i*>(p), x); }
inline Vector low_zip(Vector a, Vector b) { return _mm_unpacklo_epi8(a, b); }
inline Vector high_zip(Vector a, Vector b) { return _mm_unpackhi_epi8(a, b); }
#elif defined(__aarch64__)
using Vector = uint8x16_t;
inline Vector load(const std::uint8_t* p) { return vld1q_u8(p); }
inline void store(std::uint8_t* p, Vector x) { vst1q_u8(p, x); }
inline Vector low_zip(Vector a, Vector b) { return vzip1q_u8(a, b); }
inline Vector high_zip(Vector a, Vector b) { return vzip2q_u8(a, b); }
#endif

// Sixteen bytes of each of sixteen codes: zipping the first half of the rows with the second four
// times turns them into columns.
inline void transpose(const std::uint8_t* code, std::size_t bytes, std::uint8_t* column) {
#if defined(__x86_64__) || defined(__aarch64__)
  Vector rows[kSixteen];
  for (std::size_t i = 0; i < kSixteen; ++i) rows[i] = load(code + i * bytes);
  for (int round = 0; round < 4; ++round) {
    Vector zipped[kSixteen];
    for (std::size_t i = 0; i < kSixteen / 2; ++i) {
      zipped[2 * i] = low_zip(rows[i], rows[i + kSixteen / 2]);
      zipped[2 * i + 1] = high_zip(rows[i], rows[i + kSixteen / 2]);
    }
    for (std::size_t i = 0; i < kSixteen; ++i) rows[i] = zipped[i];
  }
  for (std::size_t i = 0; i < kSixteen; ++i) store(column + 2 * i * kHalfStride, rows[i]);
#else
  for (std::size_t i = 0; i < kSixteen; ++i)
    for (std::size_t b = 0; b < kSixteen; ++b)
      column[2 * b * kHalfStride + i] = code[i * bytes + b];
#endif
}

// The hardware's own prefetching stops at each page of 4 KiB.
constexpr std::size_t kBytesAhead = 32 << 10;

// `p` as a number, since it may lie past the end of the codes: nothing is read from there.
inline void prefetch(std::uintptr_t p) {
  __builtin_prefetch(reinterpret_cast<const void*>(p), 0, 2);
}

}  // namespace

void lay_out_bytes(const std::uint8_t* codes, std::size_t count, std::size_t bytes,
                   std::size_t first, std::size_t size, std::uint8_t* columns) {
  const std::size_t whole = size % kSixteen == 0 ? count / kSixteen * kSixteen : 0;
  for (std::size_t i = 0; i < whole; i += kSixteen) {
    for (std::size_t at = 0; at < kSixteen * bytes; at += 64)
      prefetch(reinterpret_cast<std::uintptr_t>(codes) + i * bytes + at + kBytesAhead);
    for (std::size_t b = 0; b < size; b += kSixteen)
      transpose(codes + i * bytes + first + b, bytes, columns + 2 * b * kHalfStride + i);
  }
  for (std::size_t i = whole; i < count; ++i)
    for (std::size_t b = 0; b < size; ++b)
      columns[2 * b * kHalfStride + i] = codes[i * bytes + first + b];
}

}  // namespace screener
