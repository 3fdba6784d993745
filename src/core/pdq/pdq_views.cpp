#include "pdq/pdq_views.h"

#include <algorithm>

namespace screener {
namespace {

// A place between two samples, or on the last.
struct Between {
  int first;
  float share;  // of the second

  explicit Between(double place) {
    const double inside = std::clamp(place, 0.0, double{kGrid - 1});
    first = std::min(static_cast<int>(inside), kGrid - 2);
    share = static_cast<float>(inside - first);
  }
};

// The cosines of the listed picture's samples, at the copy's.
void move_cosines(const PdqPlace& place, bool down, float moved[kBand][kGrid]) {
  std::fill_n(moved[0], kBand * kGrid, 0.0f);
  for (int n = 0; n < kGrid; ++n) {
    const Between between(down ? place.at(n, 0) : place.at(0, n));
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

// Reads the samples at other places.
void turn_back(const PdqMap& map, const PdqGrid& samples, PdqGrid& turned) {
  for (int i = 0; i < kGrid; ++i)
    for (int j = 0; j < kGrid; ++j) {
      const Between y(map.down.at(i, j)), x(map.across.at(i, j));
      const float* above = samples[y.first] + x.first;
      const float* below = above + kGrid;
      const float upper = above[0] + (above[1] - above[0]) * x.share;
      const float lower = below[0] + (below[1] - below[0]) * x.share;
      turned[i][j] = upper + (lower - upper) * y.share;
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
                     const PdqKernel& kernel, const PdqQueries& queries) const {
  for (size_t n = first; n < last; ++n) {
    float coefficients[kBand][kBand];
    transform(n, samples, aspect, kernel, coefficients);
    pdq_weigh_orientations(coefficients[0], views_[n].sureness,
                           queries.after((n - first) * kOrientations));
  }
}

}  // namespace screener
