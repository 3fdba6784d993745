// Arrays of pixels, as the core sees them.
#pragma once
#include "arrays.h"
#include "pdq.h"

namespace screener {

using PixelArray = nb::ndarray<const uint8_t, nb::ro, nb::device::cpu>;

// The picture whose rows are the array's dimension number `rows`.
inline Pixels pixels_of(const PixelArray& array, size_t rows = 0) {
  const bool colour = array.ndim() == rows + 3;
  if (!(array.ndim() == rows + 2 || (colour && array.shape(rows + 2) == 3)))
    throw nb::value_error(
        rows == 0 ? "pixels must be uint8 of shape (height, width) or (height, width, 3)"
                  : "frames must be uint8 of shape (n, height, width) or (n, height, width, 3)");
  return {array.data(),
          static_cast<int64_t>(array.shape(rows)),
          static_cast<int64_t>(array.shape(rows + 1)),
          colour ? 3 : 1,
          array.stride(rows),
          array.stride(rows + 1),
          colour ? array.stride(rows + 2) : 0};
}

}  // namespace screener
