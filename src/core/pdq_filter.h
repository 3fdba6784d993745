// From a picture of any size to PDQ's 64×64 luma: a tent filter as two passes of a box along the
// rows and the columns, then one sample for each cell.
#pragma once
#include "pdq.h"

namespace screener {

using PdqGrid = std::array<std::array<float, kGrid>, kGrid>;

// Both sides must be at least 5.
PdqGrid pdq_filter(const Pixels& pixels, const PdqKernel& kernel);

// The luma of a picture of exactly 64×64, unfiltered.
PdqGrid pdq_luma(const Pixels& pixels);

}  // namespace screener
