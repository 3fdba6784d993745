// How sure each bit of a PDQ is, in sixteenths of a bit of evidence.
//
// An edit moves a coefficient B by noise, whose standard deviation is kPdqNoise · mean |B|, and
// more where a view guessed at a part of the picture. So the bit is a one with the probability P =
// Φ((B - median) / noise), and its weight is |log2(P / (1 - P))|: what the evidence of a listed
// code loses if it differs there. A code that differs nowhere has the ceiling, Σ log2(2 max(P,
// 1-P)).
//
// All kernels give the same integers: only arithmetic that rounds once leads to them.
#pragma once
#include "pdq/pdq_types.h"

namespace screener {

constexpr float kPdqNoise = 0.6f;
constexpr float kPdqFaint =
    1.0f;  // greys: a smaller mean |B| counts as this, so noise has no weight
constexpr double kPdqSurest = 0.997;  // no bit is surer
constexpr int kPdqSixteenths = 16;    // of a bit

// Where the codes of queries stand, one after another.
struct PdqQueries {
  uint8_t* codes;     // kPdqBytes each
  uint8_t* weights;   // kPdqBits each, in the order of the bits in the code, the highest first
  int32_t* ceilings;  // in sixteenths

  PdqQueries after(size_t count) const {
    return {codes + count * kPdqBytes, weights + count * kPdqBits, ceilings + count};
  }
};

// How sure each coefficient is: 1 / noise, where mean |B| is 1.
using PdqSureness = std::array<float, kPdqBits>;
PdqSureness pdq_sureness();  // of a picture as it is
PdqSureness pdq_sureness(const double variances[kPdqBits]);

// One query. A flat picture has weights and a ceiling of zero.
void pdq_weigh(const float coefficients[kPdqBits], const PdqSureness& sureness,
               const PdqQueries& query);

// Two queries, of the picture upright and flipped horizontally.
constexpr size_t kPdqMirrored = 2;
void pdq_weigh_mirrored(const float coefficients[kPdqBits], const PdqSureness& sureness,
                        const PdqQueries& queries);

// Eight queries, of the picture in each orientation: signs of the coefficients, and transposes.
void pdq_weigh_orientations(const float coefficients[kPdqBits], const PdqSureness& sureness,
                            const PdqQueries& queries);

}  // namespace screener
