#include "pdq/pdq_certificate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pdq/pdq_cosines.h"

namespace screener {
namespace {

constexpr double kSummed = 1.01;  // for the roundings of sums of 64 absolute values in float32
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kHalf = kPdqBits / 2;
constexpr int kMostPairs = 32;
constexpr double kMoved = 0.003;  // coefficients seldom move more when drift becomes known
constexpr int kMostKnown = 60;    // rows of the grid: to know more is to know all
constexpr int kKnownStep = 2;     // as near as that is worth looking for
constexpr int kLanes = 4;         // maxima of so many values at once: each waits for the last

// Adds what the roundings of the DCT can do to a coefficient, of the reference's and of ours.
void add_dct(const PdqRounding& rounding, const PdqBound& bound, int known, PdqCertificate& found) {
  const PdqCosines& cosines = pdq_cosines();
  // The reference's sums on the way differ from ours by what its samples differ.
  constexpr double kNorm = 7.3;              // above every norm
  constexpr double kLargestCosine = 0.1768;  // √(2/64), rounded up
  const double moved = kNorm * bound.sup(known) + 0.01;
  const double slack = 3 * kGrid * kNorm * moved;
  for (int i = 0; i < kBand; ++i) {
    float lanes[kTile] = {};
    for (int k = 0; k < kGrid; k += kTile)
      for (int n = 0; n < kTile; ++n) lanes[n] += rounding.partial[i][k + n];
    for (int apart = kTile / 2; apart > 0; apart /= 2)
      for (int n = 0; n < apart; ++n) lanes[n] += lanes[n + apart];
    const double sums = kLargestCosine * lanes[0] + slack;
    const double norm = cosines.norms[i] * bound.largest();
    for (int j = 0; j < kBand; ++j) {
      const double dct =
          2 * kSummed * kPdqUnit * (sums + norm * cosines.norms[j] + rounding.second[i][j]);
      found.dct[i][j] = dct;
      found.bounds[i][j] += dct;
    }
  }
}

// What the reference's coefficients can be at most up to the median, and at least above it.
struct Halves {
  int below = 0;  // how many are up to the median: more than half where others tie with it
  double highest = -kInfinity, lowest = kInfinity;

  explicit Halves(const PdqCertificate& found) {
    const float* coefficients = found.coefficients[0];
    const double* bounds = found.bounds[0];
    double tops[kLanes], bottoms[kLanes];
    std::fill_n(tops, kLanes, -kInfinity);
    std::fill_n(bottoms, kLanes, kInfinity);
    for (int k = 0; k < kPdqBits; k += kLanes)
      for (int n = 0; n < kLanes; ++n) {
        const bool lower = coefficients[k + n] <= found.median;
        const double top = lower ? coefficients[k + n] + bounds[k + n] : -kInfinity;
        const double bottom = lower ? kInfinity : coefficients[k + n] - bounds[k + n];
        tops[n] = top > tops[n] ? top : tops[n];
        bottoms[n] = bottom < bottoms[n] ? bottom : bottoms[n];
        below += lower;
      }
    highest = *std::max_element(tops, tops + kLanes);
    lowest = *std::min_element(bottoms, bottoms + kLanes);
  }
};

// The coefficients of either half that could come as far as one of the other, if two came nearer
// to each other by `margin`: from the median outwards.
struct Contested {
  int lower[kPdqBits], upper[kPdqBits];
  int lowers = 0, uppers = 0;

  Contested(const PdqCertificate& found, const Halves& halves, double margin) {
    const float* coefficients = found.coefficients[0];
    const double* bounds = found.bounds[0];
    for (int k = 0; k < kPdqBits; ++k) {
      if (coefficients[k] > found.median) {
        if (coefficients[k] - bounds[k] <= halves.highest + margin) upper[uppers++] = k;
      } else if (coefficients[k] + bounds[k] >= halves.lowest - margin) {
        lower[lowers++] = k;
      }
    }
    std::sort(lower, lower + lowers,
              [&](int p, int q) { return coefficients[p] > coefficients[q]; });
    std::sort(upper, upper + uppers,
              [&](int p, int q) { return coefficients[p] < coefficients[q]; });
  }
};

double gap(const PdqCertificate& found, int p, int q) {
  const float* coefficients = found.coefficients[0];
  return static_cast<double>(coefficients[q]) - coefficients[p];
}

// Whether every coefficient up to the median is below every other in the reference too.
bool splits_alike(const PdqCertificate& found, const PdqBound& bound, int known) {
  const Halves halves(found);
  if (halves.below != kHalf) return false;
  if (halves.highest < halves.lowest) return true;
  // Look closely at the pairs in doubt.
  const Contested contested(found, halves, 0);
  const double *bounds = found.bounds[0], *dct = found.dct[0];
  int pairs = 0;
  for (int a = 0; a < contested.lowers; ++a)
    for (int b = 0; b < contested.uppers; ++b) {
      const int p = contested.lower[a], q = contested.upper[b];
      const double apart = gap(found, p, q);
      if (apart > bounds[p] + bounds[q]) continue;
      if (++pairs > kMostPairs) return false;
      if (apart <= bound.difference(p, q)[known] + dct[p] + dct[q]) return false;
    }
  return true;
}

// How many bits may be others in the reference: those whose coefficient can be on either side of
// its median, which is between the medians of the least and of the largest values.
int bits_in_doubt(const PdqCertificate& found) {
  const float* coefficients = found.coefficients[0];
  const double* bounds = found.bounds[0];
  float least[kPdqBits], most[kPdqBits];
  for (int k = 0; k < kPdqBits; ++k) {
    least[k] = static_cast<float>(coefficients[k] - bounds[k]);
    most[k] = static_cast<float>(coefficients[k] + bounds[k]);
  }
  // Rounded to floats they keep their order, so that the medians are off by less than a float.
  constexpr float kEnd = std::numeric_limits<float>::infinity();
  const float lowest = std::nextafter(pdq_median(least), -kEnd);
  const float highest = std::nextafter(pdq_median(most), kEnd);
  int count = 0;
  for (int k = 0; k < kPdqBits; ++k)
    count += coefficients[k] + bounds[k] > lowest && coefficients[k] - bounds[k] <= highest;
  return count;
}

// The quality that the terms' errors leave no doubt of, or -1.
int certain_quality(const PdqGrid& grid, const PdqBound& bound, const PdqKernel& kernel,
                    int known) {
  constexpr double kRounded = 1e-4;  // what the reference and we round of a term below 100
  PdqTermErrors errors;
  errors.known = known;
  errors.rounded = kRounded;
  for (int n = 0; n < kGrid; ++n) {
    errors.above[n] = static_cast<float>(kPdqSlack * kPdqTerm * bound.above(n, known) + kRounded);
    errors.beside[n] = static_cast<float>(kPdqSlack * kPdqTerm * bound.beside(n, known) + kRounded);
  }
  const PdqTerms sums = kernel.terms(grid.values, errors);
  const int least = std::min(sums.least / 90, 100);
  return std::min(sums.most / 90, 100) == least ? least : -1;
}

}  // namespace

PdqCertificate pdq_certify(const PdqGrid& grid, const PdqBound& bound, const PdqKernel& kernel,
                           int known) {
  PdqCertificate found;
  PdqRounding rounding;
  kernel.dct_bounded(pdq_cosines(), grid.values, found.coefficients, rounding);
  bound.coefficients(known, found.bounds);
  add_dct(rounding, bound, known, found);
  found.median = pdq_median(found.coefficients[0]);
  found.result.hash = pdq_bits(found.coefficients[0], found.median);
  found.doubt = splits_alike(found, bound, known) ? 0 : bits_in_doubt(found);
  found.result.quality = certain_quality(grid, bound, kernel, known);
  if (found.result.quality < 0) found.doubt = kPdqBits;
  return found;
}

int pdq_rows_to_know(const PdqCertificate& found, const PdqBound& bound) {
  const Halves halves(found);
  if (found.result.quality < 0 || halves.below != kHalf) return kGrid;
  const Contested contested(found, halves, kMoved);
  const double* dct = found.dct[0];
  int rows = kKnownStep, pairs = 0;
  for (int a = 0; a < contested.lowers; ++a)
    for (int b = 0; b < contested.uppers; ++b) {
      const int p = contested.lower[a], q = contested.upper[b];
      const double apart = gap(found, p, q) - kMoved - dct[p] - dct[q];
      const auto settled = [&] {
        return apart > bound.coefficient(p, rows) + bound.coefficient(q, rows);
      };
      if (settled()) continue;
      if (++pairs <= kMostPairs) {
        const std::array<double, kGrid + 1> nearer = bound.difference(p, q);
        while (rows <= kMostKnown && apart <= nearer[rows]) rows += kKnownStep;
      } else {
        while (rows <= kMostKnown && !settled()) rows += kKnownStep;
      }
      if (rows > kMostKnown) return kGrid;
    }
  return rows;
}

}  // namespace screener
