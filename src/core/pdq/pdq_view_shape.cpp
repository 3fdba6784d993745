#include "pdq/pdq_view_shape.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace screener {
namespace {

constexpr double kHalf = 0.5;
constexpr double kLast = kGrid - 1;
constexpr double kLongest = 16;  // of the sides, to the other

// The place in the listed picture of a sample at a place in the copy.
void invert(const PdqMap& map, double down, double across, double& row, double& column) {
  const PdqPlace &d = map.down, &a = map.across;
  const double area = d.by_row * a.by_column - d.by_column * a.by_row;
  const double y = down - d.start, x = across - a.start;
  row = (a.by_column * y - d.by_column * x) / area;
  column = (d.by_row * x - a.by_row * y) / area;
}

std::vector<PdqGuess> outside(const PdqViewShape& shape) {
  const PdqMap map = pdq_map(shape, 1.0);
  std::vector<PdqGuess> guesses;
  for (int cell = 0; cell < kGrid * kGrid; ++cell) {
    const int i = cell / kGrid, j = cell % kGrid;
    const double down = map.down.at(i, j), across = map.across.at(i, j);
    const double nearest_down = std::clamp(down, 0.0, kLast);
    const double nearest_across = std::clamp(across, 0.0, kLast);
    if (std::hypot(down - nearest_down, across - nearest_across) < kHalf) continue;
    PdqGuess guess{cell, 1, {}, {}, {1.0}};
    invert(map, nearest_down, nearest_across, guess.rows[0], guess.columns[0]);
    guesses.push_back(guess);
  }
  return guesses;
}

bool covers(const PdqViewShape& shape, int i, int j) {
  const double y = (i + kHalf) / kGrid, x = (j + kHalf) / kGrid;
  if (shape.cover == PdqCover::rectangle)
    return shape.y0 <= y && y <= shape.y1 && shape.x0 <= x && x <= shape.x1;
  const double up = (2 * y - shape.y0 - shape.y1) / (shape.y1 - shape.y0);
  const double side = (2 * x - shape.x0 - shape.x1) / (shape.x1 - shape.x0);
  return up * up + side * side <= 1;
}

std::vector<PdqGuess> covered(const PdqViewShape& shape) {
  constexpr int kSteps[][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
  std::vector<PdqGuess> guesses;
  for (int cell = 0; cell < kGrid * kGrid; ++cell) {
    const int i = cell / kGrid, j = cell % kGrid;
    if (!covers(shape, i, j)) continue;
    PdqGuess guess{cell, 0, {}, {}, {}};
    double sum = 0;
    for (const auto& [down, across] : kSteps) {
      int y = i, x = j, steps = 0;
      const auto inside = [&] { return 0 <= y && y < kGrid && 0 <= x && x < kGrid; };
      for (; inside() && covers(shape, y, x); ++steps) y += down, x += across;
      if (!inside()) continue;
      guess.rows[guess.sources] = y;
      guess.columns[guess.sources] = x;
      sum += guess.weights[guess.sources++] = 1.0 / steps;
    }
    for (int k = 0; k < guess.sources; ++k) guess.weights[k] /= sum;
    guesses.push_back(guess);
  }
  return guesses;
}

}  // namespace

PdqMap pdq_map(const PdqViewShape& shape, double aspect) {
  const double angle = shape.angle * std::numbers::pi / 180;
  const double width = 1 - shape.left - shape.right, height = 1 - shape.top - shape.bottom;
  // A strip that was turned shows next to nothing of what it showed: no need to follow it far.
  const double listed_aspect = std::clamp(aspect * width / height, 1 / kLongest, kLongest);
  const double cosine = std::cos(angle), sine = std::sin(angle);
  // From the middle of the listed picture to shares of the copy, and to its samples.
  const auto place = [](double share, double margin, double by_row, double by_column) {
    const double middle = (kHalf - margin) / share * kGrid - kHalf;
    const double from = (kGrid - 1) / 2.0;
    return PdqPlace{middle - (by_row + by_column) / share * from, by_row / share,
                    by_column / share};
  };
  return {place(height, shape.top, cosine, -sine / listed_aspect),
          place(width, shape.left, sine * listed_aspect, cosine)};
}

std::vector<PdqGuess> pdq_guesses(const PdqViewShape& shape) {
  return shape.cover == PdqCover::none ? outside(shape) : covered(shape);
}

}  // namespace screener
