// What stands between four slanted edges, made upright.
#pragma once
#include <cstdint>
#include <vector>

#include "pixels.h"

namespace screener {

// The bytes of a dense picture of this size, as many channels: what the quadrilateral shows, seen
// from the front. Its corners, in pixels, run from the upper left one clockwise. Pixels between
// four of the picture are interpolated, and those outside it are the nearest of its edge. Neither
// picture may be empty.
std::vector<uint8_t> rectify(const Pixels& pixels, const double (&x)[4], const double (&y)[4],
                             int64_t width, int64_t height);

}  // namespace screener
