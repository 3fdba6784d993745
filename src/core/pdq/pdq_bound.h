// How far the reference's samples and coefficients can be from ours, for one shape of picture.
//
// docs/internals/pdq.md derives every term. A bound holds for all pictures and turns of one shape.
#pragma once
#include <array>

#include "pdq/pdq_bits.h"
#include "pdq/pdq_line.h"

namespace screener {

constexpr double kPdqUnit = 1.0 / (1 << 24);  // the largest relative error of a rounding
constexpr double kPdqSlack = 1.001;           // for the roundings of the bounds themselves

// The size of a picture as its hash is made: turned, if it is of a turned picture.
struct PdqShape {
  int64_t height;
  int64_t width;
  int channels;
  int roundings;  // of our own samples
};

// What the running sums of the boxes along one side can leave behind.
struct PdqDrift {
  double samples[kGrid];  // where the samples lie
  float widths[kGrid];    // d: steps that change the sums of each cell, and of those after it
  double step;            // δ / w: what one step of one box can leave in a mean
  double boxes;           // those along this side whose sums round
  double clip;            // steps that count twice in the last cell, as its last mean is of w - 1
  double window;          // w: so many steps lie in the window of one mean
  double widest;          // of the widths but the first
  // K without the step: what all can do to each frequency if nothing before a cell counts.
  float falls[kGrid + 1][kBand];

  PdqDrift(const PdqLine& line, int rounding_boxes, double largest);
  // What all can do to a sample, and to the difference of neighbouring ones.
  double sum(int cell) const { return boxes * step * (samples[cell] + window + 1 + clip); }
  double between() const { return step * (boxes * widest + clip); }
};

// The errors of all roundings but those of the DCT. `known` is the number of the grid's first rows
// that are the reference's own; of these it is known too what the sums had left behind when the
// last of them was made.
class PdqBound {
 public:
  explicit PdqBound(const PdqShape& shape);

  // Of a coefficient, in the order of the bits, and of all.
  double coefficient(int k, int known) const;
  void coefficients(int known, double (&out)[kBand][kBand]) const;
  // Of the difference of two coefficients, what moves both alike left out, for each `known`.
  std::array<double, kGrid + 1> difference(int p, int q) const;

  // Of a sample.
  double sup(int known) const {
    return across_.sum(kGrid - 1) + down_.sum(kGrid - 1) + sample(known);
  }
  // Of the difference of samples (·, j) one above the other: they share the columns' running sums.
  double above(int j, int known) const {
    return 2 * across_.sum(j) + down_.between() + down_.step * window(known) + 2 * sample(known);
  }
  // Of the difference of samples (i, ·) side by side: they share the rows' running sums.
  double beside(int i, int known) const {
    return 2 * down_.sum(i) + across_.between() + 2 * sample(known);
  }
  // The largest value of a mean.
  double largest() const { return largest_; }

 private:
  double fall(int i, int known) const;
  // Of what rounds once; where drift is known it was added, which rounds as well.
  double sample(int known) const { return rounding_ * (roundings_ + (known > 0)); }
  // Steps down the columns that may count though they are known.
  double window(int known) const { return known > 0 ? down_.window : 0; }

  double largest_;
  PdqDrift across_, down_;
  double rounding_, roundings_;
};

}  // namespace screener
