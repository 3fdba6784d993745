#include "image/detail.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <numbers>

namespace screener {
namespace {

constexpr int kPoints = 128;      // along either side, in equal steps
constexpr int kSide = 32;         // of the grid of means
constexpr int kStep = 4;          // points along a side of a mean
constexpr int kParts = 8;         // along either side, in which the picture is smooth or not
constexpr int kFrequencies = 16;  // that the spread looks at
constexpr double kFaint = 2.0;    // of a wave's amplitude: what noise has
constexpr float kSmooth = 6.0f;   // greys
constexpr int kSame = 8;          // greys: those that lie so near the commonest count as it
constexpr int kRows = 16;         // of a PDQ's bits

using Points = uint8_t[kPoints][kPoints];
using Grid = float[kSide][kSide];

// The middles of equal parts of a line; mirrored, they are the same.
void places(int64_t length, int64_t (&found)[kPoints]) {
  for (int64_t k = 0; k < kPoints / 2; ++k) {
    found[k] = (2 * k + 1) * length / (2 * kPoints);
    found[kPoints - 1 - k] = length - 1 - found[k];
  }
}

template <typename Grey>
void take_points(const Pixels& pixels, const Grey& grey, Points& points) {
  int64_t rows[kPoints], columns[kPoints];
  places(pixels.height, rows);
  places(pixels.width, columns);
  for (int64_t& column : columns) column *= pixels.column_stride;
  for (int i = 0; i < kPoints; ++i) {
    const uint8_t* row = pixels.data + rows[i] * pixels.row_stride;
    for (int j = 0; j < kPoints; ++j) points[i][j] = grey(row + columns[j]);
  }
}

void take_points(const Pixels& pixels, Points& points) {
  if (pixels.channels == 1) {
    take_points(pixels, [](const uint8_t* pixel) { return *pixel; }, points);
    return;
  }
  const int64_t next = pixels.channel_stride;
  const auto grey = [next](const uint8_t* pixel) {
    return pillow_grey(pixel[0], pixel[next], pixel[2 * next]);
  };
  take_points(pixels, grey, points);
}

void take_means(const Points& points, Grid& grid) {
  for (int i = 0; i < kSide; ++i) {
    uint16_t sums[kPoints] = {};  // of the rows first, many at a time
    for (int y = 0; y < kStep; ++y)
      for (int j = 0; j < kPoints; ++j) sums[j] += points[kStep * i + y][j];
    for (int j = 0; j < kSide; ++j) {
      int sum = 0;
      for (int x = 0; x < kStep; ++x) sum += sums[kStep * j + x];
      grid[i][j] = static_cast<float>(sum) / (kStep * kStep);
    }
  }
}

double area(const Grid& grid) {
  constexpr int kEdge = kSide / kParts;
  constexpr float kPairs = kEdge * (kEdge - 1);
  int busy = 0;
  for (int i = 0; i < kSide; i += kEdge)
    for (int j = 0; j < kSide; j += kEdge) {
      float down = 0, across = 0;  // exact: sixteenths
      for (int y = 0; y < kEdge; ++y)
        for (int x = 0; x < kEdge; ++x) {
          const float here = grid[i + y][j + x];
          if (y + 1 < kEdge) down += std::fabs(grid[i + y + 1][j + x] - here);
          if (x + 1 < kEdge) across += std::fabs(grid[i + y][j + x + 1] - here);
        }
      busy += down / kPairs + across / kPairs > kSmooth;
    }
  return static_cast<double>(busy) / (kParts * kParts);
}

// Tones and shades: the shares of points that have not the commonest grey, nor the next.
void count_greys(const Points& points, DetailMeasures& found) {
  constexpr int kWidth = 2 * kSame + 1;
  // By turns in several places, since neighbours are often alike: a count that has just been
  // written has to be waited for.
  constexpr int kTurns = 4;
  uint16_t turns[kTurns][256] = {};
  for (const auto& row : points)
    for (int j = 0; j < kPoints; j += kTurns)
      for (int k = 0; k < kTurns; ++k) ++turns[k][row[j + k]];
  int counts[256 + 2 * kWidth] = {};
  for (const auto& turn : turns)
    for (int grey = 0; grey < 256; ++grey) counts[kWidth + grey] += turn[grey];
  int near[256 + kWidth - 1];
  int sum = 0;
  for (int n = 0; n < 256 + kWidth - 1; ++n) {
    sum += counts[kWidth + n] - counts[n];
    near[n] = sum;
  }
  const auto first = std::max_element(std::begin(near), std::end(near)) - std::begin(near);
  const int one = near[first];
  const auto last = std::min<int64_t>(first + 2 * kSame + 1, 256 + kWidth - 1);
  for (auto n = std::max<int64_t>(first - 2 * kSame, 0); n < last; ++n) near[n] = 0;
  const int other = *std::max_element(std::begin(near), std::end(near));
  constexpr double kAll = kPoints * kPoints;
  found.shades = 1.0 - one / kAll;
  found.tones = 1.0 - (one + other) / kAll;
}

// The waves of an orthonormal DCT of the grid, and the frequency of each pair of them.
struct Waves {
  double cosines[kSide][kSide];
  double turned[kSide][kSide];  // so that sums run over many waves at once
  double frequencies[kSide][kSide];
  int bands[kSide][kSide];  // frequencies in whole numbers; 0: none that the spread looks at
  int all = 0;              // that it looks at

  Waves() {
    for (int k = 0; k < kSide; ++k)
      for (int n = 0; n < kSide; ++n)
        turned[n][k] = cosines[k][n] = std::cos(std::numbers::pi / kSide * k * (n + 0.5)) *
                                       std::sqrt((k == 0 ? 1.0 : 2.0) / kSide);
    for (int i = 0; i < kSide; ++i)
      for (int j = 0; j < kSide; ++j) {
        frequencies[i][j] = std::hypot(i, j);
        const auto band = static_cast<int>(std::nearbyint(frequencies[i][j]));
        bands[i][j] = band <= kFrequencies ? band : 0;
        all += bands[i][j] > 0;
      }
  }
};

const Waves& waves_of_grids() {
  static const Waves waves;
  return waves;
}

// The amplitudes of the first waves down and across, less what noise has.
template <int kCount>
using Amplitudes = std::array<std::array<double, kCount>, kCount>;
template <int kCount>
Amplitudes<kCount> amplitudes(const Grid& grid) {
  constexpr int kMany = 16;  // sums at once, which fit into registers
  const Waves& waves = waves_of_grids();
  double means[kSide][kSide];
  for (int n = 0; n < kSide; ++n) std::copy_n(grid[n], kSide, means[n]);
  Amplitudes<kCount> found{};
  for (int i = 0; i < kCount; ++i) {
    double row[kSide];
    for (int from = 0; from < kSide; from += kMany) {
      double sums[kMany] = {};
      for (int n = 0; n < kSide; ++n)
        for (int m = 0; m < kMany; ++m) sums[m] += waves.cosines[i][n] * means[n][from + m];
      std::copy_n(sums, kMany, row + from);
    }
    for (int m = 0; m < kSide; ++m)
      for (int j = 0; j < kCount; ++j) found[i][j] += row[m] * waves.turned[m][j];
    for (int j = 0; j < kCount; ++j) found[i][j] = std::max(std::fabs(found[i][j]) - kFaint, 0.0);
  }
  return found;
}

double spread(const Grid& grid) {
  constexpr int kCount = kFrequencies + 1;
  const Waves& waves = waves_of_grids();
  const Amplitudes<kCount> found = amplitudes<kCount>(grid);
  double sums[kCount] = {}, energies[kCount] = {};
  for (int i = 0; i < kCount; ++i)
    for (int j = 0; j < kCount; ++j) {
      sums[waves.bands[i][j]] += found[i][j];
      energies[waves.bands[i][j]] += found[i][j] * found[i][j];
    }
  double shares = 0;
  for (int band = 1; band < kCount; ++band)
    if (energies[band] > 0) shares += sums[band] * sums[band] / energies[band];
  return shares / waves.all;
}

}  // namespace

DetailMeasures detail_measures(const Pixels& pixels) {
  Points points;
  Grid grid;
  take_points(pixels, points);
  take_means(points, grid);
  DetailMeasures found;
  found.spread = spread(grid);
  found.area = area(grid);
  count_greys(points, found);
  return found;
}

DetailSpectrum detail_spectrum(const Pixels& pixels) {
  Points points;
  Grid grid;
  take_points(pixels, points);
  take_means(points, grid);
  const Waves& waves = waves_of_grids();
  const Amplitudes<kSide> found = amplitudes<kSide>(grid);
  double sum = 0, energy = 0, squares = 0;
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j < kSide; ++j) {
      const double weighed = found[i][j] * waves.frequencies[i][j];
      sum += weighed;
      energy += weighed * weighed;
      squares += weighed * weighed * weighed * weighed;
    }
  if (energy == 0) return {0, 0};
  return {energy * energy / squares, sum * sum / energy};
}

PdqPatterns pdq_patterns(const uint8_t hash[kPdqBytes]) {
  unsigned rows[kRows];
  for (int i = 0; i < kRows; ++i) rows[i] = unsigned{hash[2 * i]} << 8 | hash[2 * i + 1];
  PdqPatterns found{};
  for (int i = 0; i < kRows; ++i) {
    int sum = 0;
    for (int j = 0; j < kRows; ++j) {
      const int product = kRows - 2 * std::popcount(rows[i] ^ rows[j]);
      found.power += product * product;
      if (j != i) sum += std::abs(product);
    }
    found.widest = std::max(found.widest, sum);
  }
  return found;
}

}  // namespace screener
