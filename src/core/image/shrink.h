// A picture turned to grey and shrunk (or enlarged) by Lanczos's filter, byte for byte as Pillow
// does it: convert("L") and resize(size, LANCZOS).
//
// Pillow weighs in whole numbers, along rows first, rounds to bytes, and then along columns: so the
// transpose of a shrunk picture is not the shrunk transpose, and both can be asked for.
#pragma once
#include <vector>

#include "pixels.h"

namespace screener {

struct ShrinkSize {
  int64_t width, height;
};

// Of a picture that is not empty, in each of these sizes of one byte or more a side. A colour
// picture is not held in grey: beside the results this takes the rows that one row of a result is
// made of. Sides may have up to 2^24 pixels.
std::vector<std::vector<uint8_t>> shrink(const Pixels& pixels,
                                         const std::vector<ShrinkSize>& sizes);

// The same of the transposed picture; the sizes are those of its results.
std::vector<std::vector<uint8_t>> shrink_transposed(const Pixels& pixels,
                                                    const std::vector<ShrinkSize>& sizes);

}  // namespace screener
