#include "pdq/pdq_cosines.h"

#include <cmath>
#include <numbers>

namespace screener {

PdqCosines::PdqCosines() {
  const double scale = static_cast<float>(std::sqrt(2.0 / kGrid));
  for (int i = 0; i < kBand; ++i) {
    double tail = 0;
    rests[kGrid][i] = 0;
    for (int j = kGrid - 1; j >= 0; --j) {
      const double angle = std::numbers::pi / (2 * kGrid) * (i + 1) * (2 * j + 1);
      matrix[i][j] = turned[j][i] = static_cast<float>(scale * std::cos(angle));
      rests[j][i] = rests[j + 1][i] + std::fabs(matrix[i][j]);
      tail += matrix[i][j];
      tails[i][j] = static_cast<float>(tail);
      steep[j][i] = std::fabs(tails[i][j]);
    }
    norms[i] = rests[0][i];
  }
}

const PdqCosines& pdq_cosines() {
  static const PdqCosines cosines;
  return cosines;
}

}  // namespace screener
