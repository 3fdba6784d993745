// The scan for NEON: four codes a vector. NEON is part of the base architecture, so no target
// region is needed.
#include "scan.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace screener {
namespace {

constexpr std::uint32_t kRows = 4;

inline __attribute__((always_inline)) uint8x16_t bytes_of(uint32x4_t x) {
  return vreinterpretq_u8_u32(x);
}

inline __attribute__((always_inline)) std::size_t sieve(const Tile& tile, const Queries& queries,
                                                        std::uint32_t radius, Hit* hits,
                                                        const std::uint32_t lanes) {
  std::size_t passed = 0;
  for (std::uint32_t row = 0; row < tile.count; row += kRows) {
    // Counts stay in bytes, at most 8 a word and 128 in all, and are summed once at the end.
    uint8x16_t bytes[kTileQueries];
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) bytes[j] = vdupq_n_u8(0);
    for (std::uint32_t w = 0; w < tile.sieve_words; ++w) {
      const uint32x4_t column = vld1q_u32(tile.columns + w * kColumnStride + row);
      const std::uint32_t* words = queries.words + w * lanes;
#pragma GCC unroll 8
      for (std::uint32_t j = 0; j < lanes; ++j)
        bytes[j] = vaddq_u8(bytes[j], vcntq_u8(bytes_of(veorq_u32(column, vdupq_n_u32(words[j])))));
    }
    // One test for all queries: nearly always nothing is within the radius.
    uint32x4_t counts[kTileQueries];
    uint32x4_t least = counts[0] = vpaddlq_u16(vpaddlq_u8(bytes[0]));
#pragma GCC unroll 8
    for (std::uint32_t j = 1; j < lanes; ++j) {
      counts[j] = vpaddlq_u16(vpaddlq_u8(bytes[j]));
      least = vminq_u32(least, counts[j]);
    }
    if (vminvq_u32(least) > radius) continue;
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < lanes; ++j) {
      std::uint32_t lane_counts[kRows];
      vst1q_u32(lane_counts, counts[j]);
      for (std::uint32_t i = 0; i < kRows && row + i < tile.count; ++i)
        if (lane_counts[i] <= radius)
          hits[passed++] = {static_cast<std::uint16_t>(j), static_cast<std::uint16_t>(row + i), 0};
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
    for (std::size_t at = 0; at < bytes; at += 8)
      distance += vaddv_u8(vcnt_u8(veor_u8(vld1_u8(a + at), vld1_u8(b + at))));
    hits[kept] = {hits[i].query, hits[i].row, static_cast<std::uint16_t>(distance)};
    kept += distance <= radius;
  }
  return kept;
}

}  // namespace

extern const ScanKernel kScanNeon = {sieve_eight, sieve_one, confirm};

}  // namespace screener
#endif
