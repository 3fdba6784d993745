// What one instruction set offers to PDQ: the loops over pixels, samples and coefficients.
//
// All kernels do the same float32 additions, subtractions, multiplications and divisions in the
// same order, so that their results are equal to the last bit. They work on whole tiles of 16×16;
// pdq_rows.h pads what is smaller.
#pragma once
#include <cstdint>

#include "pdq/pdq_cosines.h"
#include "pdq/pdq_strip.h"

namespace screener {

// Far enough ahead for memory to keep up, in bytes along a row, and in rows of memory where these
// are columns of the view, of which the processor foresees none.
constexpr int64_t kPdqAhead = 512;
constexpr int64_t kPdqRowsAhead = 32;

// The published weights, in thousandths: the sum is exact, so the division alone rounds.
constexpr int kPdqRed = 299, kPdqGreen = 587, kPdqBlue = 114;
inline float pdq_luma(int red, int green, int blue) {
  return static_cast<float>(kPdqRed * red + kPdqGreen * green + kPdqBlue * blue) / 1000.0f;
}

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

struct PdqKernel {
  void (*grey)(const PdqStrip& strip);
  void (*rgb)(const PdqStrip& strip);

  // The samples of sixteen lanes, from one lane a column to one lane a row.
  void (*turn)(const float samples[kGrid][kTile], float rows[kTile][kGrid]);

  // coefficients = matrix · grid · turned, each sum in float32 from the first term to the last.
  // Grids and coefficients may lie at any address, here and below.
  void (*dct)(const PdqMatrices& matrices, const float grid[kGrid][kGrid],
              float coefficients[kBand][kBand]);

  // The same, and what bounds the roundings. The sums of absolute values round as well.
  void (*dct_bounded)(const PdqMatrices& matrices, const float grid[kGrid][kGrid],
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
