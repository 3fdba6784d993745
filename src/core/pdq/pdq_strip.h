// Sixteen rows of the picture go through the first three boxes aslant, each a column behind the row
// above it: lane n of step t is row 15 − n of them at column t − 15 + n. So lanes are rows to the
// boxes along the rows, whose sums stay where they are, and they are columns to the box down the
// columns, whose sums move on by a lane a step; what comes out of a box goes into the next as it
// is. With rows one below the other two boxes would need their inputs turned, which takes more than
// the sums themselves (docs/internals/pdq.md). Columns before the first and behind the last are
// zeros.
#pragma once
#include <cstdint>

#include "pdq/pdq_sizes.h"

namespace screener {

constexpr int kLastOfTile = kTile - 1;  // the lane of the first row, and the row of lane 0

// The last values of sixteen lanes, step by step.
struct Lanes {
  float* first;    // [·][16], aligned to 64 bytes, room for at least two windows and a tile
  float* end;      // whole tiles fit between first + window · 16 and here
  float* entered;  // where the next go; before them stand the last `window`, at first zeros
  float* leaving;  // the first of these
  int64_t window;
};

// Where the next tile of values goes, and what leaves the windows with it. At the end of the room
// the last window moves to the front.
struct LanesTile {
  float* entering;
  const float* leaving;
};

inline LanesTile enter(Lanes& lanes) {
  if (lanes.entered == lanes.end) {
    const int64_t kept = lanes.window * kTile;
    for (int64_t n = 0; n < kept; ++n) lanes.first[n] = lanes.end[n - kept];
    lanes.entered = lanes.first + kept;
    lanes.leaving = lanes.first;
  }
  const LanesTile tile{lanes.entered, lanes.leaving};
  lanes.entered += kTile * kTile;
  lanes.leaving += kTile * kTile;
  return tile;
}

// What sums are divided by. With high = 1 / count, rounded, and low = 1 / count − high, rounded,
// the correctly rounded quotient is fma(sum, high, sum · low), for counts up to kMostCounted
// (docs/internals/pdq.md says why). Where a box has no output, the count is infinite and the
// others are zero.
struct BoxCounts {
  const float* counts;
  const float* high;
  const float* low;
};

constexpr int64_t kMostCounted = 4096;

// The sums of the third box that are samples of it, in rising order of their columns.
struct BoxSamples {
  const int64_t* columns;  // [65] the last is beyond all
  const float* counts;     // [64] the divisor of each
  int next;                // number of the next sample
  int64_t step;            // and of the next step
  Lanes* sums;             // the last sixteen and more
  float (*values)[kTile];  // [64][16] the quotients, by lane
};

// Some steps of sixteen rows. Pointers are to what the first of them needs.
struct PdqStrip {
  int64_t tiles;          // of sixteen steps
  const uint8_t* pixels;  // of the first lane
  int64_t apart;          // bytes from a lane's to the next one's
  int below;              // lanes before this one are rows below the picture: zeros

  Lanes* before;     // the inputs of the first box
  BoxCounts across;  // lane n of step t divides by number t + n
  bool whole;        // these are all the same
  float* kept;       // [·][16] takes what comes out of it

  // What leaves the second box: lane n of step t is number n + `leaving_from` of the 32 floats
  // leaving[0][t · 16 …] and leaving[1][t · 16 …]. The former may be what `kept` takes a step or
  // more before, the latter what it overwrites a step or more later.
  const float* leaving[2];
  int leaving_from;
  BoxCounts down;  // [16] by lane
  // The sums of the columns: [t] is taken by lane 15 of step t, and the sum after the last row of a
  // column is put back at the latest a tile later.
  float* sums;

  Lanes* after;  // the inputs of the third box
  BoxSamples* samples;
  float (*running)[kTile];  // [3][16] the sums of the three boxes after the last step, as it likes
};

}  // namespace screener
