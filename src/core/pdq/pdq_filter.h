// From a picture of any size to PDQ's 64×64 luma: a tent filter as two passes of a box along the
// rows and the columns, then one sample for each cell.
#pragma once
#include <array>
#include <memory>

#include "pdq/pdq_kernel.h"
#include "pixels.h"

namespace screener {

struct PdqGrid {
  float values[kGrid][kGrid];
  float* operator[](int row) { return values[row]; }
  const float* operator[](int row) const { return values[row]; }
};

// Filters a picture from the top down, as far as is asked. Both sides must be at least 5; pixels
// must stay in place.
class PdqFilter {
 public:
  PdqFilter(const Pixels& pixels, const PdqKernel& kernel);
  ~PdqFilter();
  PdqFilter(const PdqFilter&) = delete;
  PdqFilter& operator=(const PdqFilter&) = delete;

  // Goes on until at least so many rows of the grid are made; returns how many are.
  int run(int rows);
  const PdqGrid& grid() const;
  // What the running sums down the columns have left behind so far: so much higher than without
  // it is every later sample of a column, save for what is left behind from now on.
  std::array<double, kGrid> drift() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

PdqGrid pdq_filter(const Pixels& pixels, const PdqKernel& kernel);

// The luma of a picture of exactly 64×64, unfiltered.
PdqGrid pdq_luma(const Pixels& pixels);

}  // namespace screener
