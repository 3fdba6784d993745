#include <algorithm>
#include <cmath>
#include <numbers>

#include "pdq/pdq_view_shape.h"

namespace screener {
namespace {

constexpr int kWaves = 17;  // of each direction, from the constant one on: higher ones are faint
using Waves = float[kWaves];

// What each wave is at a place.
void waves_at(double place, Waves& waves) {
  for (int k = 0; k < kWaves; ++k)
    waves[k] = static_cast<float>(std::sqrt((k == 0 ? 1.0 : 2.0) / kGrid) *
                                  std::cos(std::numbers::pi / kGrid * k * (place + 0.5)));
}

double power(int down, int across) { return std::pow(down * down + across * across, -1.5); }

// What is known of a guess for every picture: its own place, and those that it is made of.
struct Known {
  int cell, sources;
  Waves down, across;
  Waves source_down[PdqGuess::kMost], source_across[PdqGuess::kMost];

  explicit Known(const PdqGuess& guess) : cell(guess.cell), sources(guess.sources) {
    waves_at(cell / kGrid, down);
    waves_at(cell % kGrid, across);
    for (int k = 0; k < sources; ++k) {
      waves_at(guess.rows[k], source_down[k]);
      waves_at(guess.columns[k], source_across[k]);
      for (float& wave : source_down[k]) wave *= static_cast<float>(guess.weights[k]);
    }
  }

  // What the guess is wrong by in a picture of one wave.
  float error(int y, int x) const {
    float sum = -down[y] * across[x];
    for (int k = 0; k < sources; ++k) sum += source_down[k][y] * source_across[k][x];
    return sum;
  }
};

// Adds the squares of what the guesses move the coefficients by in a picture of one wave.
void add_wave(const std::vector<Known>& guesses, int y, int x, double variances[kBand * kBand]) {
  float moved[kBand][kBand] = {};
  for (size_t n = 0; n < guesses.size();) {
    const int row = guesses[n].cell / kGrid;
    const float* down = guesses[n].down + 1;
    float along[kBand] = {};
    for (; n < guesses.size() && guesses[n].cell / kGrid == row; ++n) {
      const float error = guesses[n].error(y, x);
      for (int j = 0; j < kBand; ++j) along[j] += error * guesses[n].across[1 + j];
    }
    for (int i = 0; i < kBand; ++i)
      for (int j = 0; j < kBand; ++j) moved[i][j] += down[i] * along[j];
  }
  for (int k = 0; k < kBand * kBand; ++k) {
    const double one = moved[k / kBand][k % kBand];
    variances[k] += power(y, x) * one * one;
  }
}

}  // namespace

void pdq_variances(const std::vector<PdqGuess>& guesses, double variances[kBand * kBand]) {
  const std::vector<Known> known(guesses.begin(), guesses.end());
  std::fill_n(variances, kBand * kBand, 0.0);
  double size = 0;  // mean |B| of such pictures
  for (int y = 0; y < kWaves; ++y)
    for (int x = 0; x < kWaves; ++x) {
      if (y == 0 && x == 0) continue;  // no guess is wrong in a flat picture
      add_wave(known, y, x, variances);
      if (y > 0 && x > 0) size += std::sqrt(power(y, x) * 2 / std::numbers::pi);
    }
  size /= kBand * kBand;
  for (int k = 0; k < kBand * kBand; ++k) variances[k] /= size * size;
}

}  // namespace screener
