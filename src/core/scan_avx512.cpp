// The scan for AVX-512 with VPOPCNTDQ: sixteen codes a vector.
#include "scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Opens after the last include: an inline function of the standard library compiled in here
// could otherwise be the copy that the linker keeps for machines without these instructions.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vpopcntdq,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vpopcntdq,popcnt")
#endif

namespace screener {
namespace {

constexpr std::uint32_t kRows = 16;

inline __attribute__((always_inline)) std::size_t sieve(const Tile& tile, const Queries& queries,
                                                        std::uint32_t radius, Hit* hits,
                                                        const std::uint32_t lanes) {
  const __m512i limit = _mm512_set1_epi32(static_cast<int>(radius));
  std::size_t passed = 0;
  for (std::uint32_t row = 0; row < tile.count; row += kRows) {
    __m512i counts[kTileQueries];
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) counts[j] = _mm512_setzero_si512();
    for (std::uint32_t w = 0; w < tile.sieve_words; ++w) {
      const __m512i column = _mm512_load_si512(tile.columns + w * kColumnStride + row);
      const std::uint32_t* words = queries.words + w * lanes;
#pragma GCC unroll 8
      for (std::uint32_t j = 0; j < lanes; ++j) {
        const __m512i word = _mm512_set1_epi32(static_cast<int>(words[j]));
        counts[j] =
            _mm512_add_epi32(counts[j], _mm512_popcnt_epi32(_mm512_xor_si512(column, word)));
      }
    }
    // One test for all queries: nearly always nothing is within the radius.
    __m512i least = counts[0];
#pragma GCC unroll 8
    for (std::uint32_t j = 1; j < lanes; ++j) least = _mm512_min_epu32(least, counts[j]);
    if (_mm512_cmple_epu32_mask(least, limit) == 0) continue;
    const std::uint32_t rows = tile.count - row;
    const std::uint32_t valid = rows >= kRows ? 0xffffu : (1u << rows) - 1;
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) {
      std::uint32_t mask = _mm512_cmple_epu32_mask(counts[j], limit) & valid;
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

extern const ScanKernel kScanAvx512 = {sieve_eight, sieve_one, confirm};

}  // namespace screener

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
