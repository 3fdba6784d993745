// PDQ's loops without any instruction set: what the other kernels must equal.
#include <cstdint>

#include "pdq_kernel.h"

namespace screener {
namespace {

float grey_luma(const uint8_t* pixel) { return static_cast<float>(*pixel); }

float rgb_luma(const uint8_t* pixel) { return pdq_luma(pixel[0], pixel[1], pixel[2]); }

float* slot(const BoxLines& lines, int64_t input) {
  return lines.ring + (input & lines.mask) * kTile;
}

// Takes the input that stands in the ring into the sums, and the one that leaves out of them.
void step(BoxLines& lines, int64_t input) {
  const float* entering = slot(lines, input);
  const float* leaving = slot(lines, input - lines.window);
  for (int i = 0; i < kTile; ++i) {
    lines.sums[i] += entering[i];
    lines.sums[i] -= leaving[i];
  }
}

template <int channels, float (*luma)(const uint8_t*)>
void box_rows(const uint8_t* const rows[kTile], int64_t tiles, const float* counts,
              float* const out[kTile], int height, BoxLines& lines) {
  for (int64_t column = 0; column < tiles * kTile; ++column, ++lines.next) {
    float* entering = slot(lines, lines.next);
    for (int i = 0; i < kTile; ++i) entering[i] = luma(rows[i] + column * channels);
    step(lines, lines.next);
    for (int i = 0; i < height; ++i) out[i][lines.next] = lines.sums[i] / counts[lines.next];
  }
}

void columns(const float* const added[kTile], const float* const removed[kTile],
             const float counts[kTile], float* sums, int64_t tiles, BoxLines& lines,
             BoxSamples& samples) {
  for (int64_t column = 0; column < tiles * kTile; ++column, ++lines.next) {
    float* entering = slot(lines, lines.next);
    float sum = sums[column];
    for (int i = 0; i < kTile; ++i) {
      sum += added[i][column];
      sum -= removed[i][column];
      entering[i] = sum / counts[i];
    }
    sums[column] = sum;
    step(lines, lines.next);
    for (; samples.inputs[samples.next] == lines.next; ++samples.next)
      for (int i = 0; i < kTile; ++i)
        samples.values[samples.next][i] = lines.sums[i] / samples.counts[samples.next];
  }
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int i = 0; i < kTile; ++i)
    for (int j = 0; j < kGrid; ++j) rows[i][j] = samples[j][i];
}

void dct(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
         const float grid[kGrid][kGrid], float coefficients[kBand][kBand]) {
  for (int i = 0; i < kBand; ++i) {
    float half[kGrid] = {};
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kGrid; ++j) half[j] += matrix[i][k] * grid[k][j];
    for (int j = 0; j < kBand; ++j) coefficients[i][j] = 0;
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kBand; ++j) coefficients[i][j] += half[k] * turned[k][j];
  }
}

}  // namespace

const PdqKernel kPdqScalar = {box_rows<1, grey_luma>, box_rows<3, rgb_luma>, columns, turn, dct};

}  // namespace screener
