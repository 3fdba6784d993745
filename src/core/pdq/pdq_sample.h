// PDQ's 64×64 samples without the filtered picture between: of each row and column only what
// reaches a sample is read, and weighed once.
//
// In exact arithmetic these are the samples that the filter makes; both round, differently. How
// far they can lie apart is docs/internals/pdq.md's, and pdq_certificate.h's, to say.
#pragma once
#include "pdq/pdq_filter.h"

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

// Fills the grids that are wanted. Sides are 5 to kLargestSampled, strides any.
void pdq_sample(const Pixels& pixels, const PdqKernel& kernel, const PdqWanted& wanted,
                PdqGrids& grids);

// Roundings between a weighed pixel and a sample: each is a relative error of 2^-24 at most.
int pdq_sample_roundings(int64_t width, int channels);

}  // namespace screener
