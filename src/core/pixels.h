// 8-bit pixels anywhere in memory.
#pragma once
#include <cstdint>

#include "rounding.h"

namespace screener {

// Strides are in bytes, of any size and sign.
struct Pixels {
  const uint8_t* data;
  int64_t height;
  int64_t width;
  int channels;  // 1: grey; 3: red, green, blue
  int64_t row_stride;
  int64_t column_stride;
  int64_t channel_stride;

  // Whether there are no gaps between the bytes of a row.
  bool dense() const { return column_stride == channels && (channels == 1 || channel_stride == 1); }
};

// Pillow's grey of a red, a green and a blue.
inline uint8_t pillow_grey(unsigned red, unsigned green, unsigned blue) {
  return static_cast<uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
}

}  // namespace screener
