// What one instruction set offers to PDQ: the few loops that touch every pixel.
//
// All kernels do the same float32 additions, subtractions, multiplications and divisions in the
// same order, so that their results are equal to the last bit. They work on whole tiles of 16×16;
// pdq_rows.h pads what is smaller.
#pragma once
#include <cstdint>

namespace screener {

constexpr int kTile = 16;  // lines side by side, and steps at a time
constexpr int kGrid = 64;  // the filtered picture is 64×64
constexpr int kBand = 16;  // the DCT keeps 16×16 frequencies

// How many tiles so many lines or steps take.
constexpr int64_t tiles_for(int64_t count) { return (count + kTile - 1) / kTile; }

// Far enough ahead for memory to keep up, in bytes along a row, and in rows of memory where these
// are columns of the view, of which the processor foresees none.
constexpr int64_t kPdqAhead = 512;
constexpr int64_t kPdqRowsAhead = 32;

// The published weights, in thousandths: the sum is exact, so the division alone rounds.
constexpr int kPdqRed = 299, kPdqGreen = 587, kPdqBlue = 114;
inline float pdq_luma(int red, int green, int blue) {
  return static_cast<float>(kPdqRed * red + kPdqGreen * green + kPdqBlue * blue) / 1000.0f;
}

// Sixteen rows of the picture go through the first three boxes aslant, each a column behind the row
// above it: lane n of step t is row 15 − n of them at column t − 15 + n. So lanes are rows to the
// boxes along the rows, whose sums stay where they are, and they are columns to the box down the
// columns, whose sums move on by a lane a step; what comes out of a box goes into the next as it
// is. With rows one below the other two boxes would need their inputs turned, which takes more than
// the sums themselves (docs/pdq.md). Columns before the first and behind the last are zeros.

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
// (docs/pdq.md says why). Where a box has no output, the count is infinite and
// the others are zero.
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

// The rows of pixels that reach a sample, in pairs, and their weights. Runs of rows end where the
// sum of the weights would pass 257, so that 16 bits hold the sum of a run.
struct PdqTent {
  const uint8_t* const* rows;
  const uint32_t* pairs;  // of weights up to 64, twice over: a, b, a, b
  const int* ends;        // of the runs, in rows
  int runs;
};

// The sums along a row that make its 64 samples.
struct PdqAcross {
  const int64_t* firsts;    // [64] where the inputs of each begin
  const float* weights[2];  // [vectors · 16] of all but the last, and of the last
  int64_t vectors;
};

// The sums of absolute values that bound what rounding did to the coefficients.
struct PdqRounding {
  alignas(64) float partial[kBand][kGrid];  // all sums on the way to matrix · grid
  alignas(64) float second[kBand][kBand];   // all products and sums on the way to the coefficients
};

// The quality adds up whole parts of so much times the difference of neighbouring samples.
constexpr float kPdqTerm = 100.0f / 255.0f;

// How far the reference's terms can be from ours.
struct PdqTermErrors {
  alignas(64) float above[kGrid];   // of samples (·, j) one above the other
  alignas(64) float beside[kGrid];  // of samples (i, ·) side by side
  int known;                        // so many rows are the reference's own:
  float rounded;                    // of terms between these
};

// The sums of the terms, each cut to a whole number, if all are as small or as large as may be.
struct PdqTerms {
  int least;
  int most;
};

// Up to sixteen rows of pixels anywhere in memory, to be copied without gaps.
struct PdqCopy {
  const uint8_t* from[kTile];
  int rows;       // of these; what stands for the others when it is done does not matter
  int64_t apart;  // bytes from a pixel to the next of its row
  int64_t count;  // pixels of a row
  int channels;
  int64_t channel_stride;

  // What is left when so many pixels of each row are copied.
  PdqCopy after(int64_t done) const {
    PdqCopy rest = *this;
    rest.count -= done;
    for (int i = 0; i < rows; ++i) rest.from[i] += done * apart;
    return rest;
  }
};

struct PdqCosines;  // pdq_cosines.h

struct PdqKernel {
  void (*grey)(const PdqStrip& strip);
  void (*rgb)(const PdqStrip& strip);

  // The samples of sixteen lanes, from one lane a column to one lane a row.
  void (*turn)(const float samples[kGrid][kTile], float rows[kTile][kGrid]);

  // coefficients = matrix · grid · matrixᵀ of the cosines' matrix, each sum in float32 from the
  // first term to the last. Grids and coefficients may lie at any address, here and below.
  void (*dct)(const PdqCosines& cosines, const float grid[kGrid][kGrid],
              float coefficients[kBand][kBand]);

  // The same, and what bounds the roundings. The sums of absolute values round as well.
  void (*dct_bounded)(const PdqCosines& cosines, const float grid[kGrid][kGrid],
                      float coefficients[kBand][kBand], PdqRounding& rounding);

  PdqTerms (*terms)(const float grid[kGrid][kGrid], const PdqTermErrors& errors);

  // Copies to rows `stride` bytes apart; four bytes behind each may be overwritten.
  void (*copy)(const PdqCopy& copy, uint8_t* out, int64_t stride);

  // out[x] = Σ weight · row[x], exact below 2^24.
  void (*weigh)(const PdqTent& tent, int64_t bytes, float* out);

  // out[j] = Σ sums[firsts[j] + n] · weights[n]: sixteen lanes from the first vector to the last,
  // products and sums rounded each, then lanes 8, 4, 2 and 1 apart are added.
  void (*across)(const PdqAcross& across, const float* sums, float out[kGrid]);
};

extern const PdqKernel kPdqScalar;
#if defined(__x86_64__)
void pdq_grey_avx2(const PdqStrip& strip);
void pdq_rgb_avx2(const PdqStrip& strip);
void pdq_turn_avx2(const float samples[kGrid][kTile], float rows[kTile][kGrid]);
void pdq_grey_avx512(const PdqStrip& strip);
void pdq_rgb_avx512(const PdqStrip& strip);
void pdq_turn_avx512(const float samples[kGrid][kTile], float rows[kTile][kGrid]);
void pdq_copy_avx2(const PdqCopy& copy, uint8_t* out, int64_t stride);
void pdq_copy_avx512(const PdqCopy& copy, uint8_t* out, int64_t stride);
extern const PdqKernel kPdqAvx2;
extern const PdqKernel kPdqAvx512;
#elif defined(__aarch64__)
extern const PdqKernel kPdqNeon;
#endif

}  // namespace screener
