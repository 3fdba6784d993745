#include "pdq.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <stdexcept>
#include <utility>

#include "pdq_filter.h"

namespace screener {
namespace {

constexpr int64_t kSmallestSide = 5;
constexpr int kBits = kBand * kBand;

// A turn of the picture: what becomes of its rows and columns.
struct Turn {
  bool transposed, rows_reversed, columns_reversed;  // in this order
};

constexpr Turn kTurns[kOrientations] = {
    {false, false, false}, {true, true, false},  {false, true, true}, {true, false, true},
    {false, true, false},  {false, false, true}, {true, false, false}, {true, true, true},
};

// The coefficients in the order of the bits: number 16·i + j.
using Coefficients = std::array<float, kBits>;

// The cosines of frequencies 1 to 16: the constant one is left out.
struct Cosines {
  alignas(64) float matrix[kBand][kGrid];
  alignas(64) float turned[kGrid][kBand];

  Cosines() {
    const double scale = static_cast<float>(std::sqrt(2.0 / kGrid));
    for (int i = 0; i < kBand; ++i) {
      for (int j = 0; j < kGrid; ++j) {
        const double angle = std::numbers::pi / (2 * kGrid) * (i + 1) * (2 * j + 1);
        matrix[i][j] = turned[j][i] = static_cast<float>(scale * std::cos(angle));
      }
    }
  }
};

Coefficients dct(const PdqGrid& grid, const PdqKernel& kernel) {
  static const Cosines cosines;
  alignas(64) float rows[kGrid][kGrid];
  alignas(64) float found[kBand][kBand];
  for (int i = 0; i < kGrid; ++i) std::copy(grid[i].begin(), grid[i].end(), rows[i]);
  kernel.dct(cosines.matrix, cosines.turned, rows, found);
  Coefficients coefficients;
  for (int k = 0; k < kBits; ++k) coefficients[k] = found[k / kBand][k % kBand];
  return coefficients;
}

int gradient(float u, float v) { return std::abs(static_cast<int>((u - v) * 100 / 255)); }

int quality(const PdqGrid& grid) {
  int sum = 0;
  for (int i = 0; i < kGrid - 1; ++i)
    for (int j = 0; j < kGrid; ++j) sum += gradient(grid[i][j], grid[i + 1][j]);
  for (int i = 0; i < kGrid; ++i)
    for (int j = 0; j < kGrid - 1; ++j) sum += gradient(grid[i][j], grid[i][j + 1]);
  return std::min(sum / 90, 100);
}

// Bit k is set where coefficient k is above the (lower) median. The text begins with bit 255.
PdqHash bits(const Coefficients& coefficients) {
  Coefficients sorted = coefficients;
  const auto median = sorted.begin() + kBits / 2 - 1;
  std::nth_element(sorted.begin(), median, sorted.end());
  PdqHash hash{};
  for (int k = 0; k < kBits; ++k)
    if (coefficients[k] > *median) hash[kPdqBytes - 1 - k / 8] |= static_cast<uint8_t>(1 << k % 8);
  return hash;
}

// A view of a picture: its rows and columns swapped, then either of them run backwards.
Pixels turned(Pixels pixels, const Turn& turn) {
  if (turn.transposed) {
    std::swap(pixels.height, pixels.width);
    std::swap(pixels.row_stride, pixels.column_stride);
  }
  if (turn.rows_reversed) {
    pixels.data += (pixels.height - 1) * pixels.row_stride;
    pixels.row_stride = -pixels.row_stride;
  }
  if (turn.columns_reversed) {
    pixels.data += (pixels.width - 1) * pixels.column_stride;
    pixels.column_stride = -pixels.column_stride;
  }
  return pixels;
}

bool too_small(const Pixels& pixels) {
  return pixels.height < kSmallestSide || pixels.width < kSmallestSide;
}

}  // namespace

const PdqKernel& pdq_kernel(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kPdqScalar;
#if defined(__x86_64__)
    case Isa::avx2:
      return kPdqAvx2;
    case Isa::avx512:
      return kPdqAvx512;
#elif defined(__aarch64__)
    case Isa::neon:
      return kPdqNeon;
#endif
    default:
      throw std::logic_error("no PDQ kernel for this instruction set");
  }
}

PdqResult pdq(const Pixels& pixels, const PdqKernel& kernel) {
  if (too_small(pixels)) return {};
  const bool ready = pixels.height == kGrid && pixels.width == kGrid;
  const PdqGrid grid = ready ? pdq_luma(pixels) : pdq_filter(pixels, kernel);
  return {bits(dct(grid, kernel)), quality(grid)};
}

PdqOrientations pdq_orientations(const Pixels& pixels, const PdqKernel& kernel) {
  PdqOrientations results{};
  if (too_small(pixels)) return results;
  for (size_t k = 0; k < kOrientations; ++k) results[k] = pdq(turned(pixels, kTurns[k]), kernel);
  return results;
}

}  // namespace screener
