#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>

#include "pdq/pdq_cosines.h"
#include "pdq/pdq_view_shape.h"

namespace screener {
namespace {

constexpr int kPictures = 16;
constexpr int kWaves = 17;  // of each direction, from the constant one on: higher ones are faint

// A value of each picture.
using Each = float[kPictures];

double wave(int number, int place) {
  return std::sqrt((number == 0 ? 1.0 : 2.0) / kGrid) *
         std::cos(std::numbers::pi / kGrid * number * (place + 0.5));
}

// The amplitude falls with the power 3/2 of the frequency.
double amplitude(int down, int across) { return std::pow(down * down + across * across, -0.75); }

// Whether a wave is down in a picture, not up. The pictures are rows of a Walsh matrix: two waves
// disturb each other's squares in the sum over the pictures only if they have one number, and those
// that do have no direction in common. A sign at random keeps them from adding up at an edge.
bool is_down(int y, int x, int picture, bool random) {
  const int number = (y + x / 4) % 4 * 4 + (x + y / 4) % 4;
  return (std::popcount(static_cast<unsigned>(number & picture)) % 2 != 0) != random;
}

// Pictures of all waves, up or down.
struct Drawn {
  Each samples[kGrid * kGrid] = {};
  double size = 0;  // mean |B| of a picture whose waves are random in height as well
  uint64_t state = 0x9e3779b97f4a7c15;  // of a generator: the pictures are the same everywhere

  Drawn() {
    for (int y = 0; y < kWaves; ++y) {
      add_waves_down(y);
      for (int x = 1; x < kWaves && y > 0; ++x)
        size += amplitude(y, x) * std::sqrt(2 / std::numbers::pi);
    }
    size /= kBand * kBand;
  }

  // All waves that are one wave down the picture.
  void add_waves_down(int y) {
    Each along[kGrid] = {};
    for (int x = y == 0 ? 1 : 0; x < kWaves; ++x) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      for (int j = 0; j < kGrid; ++j) {
        const auto up = static_cast<float>(amplitude(y, x) * wave(x, j));
        for (int n = 0; n < kPictures; ++n) along[j][n] += is_down(y, x, n, state >> 63) ? -up : up;
      }
    }
    for (int i = 0; i < kGrid; ++i) {
      const auto down = static_cast<float>(wave(y, i));
      for (int j = 0; j < kGrid; ++j)
        for (int n = 0; n < kPictures; ++n) samples[i * kGrid + j][n] += down * along[j][n];
    }
  }
};

const Drawn& drawn() {
  static const auto pictures = std::make_unique<Drawn>();
  return *pictures;
}

// Adds the pictures at a place between samples.
void add_at(double row, double column, double weight, Each& sum) {
  const PdqBetween y(row), x(column);
  for (int k = 0; k < 4; ++k) {
    const int down = k / 2, across = k % 2;
    const double share = (down ? y.share : 1 - y.share) * (across ? x.share : 1 - x.share);
    const auto part = static_cast<float>(weight * share);
    const Each& values = drawn().samples[(y.first + down) * kGrid + x.first + across];
    for (int n = 0; n < kPictures; ++n) sum[n] += part * values[n];
  }
}

}  // namespace

void pdq_variances(const std::vector<PdqGuess>& guesses, double variances[kBand * kBand]) {
  const PdqCosines& cosines = pdq_cosines();
  Each moved[kBand][kBand] = {};
  for (size_t g = 0; g < guesses.size();) {
    const int row = guesses[g].cell / kGrid;
    Each along[kBand] = {};
    for (; g < guesses.size() && guesses[g].cell / kGrid == row; ++g) {
      const PdqGuess& guess = guesses[g];
      Each error = {};
      for (int k = 0; k < guess.sources; ++k)
        add_at(guess.rows[k], guess.columns[k], guess.weights[k], error);
      for (int n = 0; n < kPictures; ++n) error[n] -= drawn().samples[guess.cell][n];
      const float* across = cosines.turned[guess.cell % kGrid];
      for (int j = 0; j < kBand; ++j)
        for (int n = 0; n < kPictures; ++n) along[j][n] += across[j] * error[n];
    }
    for (int i = 0; i < kBand; ++i)
      for (int j = 0; j < kBand; ++j)
        for (int n = 0; n < kPictures; ++n) moved[i][j][n] += cosines.turned[row][i] * along[j][n];
  }
  const double scale = 1 / (kPictures * drawn().size * drawn().size);
  for (int k = 0; k < kBand * kBand; ++k) {
    variances[k] = 0;
    for (const float one : moved[k / kBand][k % kBand]) variances[k] += scale * one * one;
  }
}

}  // namespace screener
