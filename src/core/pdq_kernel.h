// What one instruction set offers to PDQ: the few loops that touch every pixel.
//
// All kernels do the same float32 additions, subtractions, multiplications and divisions in the
// same order, so that their results are equal to the last bit. They work on whole tiles of 16×16;
// pdq.cpp pads what is smaller.
#pragma once
#include <cstdint>

#include "kernel.h"

namespace screener {

constexpr int kTile = 16;  // lines side by side, and inputs of each line a step
constexpr int kGrid = 64;  // the filtered picture is 64×64
constexpr int kBand = 16;  // the DCT keeps 16×16 frequencies

// The published weights in thousandths: the sum is exact, so the division alone rounds.
inline float pdq_luma(int red, int green, int blue) {
  return static_cast<float>(299 * red + 587 * green + 114 * blue) / 1000.0f;
}

// A box filter along sixteen lines at once: one running sum a line, and the last inputs of all in
// a row, so that each can be taken off again when it leaves the window.
struct BoxLines {
  float* first;    // [·][16], aligned to 64 bytes, room for at least two windows and a tile
  float* end;      // whole tiles fit between first + window · 16 and here
  float* entered;  // where the next inputs go; before them stand the last `window`, at first zeros
  int64_t window;  // inputs that a sum spans
  int64_t next;    // number of the next input, a multiple of 16
  alignas(64) float sums[kTile];
};

// Where the next tile of inputs goes. At the end of the room the last window moves to the front.
inline float* box_enter(BoxLines& lines) {
  if (lines.entered == lines.end) {
    const int64_t kept = lines.window * kTile;
    for (int64_t n = 0; n < kept; ++n) lines.first[n] = lines.end[n - kept];
    lines.entered = lines.first + kept;
  }
  float* tile = lines.entered;
  lines.entered += kTile * kTile;
  lines.next += kTile;
  return tile;
}

// The inputs after which the sums are read, in rising order and ended by a number beyond all.
struct BoxSamples {
  const int64_t* inputs;  // [65]
  const float* counts;    // [64] the divisor of each
  int next;
  float (*values)[kTile];  // [64][16] the quotients, one column a line
};

// Some columns of sixteen rows on their way through the first three boxes. Pointers are to the
// strip's first column, and all but those to the pixels are aligned to 64 bytes.
struct PdqStrip {
  int64_t tiles;                // of sixteen columns
  int height;                   // rows beyond are taken as zeros after the first box
  const uint8_t* rows[kTile];   // pixels; RGB is read up to 4 bytes past the last
  const float* counts;          // the first box's divisors, infinite where it has no output
  float* kept[kTile];           // takes what comes out of it
  const float* removed[kTile];  // the same of the rows that leave the second box, down the columns
  float row_counts[kTile];      // the second box's divisors
  float* sums;                  // and its running sums
  BoxLines* before;             // the first box
  BoxLines* after;              // the third, along the rows again
  BoxSamples* samples;          // of the third
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

// Sixteen rows of pixels anywhere in memory, to be copied without gaps.
struct PdqCopy {
  const uint8_t* from[kTile];
  int64_t apart;  // bytes from a pixel to the next of its row
  int64_t count;  // pixels of a row
  int channels;
  int64_t channel_stride;
};

struct PdqKernel {
  void (*grey)(const PdqStrip& strip);
  void (*rgb)(const PdqStrip& strip);

  // The samples of sixteen rows, from one row a column to one row a row.
  void (*turn)(const float samples[kGrid][kTile], float rows[kTile][kGrid]);

  // coefficients = matrix · grid · matrixᵀ, each sum in float32 from the first term to the last.
  // `turned` is the transposed matrix. Grids and coefficients may lie at any address, here and
  // below.
  void (*dct)(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
              const float grid[kGrid][kGrid], float coefficients[kBand][kBand]);

  // The same, and what bounds the roundings. The sums of absolute values round as well.
  void (*dct_bounded)(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
                      const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
                      PdqRounding& rounding);

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
// Wider registers are of no use to it.
void pdq_copy_avx2(const PdqCopy& copy, uint8_t* out, int64_t stride);
extern const PdqKernel kPdqAvx2;
extern const PdqKernel kPdqAvx512;
#elif defined(__aarch64__)
extern const PdqKernel kPdqNeon;
#endif

const PdqKernel& pdq_kernel(Isa isa);

}  // namespace screener
