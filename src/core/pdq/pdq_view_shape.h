// What a view takes to have been done to a picture: it was cut and turned, or a part was covered.
#pragma once
#include <algorithm>
#include <vector>

#include "pdq/pdq_sizes.h"

namespace screener {

enum class PdqCover { none, rectangle, ellipse };

// Of the listed picture the margins are missing, as shares of its sides (less than none where
// something was added), and what is left was turned counter-clockwise by an angle in degrees. Or a
// rectangle or an ellipse from (x0, y0) to (x1, y1), shares of the sides, is covered.
struct PdqViewShape {
  double left, top, right, bottom;
  double angle;
  PdqCover cover;
  double x0, y0, x1, y1;
};

// Where the listed picture's samples lie among those of the copy: (i, j) at the row
// down.at(i, j) and the column across.at(i, j).
struct PdqPlace {
  double start, by_row, by_column;
  double at(double row, double column) const { return start + by_row * row + by_column * column; }
};
struct PdqMap {
  PdqPlace down, across;
};

// A place between two samples, or on the last; one outside is taken to lie at the edge.
struct PdqBetween {
  int first;
  float share;  // of the second

  explicit PdqBetween(double place) {
    const double inside = std::clamp(place, 0.0, double{kGrid - 1});
    first = std::min(static_cast<int>(inside), kGrid - 2);
    share = static_cast<float>(inside - first);
  }
};

// Of a copy whose height is `aspect` times its width.
PdqMap pdq_map(const PdqViewShape& shape, double aspect);

// A sample of the listed picture that the copy does not show, by its number in the grid; and the
// samples whose weighted mean is put in its place, by their places in the listed picture.
struct PdqGuess {
  static constexpr int kMost = 4;
  int cell;
  int sources;
  double rows[kMost], columns[kMost], weights[kMost];
};

// What is guessed in the order of the cells: outside the copy the nearest sample inside, and under
// a cover the nearest uncovered ones above, below and on both sides, by their nearness.
std::vector<PdqGuess> pdq_guesses(const PdqViewShape& shape);

// How far the guesses move each coefficient: the variance, where mean |B| is 1, over drawn pictures
// whose power falls with the third power of the frequency.
void pdq_variances(const std::vector<PdqGuess>& guesses, double variances[kBand * kBand]);

}  // namespace screener
