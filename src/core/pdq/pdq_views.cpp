#include "pdq/pdq_views.h"

#include <algorithm>
#include <cmath>

namespace screener {
namespace {

// The cosines of the listed picture's samples, at the copy's.
void move_cosines(const PdqPlace& place, bool down, float moved[kBand][kGrid]) {
  std::fill_n(moved[0], kBand * kGrid, 0.0f);
  for (int n = 0; n < kGrid; ++n) {
    const PdqBetween between(down ? place.at(n, 0) : place.at(0, n));
    for (int k = 0; k < kBand; ++k) {
      const float cosine = pdq_cosines().matrix[k][n];
      moved[k][between.first] += cosine * (1 - between.share);
      moved[k][between.first + 1] += cosine * between.share;
    }
  }
}

PdqMatrices matrices_of(const PdqMap& map) {
  PdqMatrices matrices;
  float across[kBand][kGrid];
  move_cosines(map.down, true, matrices.matrix);
  move_cosines(map.across, false, across);
  for (int k = 0; k < kBand; ++k)
    for (int n = 0; n < kGrid; ++n) matrices.turned[n][k] = across[k][n];
  return matrices;
}

std::vector<PdqFill> fills_of(const std::vector<PdqGuess>& guesses) {
  std::vector<PdqFill> fills;
  for (const PdqGuess& guess : guesses) {
    PdqFill fill{static_cast<uint16_t>(guess.cell), {}, {}};
    for (int k = 0; k < guess.sources; ++k) {
      fill.from[k] = static_cast<uint16_t>(guess.rows[k] * kGrid + guess.columns[k]);
      fill.weights[k] = static_cast<float>(guess.weights[k]);
    }
    fills.push_back(fill);
  }
  return fills;
}

// Puts what surrounds it in the place of what is covered.
void uncover(const std::vector<PdqFill>& fills, const PdqGrid& samples, PdqGrid& filled) {
  filled = samples;
  const float* from = samples.values[0];
  float* to = filled.values[0];
  for (const PdqFill& fill : fills) {
    to[fill.cell] = 0;
    for (int k = 0; k < PdqGuess::kMost; ++k) to[fill.cell] += from[fill.from[k]] * fill.weights[k];
  }
}

// Places along a side of the copy, in parts of a sample: whole numbers, which compilers make
// vectors of without instructions of a kernel.
constexpr int kPartBits = 18;
constexpr int32_t kEnd = ((kGrid - 1) << kPartBits) - 1;

int32_t parts(double samples) {
  return static_cast<int32_t>(std::lround(samples * (1 << kPartBits)));
}

int32_t inside(int32_t place) {
  place = place > 0 ? place : 0;
  return place < kEnd ? place : kEnd;
}

float share(int32_t place) {
  constexpr int32_t kPart = (1 << kPartBits) - 1;
  return static_cast<float>(place & kPart) * (1.0f / (1 << kPartBits));
}

// Reads the samples at other places.
void turn_back(const PdqMap& map, const PdqGrid& samples, PdqGrid& turned) {
  const float* from = samples.values[0];
  const int32_t y_step = parts(map.down.by_column), x_step = parts(map.across.by_column);
  for (int i = 0; i < kGrid; ++i) {
    const int32_t y_start = parts(map.down.at(i, 0)), x_start = parts(map.across.at(i, 0));
    int32_t corners[kGrid];
    float downs[kGrid], acrosses[kGrid];
    for (int j = 0; j < kGrid; ++j) {
      const int32_t y = inside(y_start + y_step * j), x = inside(x_start + x_step * j);
      corners[j] = (y >> kPartBits) * kGrid + (x >> kPartBits);
      downs[j] = share(y);
      acrosses[j] = share(x);
    }
    for (int j = 0; j < kGrid; ++j) {
      const float* corner = from + corners[j];
      const float upper = corner[0] + (corner[1] - corner[0]) * acrosses[j];
      const float lower = corner[kGrid] + (corner[kGrid + 1] - corner[kGrid]) * acrosses[j];
      turned[i][j] = upper + (lower - upper) * downs[j];
    }
  }
}

}  // namespace

PdqViews::PdqViews(const std::vector<PdqViewShape>& shapes) {
  views_.reserve(shapes.size());
  for (const PdqViewShape& shape : shapes) {
    const std::vector<PdqGuess> guesses = pdq_guesses(shape);
    double variances[kPdqBits];
    pdq_variances(guesses, variances);
    View view{shape, pdq_sureness(variances), pdq_cosines(), {}};
    if (shape.cover != PdqCover::none)
      view.fills = fills_of(guesses);
    else if (shape.angle == 0)
      view.matrices = matrices_of(pdq_map(shape, 1));
    views_.push_back(std::move(view));
  }
}

void PdqViews::transform(size_t number, const PdqGrid& samples, double aspect,
                         const PdqKernel& kernel, float coefficients[kBand][kBand]) const {
  const View& view = views_[number];
  const PdqGrid* shown = &samples;
  PdqGrid made;
  if (!view.fills.empty()) {
    uncover(view.fills, samples, made);
    shown = &made;
  } else if (view.shape.angle != 0) {
    turn_back(pdq_map(view.shape, aspect), samples, made);
    shown = &made;
  }
  kernel.dct(view.matrices, shown->values, coefficients);
}

void PdqViews::weigh(size_t first, size_t last, const PdqGrid& samples, double aspect,
                     const PdqKernel& kernel, size_t orientations,
                     const PdqQueries& queries) const {
  for (size_t n = first; n < last; ++n) {
    float coefficients[kBand][kBand];
    transform(n, samples, aspect, kernel, coefficients);
    const PdqQueries own = queries.after((n - first) * orientations);
    if (orientations == kOrientations)
      pdq_weigh_orientations(coefficients[0], views_[n].sureness, own);
    else
      pdq_weigh_mirrored(coefficients[0], views_[n].sureness, own);
  }
}

}  // namespace screener
