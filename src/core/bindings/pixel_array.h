// Arrays of pixels, as the core sees them.
#pragma once
#include "arrays.h"
#include "pixels.h"

namespace screener {

using PixelArray = nb::ndarray<const uint8_t, nb::ro, nb::device::cpu>;

inline Pixels pixels_of(const PixelArray& array) {
  const bool colour = array.ndim() == 3;
  if (!(array.ndim() == 2 || (colour && array.shape(2) == 3)))
    throw nb::value_error("pixels must be uint8 of shape (height, width) or (height, width, 3)");
  return {array.data(),
          static_cast<int64_t>(array.shape(0)),
          static_cast<int64_t>(array.shape(1)),
          colour ? 3 : 1,
          array.stride(0),
          array.stride(1),
          colour ? array.stride(2) : 0};
}

}  // namespace screener
