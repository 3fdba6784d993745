// Weighted search for NEON: a byte of 16 sketches or codes in a vector.
#include "index/weigh.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "inline.h"

namespace screener {
namespace {

constexpr std::size_t kCodes = 16;
constexpr std::size_t kVectors = 4;

using Bytes = uint8x16_t;

INLINE Bytes column_of(const std::uint8_t* bytes) { return vld1q_u8(bytes); }
INLINE void store(std::uint8_t* bytes, Bytes x) { vst1q_u8(bytes, x); }
INLINE Bytes table_of(const std::uint8_t* sums) { return vld1q_u8(sums); }
INLINE Bytes all_of(std::uint8_t byte) { return vdupq_n_u8(byte); }
INLINE Bytes looked_up(Bytes table, Bytes column) { return vqtbl1q_u8(table, column); }
INLINE Bytes sum_of(Bytes a, Bytes b) { return vqaddq_u8(a, b); }
INLINE Bytes rest_of(Bytes a, Bytes b) { return vqsubq_u8(a, b); }
INLINE Bytes least(Bytes a, Bytes b) { return vminq_u8(a, b); }
INLINE Bytes both(Bytes a, Bytes b) { return vandq_u8(a, b); }
INLINE Bytes either(Bytes a, Bytes b) { return vorrq_u8(a, b); }
template <int kBits>
INLINE Bytes shifted(Bytes x) {
  return vshrq_n_u8(x, kBits);
}

// One bit for each byte, which is all zeros or all ones.
INLINE std::uint32_t mask_of(Bytes bytes) {
  static const std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const Bytes bits = vandq_u8(bytes, vld1q_u8(kBits));
  Bytes sum = vpaddq_u8(bits, bits);
  sum = vpaddq_u8(sum, sum);
  sum = vpaddq_u8(sum, sum);
  return vgetq_lane_u16(vreinterpretq_u16_u8(sum), 0);
}

INLINE std::uint64_t zeros(Bytes x) { return mask_of(vceqzq_u8(x)); }

// What a byte adds by the tables of its halves.
INLINE Bytes weight_of(Bytes x, const std::uint8_t* sums) {
  return sum_of(looked_up(table_of(sums), both(x, all_of(0x0f))),
                looked_up(table_of(sums + 16), shifted<4>(x)));
}

INLINE std::uint32_t test_line(const std::uint16_t* line, const std::uint8_t* sums,
                               std::uint32_t limit) {
  const uint16x8_t most = vdupq_n_u16(static_cast<std::uint16_t>(limit));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(line);
  std::uint32_t mask = 0;
  for (std::size_t half = 0; half < 2; ++half) {
    const uint8x16x2_t x = vld2q_u8(bytes + 32 * half);  // the lower bytes, the upper ones
    const Bytes low = weight_of(x.val[0], sums);
    const Bytes high = weight_of(x.val[1], sums + 32);
    const uint16x8_t first = vcleq_u16(vaddl_u8(vget_low_u8(low), vget_low_u8(high)), most);
    const uint16x8_t second = vcleq_u16(vaddl_high_u8(low, high), most);
    mask |= mask_of(vcombine_u8(vmovn_u16(first), vmovn_u16(second))) << 16 * half;
  }
  return mask;
}

// Two bytes of the code at a time, each bit of them in a byte of its own.
INLINE std::uint32_t weight(const std::uint8_t* code, const WeighedQuery& query,
                            std::size_t bytes) {
  static const std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const Bytes bits = vld1q_u8(kBits);
  uint16x8_t sum = vdupq_n_u16(0);
  for (std::size_t at = 0; at < bytes; at += 2) {
    const auto first = static_cast<std::uint8_t>(code[at] ^ query.code[at]);
    const auto second = static_cast<std::uint8_t>(code[at + 1] ^ query.code[at + 1]);
    const Bytes differing = vtstq_u8(vcombine_u8(vdup_n_u8(first), vdup_n_u8(second)), bits);
    sum = vpadalq_u8(sum, vandq_u8(differing, vld1q_u8(query.weights + 8 * at)));
  }
  return vaddlvq_u16(sum);
}

#include "index/weigh_changes.inc"
#include "index/weigh_loops.inc"
#include "index/weigh_tile.inc"

}  // namespace

const WeighKernel kWeighNeon = {list_changes, weigh_lines, split_columns, weigh_tile, distances};

}  // namespace screener
#endif
