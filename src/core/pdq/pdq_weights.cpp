#include "pdq/pdq_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "pdq/pdq_bits.h"

namespace screener {
namespace {

constexpr int kSteps = 512;         // of a table, for one standard deviation
constexpr int kEntries = 1408;      // up to 2.75 deviations, where P is above kPdqSurest
constexpr int kLanes = 4;           // sums of so many values at once: each waits for the last
constexpr int kFraction = 1 << 16;  // of a sixteenth, in which a ceiling is added up

struct Tables {
  std::array<uint8_t, kEntries> weights;  // by (B - median) / noise
  std::array<int32_t, 256> ceilings;      // by weight, in fractions

  Tables() {
    for (int k = 0; k < kEntries; ++k) {
      const double deviations = (k + 0.5) / kSteps;
      const double tail = std::erfc(deviations / std::numbers::sqrt2) / 2;
      const double other = std::max(tail, 1 - kPdqSurest);
      weights[static_cast<size_t>(k)] =
          static_cast<uint8_t>(std::lround(kPdqSixteenths * std::log2((1 - other) / other)));
    }
    // The probability is that of the weight, so that the two agree: log2(2P), P = 1 / (1 + 2^-w).
    for (size_t k = 0; k < ceilings.size(); ++k) {
      const double weight = static_cast<double>(k) / kPdqSixteenths;
      const double bits = 1 - std::log2(1 + std::exp2(-weight));
      ceilings[k] = static_cast<int32_t>(std::lround(kPdqSixteenths * kFraction * bits));
    }
  }
};

const Tables& tables() {
  static const Tables made;
  return made;
}

float mean(const float coefficients[kPdqBits]) {
  float sums[kLanes] = {};
  for (int k = 0; k < kPdqBits; k += kLanes)
    for (int n = 0; n < kLanes; ++n) sums[n] += std::fabs(coefficients[k + n]);
  return (sums[0] + sums[1] + sums[2] + sums[3]) / kPdqBits;
}

// The weights in the order of the coefficients; returns the ceiling.
int32_t weigh(const float coefficients[kPdqBits], float median, float scale,
              const PdqSureness& sureness, uint8_t weights[kPdqBits]) {
  constexpr float kLast = kEntries - 1;
  const Tables& table = tables();
  int32_t entries[kPdqBits];
  for (int k = 0; k < kPdqBits; ++k) {
    const float at = std::fabs(coefficients[k] - median) * scale * sureness[static_cast<size_t>(k)];
    entries[k] = static_cast<int32_t>(at < kLast ? at : kLast);
  }
  int64_t ceiling = 0;
  for (int k = 0; k < kPdqBits; ++k) {
    weights[k] = table.weights[static_cast<size_t>(entries[k])];
    ceiling += table.ceilings[weights[k]];
  }
  return static_cast<int32_t>((ceiling + kFraction / 2) / kFraction);
}

void put_code(const float coefficients[kPdqBits], float median, uint8_t* code) {
  const PdqHash hash = pdq_bits(coefficients, median);
  std::copy(hash.begin(), hash.end(), code);
}

template <class T>
void transpose(const T from[kPdqBits], T to[kPdqBits]) {
  for (int i = 0; i < kBand; ++i)
    for (int j = 0; j < kBand; ++j) to[j * kBand + i] = from[i * kBand + j];
}

// Which coefficients of a mirrored picture have the other sign, and the two orientations that have
// these signs: as they stand, and transposed.
struct Signs {
  bool rows, columns;  // at even ones; at both, none
  size_t orientation, transposed;
};
constexpr Signs kSigns[] = {
    {false, false, 0, 6},  // upright, transpose
    {false, true, 5, 1},   // flip_horizontal, rotate90
    {true, false, 4, 3},   // flip_vertical, rotate270
    {true, true, 2, 7},    // rotate180, anti_transpose
};

void sign(const Signs& signs, const float from[kPdqBits], float to[kPdqBits]) {
  for (int i = 0; i < kBand; ++i)
    for (int j = 0; j < kBand; ++j) {
      const bool other = (signs.rows && i % 2 == 0) != (signs.columns && j % 2 == 0);
      to[i * kBand + j] = other ? -from[i * kBand + j] : from[i * kBand + j];
    }
}

// Steps of the tables for one grey.
float scale_of(const float coefficients[kPdqBits]) {
  return kSteps / std::max(mean(coefficients), kPdqFaint);
}

}  // namespace

PdqSureness pdq_sureness() {
  PdqSureness all;
  all.fill(1 / kPdqNoise);
  return all;
}

PdqSureness pdq_sureness(const double variances[kPdqBits]) {
  constexpr double kVariance = double{kPdqNoise} * double{kPdqNoise};
  PdqSureness all;
  for (size_t k = 0; k < all.size(); ++k)
    all[k] = static_cast<float>(1 / std::sqrt(kVariance + variances[k]));
  return all;
}

void pdq_weigh(const float coefficients[kPdqBits], const PdqSureness& sureness,
               const PdqQueries& query) {
  const float median = pdq_median(coefficients);
  uint8_t weights[kPdqBits];
  *query.ceilings = weigh(coefficients, median, scale_of(coefficients), sureness, weights);
  std::reverse_copy(weights, weights + kPdqBits, query.weights);
  put_code(coefficients, median, query.codes);
}

void pdq_weigh_mirrored(const float coefficients[kPdqBits], const PdqSureness& sureness,
                        const PdqQueries& queries) {
  const float scale = scale_of(coefficients);
  for (size_t n = 0; n < kPdqMirrored; ++n) {
    float signed_[kPdqBits];
    uint8_t weights[kPdqBits];
    sign(kSigns[n], coefficients, signed_);
    const float median = pdq_median(signed_);
    const PdqQueries one = queries.after(n);
    *one.ceilings = weigh(signed_, median, scale, sureness, weights);
    std::reverse_copy(weights, weights + kPdqBits, one.weights);
    put_code(signed_, median, one.codes);
  }
}

void pdq_weigh_orientations(const float coefficients[kPdqBits], const PdqSureness& sureness,
                            const PdqQueries& queries) {
  const float scale = scale_of(coefficients);
  for (const Signs& signs : kSigns) {
    float signed_[kPdqBits], turned[kPdqBits];
    uint8_t weights[kPdqBits], turned_weights[kPdqBits];
    sign(signs, coefficients, signed_);
    transpose(signed_, turned);
    const float median = pdq_median(signed_);
    const int32_t ceiling = weigh(signed_, median, scale, sureness, weights);
    transpose(weights, turned_weights);
    const PdqQueries one = queries.after(signs.orientation),
                     other = queries.after(signs.transposed);
    std::reverse_copy(weights, weights + kPdqBits, one.weights);
    std::reverse_copy(turned_weights, turned_weights + kPdqBits, other.weights);
    put_code(signed_, median, one.codes);
    put_code(turned, median, other.codes);
    *one.ceilings = *other.ceilings = ceiling;
  }
}

}  // namespace screener
