// The tests of an index for every machine: plain C++ on 16-bit sketches.
#include "ring.h"

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

std::size_t sieve_lines(const std::uint16_t* sketches, const std::uint32_t* lines,
                        const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                        std::uint32_t* passed) {
  std::size_t listed = 0;
  for (std::size_t k = 0; k < count; ++k) {
    __builtin_prefetch(sketches + lines[k + kAhead] * kLine, 0, 2);
    masks[k] = test_line(sketches + lines[k] * kLine, tests[k]);
    passed[listed] = static_cast<std::uint32_t>(k);
    listed += masks[k] != 0;
  }
  return listed;
}

std::size_t sieve_bucket(const BucketLines& bucket, const QueryRun& run, std::uint32_t* /*masks*/,
                         std::uint32_t* /*passed*/, std::uint32_t* hits) {
  std::size_t listed = 0;
  std::size_t k = 0;
  for (std::uint32_t level = 0; level < run.levels; ++level)
    for (; k < run.ends[level]; ++k)
      for (std::size_t l = 0; l < bucket.lines; ++l) {
        std::uint32_t mask =
            test_line(bucket.sketches + l * kLine,
                      make_test(run.entries[k].chunks & 0xffffu, run.limit - level));
        if (l == 0) mask &= bucket.first;
        if (l + 1 == bucket.lines) mask &= bucket.last;
        for (; mask != 0; mask &= mask - 1)
          hits[listed++] = make_hit(k, static_cast<std::uint32_t>(l * kLine) +
                                           static_cast<std::uint32_t>(__builtin_ctz(mask)));
      }
  return listed;
}

std::size_t sieve_waiting(const std::uint16_t* sketches, const Waiting* waiting, std::size_t count,
                          std::uint32_t limit, std::uint32_t* passed) {
  std::size_t listed = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const std::uint32_t next = std::uint32_t{sketches[waiting[k].slot]} << 16;
    const std::uint32_t x = waiting[k].rest ^ next;
    passed[listed] = static_cast<std::uint32_t>(k);
    listed +=
        count_bits(x & 0xffffu) + count_bits(x >> 16) + (waiting[k].query >> kFlipsAt) <= limit;
  }
  return listed;
}

void distances(const std::uint8_t* codes, const std::uint8_t* queries, std::size_t bytes,
               const Pair* pairs, std::size_t count, std::uint16_t* distances) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* a = codes + pairs[i].row * bytes;
    const std::uint8_t* b = queries + pairs[i].query * bytes;
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < bytes; at += 8) {
      std::uint64_t x;
      std::uint64_t y;
      __builtin_memcpy(&x, a + at, 8);
      __builtin_memcpy(&y, b + at, 8);
      x ^= y;
      x -= (x >> 1) & 0x5555555555555555u;
      x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
      x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
      sum += (x * 0x0101010101010101u) >> 56;
    }
    distances[i] = static_cast<std::uint16_t>(sum);
  }
}

}  // namespace

extern const RingKernel kRingScalar = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener
