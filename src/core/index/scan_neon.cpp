// The scan for NEON: four codes a vector. NEON is part of the base architecture, so no target
// region is needed.
#include "index/scan.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "inline.h"

namespace screener {
namespace {

constexpr std::uint32_t kRows = 4;

// Counts stay in bytes, at most 8 a word and 128 in all, and are summed once at the end.
using Bits = uint8x16_t;
using Column = uint32x4_t;
using Counts = uint32x4_t;

INLINE Bits none() { return vdupq_n_u8(0); }

INLINE Column column_of(const std::uint32_t* words) { return vld1q_u32(words); }

INLINE Bits counted(Bits bits, Column column, std::uint32_t word) {
  const uint32x4_t x = veorq_u32(column, vdupq_n_u32(word));
  return vaddq_u8(bits, vcntq_u8(vreinterpretq_u8_u32(x)));
}

INLINE Counts summed(Bits bits) { return vpaddlq_u16(vpaddlq_u8(bits)); }

INLINE Counts least(Counts a, Counts b) { return vminq_u32(a, b); }

INLINE std::uint32_t within(Counts counts, std::uint32_t radius) {
  static const std::uint32_t kBits[kRows] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcleq_u32(counts, vdupq_n_u32(radius)), vld1q_u32(kBits)));
}

#include "index/popcount.inc"
#include "index/scan_sieve.inc"

}  // namespace

const ScanKernel kScanNeon = {sieve_eight, sieve_one, confirm};

}  // namespace screener
#endif
