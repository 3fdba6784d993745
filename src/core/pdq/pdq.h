// PDQ, bit for bit as the published reference computes it from the same pixels.
//
// Only the 64×64 samples are made, in another order than the reference's (pdq_sample.h). Where
// rounding could have turned a bit or the quality (pdq_certificate.h), the picture is filtered
// again in the reference's order (pdq_filter.h), sixteen rows at a time, until no doubt is left.
// The loops are those of a PdqKernel (pdq_kernel.h). Beside the pixels this needs, in bytes, about
//     4 · width · (height / 128 + 20) + 2 · width + 14 · height + 100,000
// which is 0.2 a pixel at 1600×1004, 0.04 at 20000×14000 and 16 at the very worst, in a picture of
// five very long rows.
#pragma once
#include <cstddef>
#include <vector>

#include "pdq/pdq_filter.h"
#include "pdq/pdq_kernel.h"
#include "pdq/pdq_types.h"
#include "pixels.h"

namespace screener {

// A picture with a side under five pixels has the zero hash and quality 0.
PdqResult pdq(const Pixels& pixels, const PdqKernel& kernel);
PdqOrientations pdq_orientations(const Pixels& pixels, const PdqKernel& kernel);

// The same as `pdq_orientations`, but where only up to `most` bits are in doubt the picture is not
// filtered for them. Fills `samples`, if given, with those of the upright picture: zeros if it is
// too small.
PdqSketches pdq_sketches(const Pixels& pixels, const PdqKernel& kernel, int most,
                         PdqGrid* samples = nullptr);

// Of many pictures of any shapes, shared out over so many threads.
std::vector<PdqResult> pdq_batch(const std::vector<Pixels>& pictures, const PdqKernel& kernel,
                                 std::size_t threads);

// The same as `pdq`, always in the reference's order.
PdqResult pdq_exact(const Pixels& pixels, const PdqKernel& kernel);

// What the quick way finds if the first `rows` rows of the grid, or some more, are filtered in the
// reference's order. Sides are 5 to 32,768.
PdqDoubt pdq_doubt(const Pixels& pixels, const PdqKernel& kernel, int rows);

}  // namespace screener
