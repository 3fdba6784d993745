// The matrix of PDQ's DCT and what the proof of its bounds needs of it.
#pragma once
#include "pdq/pdq_sizes.h"

namespace screener {

// A DCT takes samples to coefficients = matrix · samples · turned: down the grid, and along it.
struct PdqMatrices {
  alignas(64) float matrix[kBand][kGrid];
  alignas(64) float turned[kGrid][kBand];
};

// The cosines of frequencies 1 to 16: the constant one is left out.
struct PdqCosines : PdqMatrices {
  alignas(64) float tails[kBand][kGrid];  // Σ of a row's cosines from each on
  alignas(64) float steep[kGrid][kBand];  // the same, absolute, turned
  double rests[kGrid + 1][kBand];         // Σ of a row's cosines, absolute, from each on
  double norms[kBand];                    // and of all of them

  PdqCosines();
};

const PdqCosines& pdq_cosines();

}  // namespace screener
