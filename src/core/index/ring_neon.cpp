// The tests of an index for NEON: the 32 sketches of a cache line in four vectors.
#include "index/ring.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "inline.h"

namespace screener {
namespace {

// All ones in each byte whose sketch is within the limit, eight sketches of the line.
INLINE uint8x8_t within(const std::uint16_t* line, uint16x8_t sketch, uint16x8_t limit) {
  const uint16x8_t x = veorq_u16(vld1q_u16(line), sketch);
  return vmovn_u16(vcleq_u16(vpaddlq_u8(vcntq_u8(vreinterpretq_u8_u16(x))), limit));
}

INLINE std::uint32_t test_line(const std::uint16_t* line, std::uint32_t test) {
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

#include "index/popcount.inc"
#include "index/ring_buckets.inc"
#include "index/ring_lines.inc"
#include "index/ring_loops.inc"

}  // namespace

const RingKernel kRingNeon = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener
#endif
