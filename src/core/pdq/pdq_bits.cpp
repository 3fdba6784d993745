#include "pdq/pdq_bits.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace screener {
namespace {

constexpr int kHalf = kPdqBits / 2;
constexpr int kLanes = 4;  // sums and maxima of so many values at once: each waits for the last

}  // namespace

// Coefficients lie on both sides of zero. Steps away from there, and then halvings, come between
// the halves in half a dozen counts, all of which take less time than to move values about.
float pdq_median(const float values[kPdqBits]) {
  float sums[kLanes] = {};
  for (int k = 0; k < kPdqBits; k += kLanes)
    for (int n = 0; n < kLanes; ++n) sums[n] += std::fabs(values[k + n]);
  constexpr float kEnd = std::numeric_limits<float>::infinity();
  float step =
      (sums[0] + sums[1] + sums[2] + sums[3]) / (32 * kPdqBits) + std::numeric_limits<float>::min();
  float low = -kEnd, high = kEnd, middle = 0;
  while (true) {
    int below = 0;
    for (int k = 0; k < kPdqBits; ++k) below += values[k] <= middle ? 1 : 0;
    if (below == kHalf) break;
    (below < kHalf ? low : high) = middle;
    if (low == -kEnd || high == kEnd) {
      middle += below < kHalf ? step : -step;
      step *= 2;
      continue;
    }
    middle = (low + high) / 2;
    if (low < middle && middle < high) continue;
    middle = high;  // some tie
    break;
  }
  float last[kLanes];
  std::fill_n(last, kLanes, -kEnd);
  for (int k = 0; k < kPdqBits; k += kLanes)
    for (int n = 0; n < kLanes; ++n) {
      const float value = values[k + n] <= middle ? values[k + n] : -kEnd;
      last[n] = value > last[n] ? value : last[n];
    }
  return *std::max_element(last, last + kLanes);
}

PdqHash pdq_bits(const float coefficients[kPdqBits], float median) {
  PdqHash hash;
  for (size_t byte = 0; byte < kPdqBytes; ++byte) {
    unsigned bits = 0;
    for (size_t n = 0; n < 8; ++n) bits |= unsigned{coefficients[byte * 8 + n] > median} << n;
    hash[kPdqBytes - 1 - byte] = static_cast<uint8_t>(bits);
  }
  return hash;
}

}  // namespace screener
