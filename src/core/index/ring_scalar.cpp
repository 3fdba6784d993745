// The tests of an index for every machine: plain C++ on 16-bit sketches.
#include "index/ring.h"
#include "inline.h"

namespace screener {
namespace {

// Bit j tells whether sketch j of a line is within the test.
inline std::uint32_t test_line(const std::uint16_t* line, std::uint32_t test) {
  const auto sketch = static_cast<std::uint16_t>(test);
  const auto limit = static_cast<std::uint16_t>(test >> 16);
  std::uint16_t within[kLine];
  for (std::size_t j = 0; j < kLine; ++j) {
    auto x = static_cast<std::uint16_t>(line[j] ^ sketch);
    x = static_cast<std::uint16_t>(x - ((x >> 1) & 0x5555));
    x = static_cast<std::uint16_t>((x & 0x3333) + ((x >> 2) & 0x3333));
    x = static_cast<std::uint16_t>((x + (x >> 4)) & 0x0f0f);
    x = static_cast<std::uint16_t>((x + (x >> 8)) & 0x1f);
    within[j] = x <= limit;
  }
  // Most lines have nothing: eight flags at a time.
  std::uint64_t words[kLine / 4];
  __builtin_memcpy(words, within, sizeof words);
  std::uint64_t any = 0;
  for (const std::uint64_t word : words) any |= word;
  if (any == 0) return 0;
  std::uint32_t mask = 0;
  for (std::size_t j = 0; j < kLine; ++j) mask |= std::uint32_t{within[j]} << j;
  return mask;
}

#include "index/popcount_scalar.inc"
#include "index/ring_buckets.inc"
#include "index/ring_lines.inc"
#include "index/ring_loops.inc"

}  // namespace

const RingKernel kRingScalar = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener
