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
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pdq/pdq_kernel.h"
#include "pixels.h"

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

// A picture with a side under five pixels has the zero hash and quality 0.
PdqResult pdq(const Pixels& pixels, const PdqKernel& kernel);
PdqOrientations pdq_orientations(const Pixels& pixels, const PdqKernel& kernel);

// A hash of which so many bits may be others in the reference; its quality is the reference's.
struct PdqSketch {
  PdqResult result;
  int doubt;
};
using PdqSketches = std::array<PdqSketch, kOrientations>;

// The same as `pdq_orientations`, but where only up to `most` bits are in doubt the picture is not
// filtered for them.
PdqSketches pdq_sketches(const Pixels& pixels, const PdqKernel& kernel, int most);

// Of many pictures of any shapes, shared out over so many threads.
std::vector<PdqResult> pdq_batch(const std::vector<Pixels>& pictures, const PdqKernel& kernel,
                                 std::size_t threads);

// The same as `pdq`, always in the reference's order.
PdqResult pdq_exact(const Pixels& pixels, const PdqKernel& kernel);

// What the quick way finds, and how far the reference may be from it, if the first `rows` rows of
// the grid, or some more, are filtered in its order. Sides are 5 to 32,768.
struct PdqDoubt {
  std::array<float, kPdqBits> coefficients;
  std::array<double, kPdqBits> bounds;
  bool certain;  // whether no doubt is left of the hash and the quality
};
PdqDoubt pdq_doubt(const Pixels& pixels, const PdqKernel& kernel, int rows);

}  // namespace screener
