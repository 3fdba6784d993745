// PDQ's loops without any instruction set: what the other kernels must equal.
#include <cstdint>

#include "pdq_kernel.h"

namespace screener {
namespace {

float grey_luma(const uint8_t* pixel) { return static_cast<float>(*pixel); }

float rgb_luma(const uint8_t* pixel) { return pdq_luma(pixel[0], pixel[1], pixel[2]); }

// Takes one more input into the sums, and the one that leaves the window out of them.
void step(BoxLines& lines, const float* input) {
  const float* leaving = input - lines.window * kTile;
  for (int i = 0; i < kTile; ++i) {
    lines.sums[i] += input[i];
    lines.sums[i] -= leaving[i];
  }
}

template <int channels, float (*luma)(const uint8_t*)>
void box_rows(const uint8_t* const rows[kTile], int64_t tiles, const float* counts,
              float* const out[kTile], int height, BoxLines& lines) {
  for (int64_t column = 0; column < tiles * kTile; column += kTile) {
    const int64_t next = lines.next;
    float* input = box_enter(lines);
    for (int x = 0; x < kTile; ++x, input += kTile) {
      for (int i = 0; i < kTile; ++i) input[i] = luma(rows[i] + (column + x) * channels);
      step(lines, input);
      for (int i = 0; i < height; ++i) out[i][next + x] = lines.sums[i] / counts[next + x];
    }
  }
}

void columns(const float* const added[kTile], const float* const removed[kTile],
             const float counts[kTile], float* sums, int64_t tiles, BoxLines& lines,
             BoxSamples& samples) {
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t next = lines.next;
    float* input = box_enter(lines);
    for (int x = 0; x < kTile; ++x, input += kTile) {
      const int64_t column = tile * kTile + x;
      for (int i = 0; i < kTile; ++i) {
        sums[column] += added[i][column];
        sums[column] -= removed[i][column];
        input[i] = sums[column] / counts[i];
      }
      step(lines, input);
      for (; samples.inputs[samples.next] == next + x; ++samples.next)
        for (int i = 0; i < kTile; ++i)
          samples.values[samples.next][i] = lines.sums[i] / samples.counts[samples.next];
    }
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
