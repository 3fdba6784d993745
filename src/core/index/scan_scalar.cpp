// The scan for every machine: plain C++ on 32-bit words.
#include "index/scan.h"
#include "inline.h"

namespace screener {
namespace {

constexpr std::uint32_t kRows = 16;

// How many bits are set in each byte, in that byte.
inline std::uint32_t byte_counts(std::uint32_t x) {
  x -= (x >> 1) & 0x55555555u;
  x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
  return (x + (x >> 4)) & 0x0f0f0f0fu;
}

// The sum of four bytes, which may be as large as 512.
inline std::uint32_t sum_bytes(std::uint32_t x) {
  x = (x & 0x00ff00ffu) + ((x >> 8) & 0x00ff00ffu);
  return (x + (x >> 16)) & 0xffffu;
}

INLINE std::size_t sieve(const Tile& tile, const Queries& queries, std::uint32_t radius, Hit* hits,
                         std::uint32_t lanes) {
  std::size_t passed = 0;
  for (std::uint32_t row = 0; row < tile.count; row += kRows) {
    for (std::uint32_t j = 0; j < lanes; ++j) {
      std::uint32_t counts[kRows] = {};
      for (std::uint32_t w = 0; w < tile.sieve_words; ++w) {
        const std::uint32_t* column = tile.columns + w * kColumnStride + row;
        const std::uint32_t word = queries.words[w * lanes + j];
        for (std::uint32_t i = 0; i < kRows; ++i) counts[i] += byte_counts(column[i] ^ word);
      }
      std::uint32_t within = 0;
      for (std::uint32_t i = 0; i < kRows; ++i) {
        counts[i] = sum_bytes(counts[i]);
        within += counts[i] <= radius;
      }
      if (within == 0) continue;
      for (std::uint32_t i = 0; i < kRows && row + i < tile.count; ++i)
        if (counts[i] <= radius)
          hits[passed++] = {static_cast<std::uint16_t>(j), static_cast<std::uint16_t>(row + i), 0};
    }
  }
  return passed;
}

#include "index/popcount_scalar.inc"
#include "index/scan_loops.inc"

}  // namespace

const ScanKernel kScanScalar = {sieve_eight, sieve_one, confirm};

}  // namespace screener
