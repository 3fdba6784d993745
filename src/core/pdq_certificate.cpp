#include "pdq_certificate.h"

#include <algorithm>
#include <cmath>

#include "pdq_cosines.h"

namespace screener {
namespace {

constexpr double kUnit = 1.0 / (1 << 24);  // the largest relative error of a rounding
constexpr double kSlack = 1.001;           // for the roundings of the bounds themselves
constexpr double kSummed = 1.01;           // and of sums of 64 absolute values in float32
constexpr int kBits = kBand * kBand;
constexpr int kMostPairs = 32;
constexpr double kMoved = 0.003;  // coefficients seldom move more when drift becomes known
constexpr int kMostKnown = 60;    // rows of the grid: to know more is to know all
constexpr int kKnownStep = 2;     // as near as that is worth looking for

// The largest error of a rounded value of at most so much.
double half_unit(double largest) { return std::ldexp(1.0, std::ilogb(largest) - 24); }

// What the running sums of the boxes along one side can leave behind.
struct Drift {
  float widths[kGrid];  // d: steps that change the sums of each cell, and of those after it
  double step;          // δ / w: what one step of one box can leave in a mean
  double boxes;         // those along this side whose sums round
  double clip;          // steps that count twice in the last cell, as its last mean is of w - 1
  double fall[kBand];   // K: what all can do to each frequency
  double cell;          // and to the difference of neighbouring samples
  double sums[kGrid];   // and to each sample
  double window;        // steps that lie in the window of cell `first`, if those before are known

  // Of the cells before `first` the reference's samples are known, and what the sums had left
  // behind when the last of them was made.
  Drift(const PdqLine& line, int rounding_boxes, double largest, const PdqCosines& cosines,
        int first)
      : boxes(rounding_boxes),
        window(first > 0 && first < kGrid ? static_cast<double>(line.window) : 0) {
    const auto w = static_cast<double>(line.window);
    step = kSlack * (half_unit((w + 1) * largest) + half_unit(w * largest)) / w;
    clip = line.clipped() ? static_cast<double>(line.length + line.window) / (w * (w - 1)) : 0;
    int64_t before = -line.window, widest = 0;
    for (int m = 0; m < kGrid; ++m) {
      const int64_t sample = line.sample(m);
      widths[m] = m < first ? 0 : static_cast<float>(sample - before);
      if (m > 0) widest = std::max(widest, sample - before);
      before = sample;
      sums[m] = boxes * step * (static_cast<double>(sample + line.window + 1) + clip);
    }
    cell = step * (boxes * static_cast<double>(widest) + clip + window);
    for (int i = 0; i < kBand; ++i) {
      float sum = 0;
      for (int m = 0; m < kGrid; ++m) sum += widths[m] * std::fabs(cosines.tails[i][m]);
      fall[i] = step * (boxes * sum + clip * std::fabs(cosines.tails[i][kGrid - 1]) +
                        (window > 0 ? window * std::fabs(cosines.matrix[i][first]) : 0));
    }
  }
};

// The errors of all roundings but those of the DCT, for one shape of picture.
class Bound {
 public:
  // The first `known` rows of the grid are the reference's own.
  Bound(const PdqShape& shape, int known)
      : first_(known),
        largest_(largest(shape)),
        // The first box along the rows of a grey picture adds whole numbers.
        across_(PdqLine(shape.width), shape.channels == 1 ? 1 : 2, largest_, pdq_cosines(), 0),
        down_(PdqLine(shape.height), 2, largest_, pdq_cosines(), known),
        // Four divisions, the luma of colours, and our own; one more where drift was added.
        sample_(kSlack * kUnit * largest_ *
                (4 + (shape.channels == 3) + shape.roundings + (known > 0))) {
    for (int i = 0; i < kBand; ++i) {
      rest_[i] = 0;
      for (int m = first_; m < kGrid; ++m) rest_[i] += std::fabs(pdq_cosines().matrix[i][m]);
    }
  }

  double coefficient(int i, int j) const {
    const double* norms = pdq_cosines().norms;
    return kSlack *
           (rest_[i] * across_.fall[j] + down_.fall[i] * norms[j] + sample_ * rest_[i] * norms[j]);
  }

  // Of the difference of two coefficients: what moves both alike does not count.
  double difference(int p, int q) const;

  // Of a sample.
  double sup() const { return across_.sums[kGrid - 1] + down_.sums[kGrid - 1] + sample_; }
  // Of the difference of samples (·, j) one above the other: they share the columns' running sums.
  double above(int j) const { return 2 * across_.sums[j] + down_.cell + 2 * sample_; }
  // Of the difference of samples (i, ·) side by side: they share the rows' running sums.
  double beside(int i) const { return 2 * down_.sums[i] + across_.cell + 2 * sample_; }
  double largest() const { return largest_; }
  int first() const { return first_; }

 private:
  // Means can pass 255 by what the sums left behind.
  static double largest(const PdqShape& shape) {
    const PdqLine down(shape.height), across(shape.width);
    const auto steps =
        static_cast<double>(2 * (down.length + down.window + across.length + across.window));
    return 255.0 * std::exp(4.1 * kUnit * (steps + 4));
  }

  int first_;
  double largest_;
  Drift across_, down_;
  double sample_;
  double rest_[kBand];  // Σ of a row's cosines, absolute, of the cells that are not known
};

// Σ over a from `first` and m of widths[m] · |x[a]·y[m] - z[a]·v[m]|, up to 64.
float distance(const float* x, const float* y, const float* z, const float* v, const float* widths,
               int first) {
  float lanes[8] = {};
  for (int a = first; a < kGrid; ++a)
    for (int m = 0; m < kGrid; m += 8)
      for (int n = 0; n < 8; ++n)
        lanes[n] += widths[m + n] * std::fabs(x[a] * y[m + n] - z[a] * v[m + n]);
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

double Bound::difference(int p, int q) const {
  const PdqCosines& cosines = pdq_cosines();
  const auto &rows = cosines.matrix, &tails = cosines.tails;
  const int pi = p / kBand, pj = p % kBand, qi = q / kBand, qj = q % kBand;
  static constexpr auto kOnes = [] {
    std::array<float, kGrid> ones{};
    for (float& one : ones) one = 1;
    return ones;
  }();
  const auto ends = [&](int i, int j) { return std::fabs(tails[i][kGrid - 1]) * cosines.norms[j]; };
  double beside = 0;
  for (int m = 0; m < kGrid && down_.window > 0; ++m)
    beside += std::fabs(rows[pi][first_] * rows[pj][m] - rows[qi][first_] * rows[qj][m]);
  const double across =
      across_.boxes * distance(rows[pi], tails[pj], rows[qi], tails[qj], across_.widths, first_) +
      across_.clip * (ends(pj, pi) + ends(qj, qi));
  const double down =
      down_.boxes * distance(rows[pj], tails[pi], rows[qj], tails[qi], down_.widths, 0) +
      down_.clip * (ends(pi, pj) + ends(qi, qj)) + down_.window * beside;
  const double samples = distance(rows[pi], rows[pj], rows[qi], rows[qj], kOnes.data(), first_);
  return kSlack * (across_.step * across + down_.step * down + sample_ * samples);
}

// What the roundings of the DCT can do to a coefficient, of the reference's and of ours.
void bound_dct(const PdqRounding& rounding, const Bound& bound, double (&out)[kBand][kBand]) {
  const PdqCosines& cosines = pdq_cosines();
  // The reference's sums on the way differ from ours by what its samples differ.
  constexpr double kNorm = 7.3;              // above every norm
  constexpr double kLargestCosine = 0.1768;  // √(2/64), rounded up
  const double moved = kNorm * bound.sup() + 0.01;
  const double slack = 3 * kGrid * kNorm * moved;
  for (int i = 0; i < kBand; ++i) {
    float lanes[8] = {};
    for (int k = 0; k < kGrid; k += 8)
      for (int n = 0; n < 8; ++n) lanes[n] += rounding.partial[i][k + n];
    double first = 0;
    for (float lane : lanes) first += kLargestCosine * lane;
    for (int j = 0; j < kBand; ++j) {
      const double products = cosines.norms[i] * cosines.norms[j] * bound.largest();
      const double sums = first + products + rounding.second[i][j] + slack;
      out[i][j] = 2 * kSummed * kUnit * sums;
    }
  }
}

void add_bounds(const Bound& bound, PdqCertificate& found) {
  for (int i = 0; i < kBand; ++i)
    for (int j = 0; j < kBand; ++j) found.bounds[i][j] = bound.coefficient(i, j) + found.dct[i][j];
}

// Bit k is set where coefficient k is above the (lower) median. The text begins with bit 255.
void set_bits(const float coefficients[kBits], float median, PdqHash& hash) {
  for (int byte = 0; byte < kBits / 8; ++byte) {
    unsigned bits = 0;
    for (int n = 0; n < 8; ++n) bits |= unsigned{coefficients[byte * 8 + n] > median} << n;
    hash[kPdqBytes - 1 - byte] = static_cast<uint8_t>(bits);
  }
}

// Whether every coefficient up to the median is below every other in the reference too, and would
// be if two came nearer to each other by `margin`.
bool splits_alike(const PdqCertificate& found, const Bound& bound, double margin) {
  const float* coefficients = found.coefficients[0];
  const double *bounds = found.bounds[0], *dct = found.dct[0];
  double highest = -1e300, lowest = 1e300;
  int below = 0;
  for (int k = 0; k < kBits; ++k) {
    const bool lower = coefficients[k] <= found.median;
    below += lower;
    highest = std::max(highest, lower ? coefficients[k] + bounds[k] : -1e300);
    lowest = std::min(lowest, lower ? 1e300 : coefficients[k] - bounds[k]);
  }
  if (below != kBits / 2) return false;
  lowest -= margin;
  if (highest < lowest) return true;
  // Look closely at the pairs in doubt.
  int pairs = 0;
  for (int p = 0; p < kBits; ++p) {
    if (coefficients[p] > found.median || coefficients[p] + bounds[p] < lowest) continue;
    for (int q = 0; q < kBits; ++q) {
      const double gap = static_cast<double>(coefficients[q]) - coefficients[p] - margin;
      if (coefficients[q] <= found.median || gap > bounds[p] + bounds[q]) continue;
      if (++pairs > kMostPairs || gap <= bound.difference(p, q) + dct[p] + dct[q]) return false;
    }
  }
  return true;
}

// How many bits may be others in the reference: those whose coefficient can be on either side of
// its median, which is between the medians of the least and of the largest values.
int bits_in_doubt(const PdqCertificate& found) {
  const float* coefficients = found.coefficients[0];
  const double* bounds = found.bounds[0];
  double least[kBits], most[kBits], sorted[kBits];
  for (int k = 0; k < kBits; ++k) {
    least[k] = coefficients[k] - bounds[k];
    most[k] = coefficients[k] + bounds[k];
  }
  const auto median = [&](const double values[kBits]) {
    std::copy_n(values, kBits, sorted);
    std::nth_element(sorted, sorted + kBits / 2 - 1, sorted + kBits);
    return sorted[kBits / 2 - 1];
  };
  const double lowest = median(least), highest = median(most);
  int count = 0;
  for (int k = 0; k < kBits; ++k) count += most[k] > lowest && least[k] <= highest;
  return count;
}

// The quality that the terms' errors leave no doubt of, or -1.
int certain_quality(const PdqGrid& grid, const Bound& bound) {
  const int known = bound.first();
  constexpr float kScale = 100.0f / 255.0f;
  constexpr double kRounded = 1e-4;   // what the reference and we round of a term below 100
  constexpr float kKnown = kRounded;  // and of one between samples that are known
  int least = 0, most = 0;
  alignas(64) float above[kGrid];
  for (int j = 0; j < kGrid; ++j)
    above[j] = static_cast<float>(kSlack * kScale * bound.above(j) + kRounded);
  const auto add = [&](float u, float v, float error) {
    const float term = std::fabs(u - v) * kScale;
    least += static_cast<int>(std::max(term - error, 0.0f));
    most += static_cast<int>(term + error);
  };
  for (int i = 0; i < kGrid - 1; ++i)
    for (int j = 0; j < kGrid; ++j)
      add(grid[i][j], grid[i + 1][j], i + 1 < known ? kKnown : above[j]);
  for (int i = 0; i < kGrid; ++i) {
    const auto error =
        i < known ? kKnown : static_cast<float>(kSlack * kScale * bound.beside(i) + kRounded);
    for (int j = 0; j < kGrid - 1; ++j) add(grid[i][j], grid[i][j + 1], error);
  }
  least = std::min(least / 90, 100);
  return std::min(most / 90, 100) == least ? least : -1;
}

}  // namespace

PdqCertificate pdq_certify(const PdqGrid& grid, const PdqShape& shape, const PdqKernel& kernel,
                           int known) {
  PdqCertificate found;
  const PdqCosines& cosines = pdq_cosines();
  const Bound bound(shape, known);
  alignas(64) float rows[kGrid][kGrid];
  for (int i = 0; i < kGrid; ++i) std::copy(grid[i].begin(), grid[i].end(), rows[i]);
  PdqRounding rounding;
  alignas(64) float coefficients[kBand][kBand];
  kernel.dct_bounded(cosines.matrix, cosines.turned, rows, coefficients, rounding);
  std::copy_n(coefficients[0], kBits, found.coefficients[0]);
  bound_dct(rounding, bound, found.dct);
  add_bounds(bound, found);

  float sorted[kBits];
  std::copy_n(found.coefficients[0], kBits, sorted);
  float* middle = sorted + kBits / 2 - 1;
  std::nth_element(sorted, middle, sorted + kBits);
  found.median = *middle;
  set_bits(found.coefficients[0], found.median, found.result.hash);
  found.doubt = splits_alike(found, bound, 0) ? 0 : bits_in_doubt(found);
  found.result.quality = certain_quality(grid, bound);
  if (found.result.quality < 0) found.doubt = kBits;
  return found;
}

int pdq_rows_to_know(const PdqCertificate& certificate, const PdqShape& shape) {
  if (certificate.result.quality < 0) return kGrid;
  PdqCertificate found = certificate;
  const auto settled = [&](int known) {
    const Bound bound(shape, known);
    add_bounds(bound, found);
    return splits_alike(found, bound, kMoved);
  };
  int enough = kMostKnown;
  if (!settled(enough)) return kGrid;
  for (int little = 0; enough - little > kKnownStep;) {
    const int middle = (enough + little) / 2;
    (settled(middle) ? enough : little) = middle;
  }
  return enough;
}

}  // namespace screener
