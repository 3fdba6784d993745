#include "pdq/pdq_bound.h"

#include <algorithm>
#include <cmath>

#include "pdq/pdq_cosines.h"

namespace screener {
namespace {

// The largest error of a rounded value of at most so much.
double half_unit(double largest) { return std::ldexp(1.0, std::ilogb(largest) - 24); }

// Means can pass 255 by what the sums left behind.
double largest_mean(const PdqShape& shape) {
  const PdqLine down(shape.height), across(shape.width);
  const auto steps =
      static_cast<double>(2 * (down.length + down.window + across.length + across.window));
  return 255.0 * std::exp(4.1 * kPdqUnit * (steps + 4));
}

// Σ over m of |x[a] · y[m] - z[a] · v[m]| for each a.
std::array<float, kGrid> distances(const float* x, const float* y, const float* z, const float* v) {
  float sums[kGrid] = {};
  for (int m = 0; m < kGrid; ++m)
    for (int a = 0; a < kGrid; ++a) sums[a] += std::fabs(x[a] * y[m] - z[a] * v[m]);
  return std::to_array(sums);
}

}  // namespace

PdqDrift::PdqDrift(const PdqLine& line, int rounding_boxes, double largest)
    : boxes(rounding_boxes), window(static_cast<double>(line.window)), widest(0) {
  step = kPdqSlack * (half_unit((window + 1) * largest) + half_unit(window * largest)) / window;
  clip = line.clipped() ? (static_cast<double>(line.length) + window) / (window * (window - 1)) : 0;
  int64_t before = -line.window;
  for (int m = 0; m < kGrid; ++m) {
    const int64_t sample = line.sample(m);
    samples[m] = static_cast<double>(sample);
    widths[m] = static_cast<float>(sample - before);
    if (m > 0) widest = std::max(widest, static_cast<double>(sample - before));
    before = sample;
  }
  const auto& steep = pdq_cosines().steep;
  float sums[kBand] = {};
  std::copy_n(sums, kBand, falls[kGrid]);
  for (int m = kGrid - 1; m >= 0; --m)
    for (int i = 0; i < kBand; ++i) falls[m][i] = sums[i] += widths[m] * steep[m][i];
}

PdqBound::PdqBound(const PdqShape& shape)
    : largest_(largest_mean(shape)),
      // The first box along the rows of a grey picture adds whole numbers.
      across_(PdqLine(shape.width), shape.channels == 1 ? 1 : 2, largest_),
      down_(PdqLine(shape.height), 2, largest_),
      rounding_(kPdqSlack * kPdqUnit * largest_),
      // Four divisions, the luma of colours, and our own.
      roundings_(4 + (shape.channels == 3) + shape.roundings) {}

double PdqBound::fall(int i, int known) const {
  const PdqCosines& cosines = pdq_cosines();
  const double last = cosines.steep[kGrid - 1][i];
  const double first = known < kGrid ? std::fabs(cosines.matrix[i][known]) : 0;
  return down_.step *
         (down_.boxes * down_.falls[known][i] + down_.clip * last + window(known) * first);
}

double PdqBound::coefficient(int k, int known) const {
  const PdqCosines& cosines = pdq_cosines();
  const int i = k / kBand, j = k % kBand;
  const double last = cosines.steep[kGrid - 1][j];
  const double across = across_.step * (across_.boxes * across_.falls[0][j] + across_.clip * last);
  return kPdqSlack * (cosines.rests[known][i] * (across + sample(known) * cosines.norms[j]) +
                      fall(i, known) * cosines.norms[j]);
}

void PdqBound::coefficients(int known, double (&out)[kBand][kBand]) const {
  const PdqCosines& cosines = pdq_cosines();
  double beside[kBand];
  for (int j = 0; j < kBand; ++j)
    beside[j] = kPdqSlack * (across_.step * (across_.boxes * across_.falls[0][j] +
                                             across_.clip * cosines.steep[kGrid - 1][j]) +
                             sample(known) * cosines.norms[j]);
  for (int i = 0; i < kBand; ++i) {
    const double rest = cosines.rests[known][i], down = kPdqSlack * fall(i, known);
    for (int j = 0; j < kBand; ++j) out[i][j] = rest * beside[j] + down * cosines.norms[j];
  }
}

std::array<double, kGrid + 1> PdqBound::difference(int p, int q) const {
  const PdqCosines& cosines = pdq_cosines();
  const auto &rows = cosines.matrix, &tails = cosines.tails;
  const int pi = p / kBand, pj = p % kBand, qi = q / kBand, qj = q % kBand;
  float wide_p[kGrid], wide_q[kGrid];
  for (int m = 0; m < kGrid; ++m) {
    wide_p[m] = across_.widths[m] * tails[pj][m];
    wide_q[m] = across_.widths[m] * tails[qj][m];
  }
  // Of each row of the grid.
  const auto across = distances(rows[pi], wide_p, rows[qi], wide_q);
  const auto down = distances(tails[pi], rows[pj], tails[qi], rows[qj]);
  const auto samples = distances(rows[pi], rows[pj], rows[qi], rows[qj]);
  const auto ends = [&](int i, int j) { return cosines.steep[kGrid - 1][i] * cosines.norms[j]; };
  const double across_ends = across_.clip * (ends(pj, pi) + ends(qj, qi));
  const double down_ends = down_.clip * (ends(pi, pj) + ends(qi, qj));
  std::array<double, kGrid + 1> bounds;
  double across_sum = 0, down_sum = 0, samples_sum = 0;
  for (int known = kGrid; known >= 0; --known) {
    const double first = known < kGrid ? samples[known] : 0;
    if (known < kGrid) {
      across_sum += across[known];
      down_sum += down_.widths[known] * down[known];
      samples_sum += first;
    }
    bounds[known] =
        kPdqSlack * (across_.step * (across_.boxes * across_sum + across_ends) +
                     down_.step * (down_.boxes * down_sum + down_ends + window(known) * first) +
                     sample(known) * samples_sum);
  }
  return bounds;
}

}  // namespace screener
