// The matrix of PDQ's DCT and what the proof of its bounds needs of it.
#pragma once
#include "pdq_kernel.h"

namespace screener {

// The cosines of frequencies 1 to 16: the constant one is left out.
struct PdqCosines {
  alignas(64) float matrix[kBand][kGrid];
  alignas(64) float turned[kGrid][kBand];
  alignas(64) float tails[kBand][kGrid];  // Σ of a row's cosines from each on
  double norms[kBand];                    // Σ of a row's cosines, absolute

  PdqCosines();
};

const PdqCosines& pdq_cosines();

}  // namespace screener
