// The tests of an index for NEON: the 32 sketches of a cache line in four vectors.
#include "ring.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace screener {
namespace {

// All ones in each byte whose sketch is within the limit, eight sketches of the line.
inline __attribute__((always_inline)) uint8x8_t within(const std::uint16_t* line, uint16x8_t sketch,
                                                       uint16x8_t limit) {
  const uint16x8_t x = veorq_u16(vld1q_u16(line), sketch);
  return vmovn_u16(vcleq_u16(vpaddlq_u8(vcntq_u8(vreinterpretq_u8_u16(x))), limit));
}

inline __attribute__((always_inline)) std::uint32_t test_line(const std::uint16_t* line,
                                                              std::uint32_t test) {
  static const std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint16x8_t sketch = vdupq_n_u16(static_cast<std::uint16_t>(test));
  const uint16x8_t limit = vdupq_n_u16(static_cast<std::uint16_t>(test >> 16));
  const uint8x16_t bits = vld1q_u8(kBits);
  const uint8x16_t a =
      vandq_u8(vcombine_u8(within(line, sketch, limit), within(line + 8, sketch, limit)), bits);
  const uint8x16_t b = vandq_u8(
      vcombine_u8(within(line + 16, sketch, limit), within(line + 24, sketch, limit)), bits);
  // Three rounds of adding neighbours leave one byte for every eight sketches, in order.
  uint8x16_t sum = vpaddq_u8(a, b);
  sum = vpaddq_u8(sum, sum);
  sum = vpaddq_u8(sum, sum);
  return vgetq_lane_u32(vreinterpretq_u32_u8(sum), 0);
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
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < bytes; at += 8)
      sum += vaddv_u8(vcnt_u8(veor_u8(vld1_u8(a + at), vld1_u8(b + at))));
    distances[i] = static_cast<std::uint16_t>(sum);
  }
}

}  // namespace

extern const RingKernel kRingNeon = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener
#endif
