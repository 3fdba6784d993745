// The scan for NEON: four codes a vector. NEON is part of the base architecture, so no target
// region is needed.
#include "scan.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace screener {
namespace {

constexpr std::uint32_t kRows = 4;

// Counts stay in bytes, at most 8 a word and 128 in all, and are summed once at the end.
using Bits = uint8x16_t;
using Column = uint32x4_t;
using Counts = uint32x4_t;

inline __attribute__((always_inline)) Bits none() { return vdupq_n_u8(0); }

inline __attribute__((always_inline)) Column column_of(const std::uint32_t* words) {
  return vld1q_u32(words);
}

inline __attribute__((always_inline)) Bits counted(Bits bits, Column column, std::uint32_t word) {
  const uint32x4_t x = veorq_u32(column, vdupq_n_u32(word));
  return vaddq_u8(bits, vcntq_u8(vreinterpretq_u8_u32(x)));
}

inline __attribute__((always_inline)) Counts summed(Bits bits) {
  return vpaddlq_u16(vpaddlq_u8(bits));
}

inline __attribute__((always_inline)) Counts least(Counts a, Counts b) { return vminq_u32(a, b); }

inline __attribute__((always_inline)) std::uint32_t within(Counts counts, std::uint32_t radius) {
  static const std::uint32_t kBits[kRows] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcleq_u32(counts, vdupq_n_u32(radius)), vld1q_u32(kBits)));
}

inline __attribute__((always_inline)) std::uint32_t bits_of(std::uint64_t x) {
  return vaddv_u8(vcnt_u8(vcreate_u8(x)));
}

#include "scan_sieve.inc"

}  // namespace

extern const ScanKernel kScanNeon = {sieve_eight, sieve_one, confirm};

}  // namespace screener
#endif
