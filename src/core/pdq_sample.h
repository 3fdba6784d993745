// PDQ's 64×64 samples without the filtered picture between: of each row and column only what
// reaches a sample is read, and weighed once.
//
// In exact arithmetic these are the samples that the filter makes; both round, differently. How
// far they can lie apart is docs/pdq.md's, and pdq_certificate.h's, to say.
#pragma once
#include "pdq_filter.h"

namespace screener {

// Sides that the weights of a sample fit into 24 bits for.
constexpr int64_t kLargestSampled = 32768;

// Which of the four grids are wanted: of the picture as it stands (0) and run backwards (1).
struct PdqWanted {
  bool rows[2];
  bool columns[2];
};

// By whether the rows and whether the columns run backwards.
using PdqGrids = PdqGrid[2][2];

// How the reference's box filter lies along a side of the picture.
struct PdqLine {
  int64_t length;
  int64_t window;
  int64_t half;  // inputs from window - half before an output to half - 1 after it

  explicit PdqLine(int64_t line)
      : length(line), window((line + 127) / 128), half((window + 2) / 2) {}
  int64_t sample(int cell) const { return (2 * cell + 1) * length / (2 * kGrid); }
  // Of an even window, the last sample's second box ends on an output that one input is missing
  // from, so that it is divided by one less.
  bool clipped() const { return window % 2 == 0; }
  // Whether the samples of the line run backwards are those of the line, backwards: an odd window
  // is symmetric, and so are the samples but where they fall on a border between two inputs.
  bool symmetric() const { return window % 2 != 0 && length % (2 * kGrid) != 0; }
};

// Fills the grids that are wanted. Sides are 5 to kLargestSampled, strides any.
void pdq_sample(const Pixels& pixels, const PdqKernel& kernel, const PdqWanted& wanted,
                PdqGrids& grids);

// Roundings between a weighed pixel and a sample: each is a relative error of 2^-24 at most.
int pdq_sample_roundings(int64_t width, int channels);

}  // namespace screener
