// Where a backdrop ends: what stands above and below a picture that was set into a larger one
// (media/backdrop.py).
#pragma once
#include "pixels.h"

namespace screener {

// How many rows of a backdrop stand above and below; none of either where they are not sure to.
struct Seams {
  int64_t above = 0;
  int64_t below = 0;
};

// The seams of a grey picture that is not empty. A seam is a row at which most of the picture
// steps, along its whole length, and there is one as far from the bottom as from the top; nothing
// before either is much like one.
Seams seams(const Pixels& grey);

}  // namespace screener
