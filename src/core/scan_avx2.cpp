// The scan for AVX2: eight codes a vector, bits counted by table look-ups of half bytes.
#include "scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Opens after the last include: an inline function of the standard library compiled in here
// could otherwise be the copy that the linker keeps for machines without these instructions.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,popcnt")
#endif

namespace screener {
namespace {

constexpr std::uint32_t kRows = 8;

// How many bits are set in each byte, in that byte.
inline __attribute__((always_inline)) __m256i byte_counts(__m256i x) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(0x0f);
  const __m256i high_half = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                         _mm256_shuffle_epi8(table, high_half));
}

// The sum of the four bytes of each 32-bit word. No byte is above 128, so the signed
// multiplication by one is safe.
inline __attribute__((always_inline)) __m256i sum_bytes(__m256i x) {
  const __m256i pairs = _mm256_maddubs_epi16(x, _mm256_set1_epi8(1));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

inline __attribute__((always_inline)) std::uint32_t within(__m256i counts, __m256i limit) {
  const __m256i above = _mm256_cmpgt_epi32(counts, limit);
  return ~static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(above))) & 0xffu;
}

inline __attribute__((always_inline)) std::size_t sieve(const Tile& tile, const Queries& queries,
                                                        std::uint32_t radius, Hit* hits,
                                                        const std::uint32_t lanes) {
  const __m256i limit = _mm256_set1_epi32(static_cast<int>(radius));
  std::size_t passed = 0;
  for (std::uint32_t row = 0; row < tile.count; row += kRows) {
    __m256i counts[kTileQueries];
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) counts[j] = _mm256_setzero_si256();
    for (std::uint32_t w = 0; w < tile.sieve_words; ++w) {
      const __m256i column = _mm256_load_si256(
          reinterpret_cast<const __m256i*>(tile.columns + w * kColumnStride + row));
      const std::uint32_t* words = queries.words + w * lanes;
#pragma GCC unroll 8
      for (std::uint32_t j = 0; j < lanes; ++j) {
        const __m256i word = _mm256_set1_epi32(static_cast<int>(words[j]));
        counts[j] = _mm256_add_epi8(counts[j], byte_counts(_mm256_xor_si256(column, word)));
      }
    }
    // One test for all queries: nearly always nothing is within the radius.
    __m256i least = counts[0] = sum_bytes(counts[0]);
#pragma GCC unroll 8
    for (std::uint32_t j = 1; j < lanes; ++j) {
      counts[j] = sum_bytes(counts[j]);
      least = _mm256_min_epu32(least, counts[j]);
    }
    if (within(least, limit) == 0) continue;
    const std::uint32_t rows = tile.count - row;
    const std::uint32_t valid = rows >= kRows ? 0xffu : (1u << rows) - 1;
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) {
      std::uint32_t mask = within(counts[j], limit) & valid;
      for (; mask != 0; mask &= mask - 1)
        hits[passed++] = {
            static_cast<std::uint16_t>(j),
            static_cast<std::uint16_t>(row + static_cast<std::uint32_t>(__builtin_ctz(mask))), 0};
    }
  }
  return passed;
}

std::size_t sieve_eight(const Tile& tile, const Queries& queries, std::uint32_t radius, Hit* hits) {
  return sieve(tile, queries, radius, hits, kTileQueries);
}

std::size_t sieve_one(const Tile& tile, const Queries& queries, std::uint32_t radius, Hit* hits) {
  return sieve(tile, queries, radius, hits, 1);
}

std::size_t confirm(const Tile& tile, const Queries& queries, std::uint32_t radius, Hit* hits,
                    std::size_t count) {
  std::size_t kept = 0;
  const std::size_t bytes = std::size_t{tile.words} * 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* a = tile.codes + hits[i].row * bytes;
    const std::uint8_t* b = queries.codes + hits[i].query * bytes;
    std::uint32_t distance = 0;
    for (std::size_t at = 0; at < bytes; at += 8) {
      unsigned long long x;
      unsigned long long y;
      __builtin_memcpy(&x, a + at, 8);
      __builtin_memcpy(&y, b + at, 8);
      distance += static_cast<std::uint32_t>(_mm_popcnt_u64(x ^ y));
    }
    hits[kept] = {hits[i].query, hits[i].row, static_cast<std::uint16_t>(distance)};
    kept += distance <= radius;
  }
  return kept;
}

}  // namespace

extern const ScanKernel kScanAvx2 = {sieve_eight, sieve_one, confirm};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
