// PDQ, bit for bit as the published reference computes it from the same pixels.
//
// The filter is streamed sixteen rows at a time. Beside the pixels it needs, in bytes, about
//     4 · width · (min(height, height / 128 + 17) + 2) + 2 · width + 100,000
// which is 0.2 a pixel at 1600×1004, 0.04 at 20000×14000 and 6 at the very worst, in a picture of
// five very long rows.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "pdq_kernel.h"

namespace screener {

// 8-bit pixels anywhere in memory: strides in bytes, of any size and sign.
struct Pixels {
  const uint8_t* data;
  int64_t height;
  int64_t width;
  int channels;  // 1: grey; 3: red, green, blue
  int64_t row_stride;
  int64_t column_stride;
  int64_t channel_stride;
};

constexpr size_t kPdqBytes = 32;
constexpr size_t kOrientations = 8;

// The 32 bytes of the hash, in the order of its text.
using PdqHash = std::array<uint8_t, kPdqBytes>;

struct PdqResult {
  PdqHash hash;
  int quality;  // 0 to 100
  bool operator==(const PdqResult&) const = default;
};

// Of the picture upright, rotate90 (counter-clockwise), rotate180, rotate270, flip_vertical (top to
// bottom), flip_horizontal, transpose, anti_transpose: of each what `pdq` finds in the turned picture.
using PdqOrientations = std::array<PdqResult, kOrientations>;

// A picture with a side under five pixels has the zero hash and quality 0.
PdqResult pdq(const Pixels& pixels, const PdqKernel& kernel);
PdqOrientations pdq_orientations(const Pixels& pixels, const PdqKernel& kernel);

}  // namespace screener
