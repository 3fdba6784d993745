// PDQ's hashes, and what is known of them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "pdq/pdq_sizes.h"

namespace screener {

constexpr int kPdqBits = kBand * kBand;
constexpr size_t kPdqBytes = kPdqBits / 8;
constexpr size_t kOrientations = 8;

// The 32 bytes of the hash, in the order of its text.
using PdqHash = std::array<uint8_t, kPdqBytes>;

struct PdqResult {
  PdqHash hash;
  int quality;  // 0 to 100
  bool operator==(const PdqResult&) const = default;
};

// Of the picture upright, rotate90 (counter-clockwise), rotate180, rotate270, flip_vertical (top to
// bottom), flip_horizontal, transpose, anti_transpose: of each what `pdq` finds in the turned
// picture.
using PdqOrientations = std::array<PdqResult, kOrientations>;

// What the bits of a hash are made of: coefficient 16·i + j is that of bit 16·i + j.
using PdqCoefficients = std::array<float, kPdqBits>;

// A hash of which so many bits may be others in the reference; its quality is the reference's.
struct PdqSketch {
  PdqResult result;
  int doubt;
  PdqCoefficients coefficients;
};
using PdqSketches = std::array<PdqSketch, kOrientations>;

// What the quick way finds, and how far the reference may be from it.
struct PdqDoubt {
  std::array<float, kPdqBits> coefficients;
  std::array<double, kPdqBits> bounds;
  bool certain;  // whether no doubt is left of the hash and the quality
};

}  // namespace screener
