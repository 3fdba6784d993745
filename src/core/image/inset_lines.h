// Long straight edges in the rows and columns of a shrunk picture.
#pragma once
#include <cstdint>
#include <vector>

#include "image/inset_parts.h"

namespace screener::insets {

inline constexpr int64_t kBlock = 8;  // values that are added up first

// An edge through the pixels of column (or row) `at`, from one row (or column) to another.
struct Line {
  int64_t at, from, to;
  double score;
  bool border = false;
  std::vector<int> sums = {};  // of the values before each block, all along the picture
};

// The strongest lines, vertical or horizontal.
std::vector<Line> find_lines(const Small& s, bool vertical, int64_t min_length);

}  // namespace screener::insets
