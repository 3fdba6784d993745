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

// The first box: pixels in, the strip's rows that are kept out.
template <int channels, float (*luma)(const uint8_t*)>
void box_rows(const PdqStrip& strip, int64_t column) {
  float* input = box_enter(*strip.before);
  for (int i = 0; i < kTile; ++i)
    for (int x = 0; x < kTile; ++x)
      input[x * kTile + i] = luma(strip.rows[i] + (column + x) * channels);
  float quotients[kTile][kTile];
  for (int x = 0; x < kTile; ++x, input += kTile) {
    step(*strip.before, input);
    for (int i = 0; i < kTile; ++i)
      quotients[x][i] = strip.before->sums[i] / strip.counts[column + x];
  }
  for (int i = 0; i < kTile; ++i)
    for (int x = 0; x < kTile; ++x)
      strip.kept[i][column + x] = i < strip.height ? quotients[x][i] : 0.0f;
}

// The second box and the third: kept rows in, samples out.
void box_columns(const PdqStrip& strip, int64_t column) {
  BoxSamples& samples = *strip.samples;
  int64_t number = strip.after->next;
  float* input = box_enter(*strip.after);
  float* sums = strip.sums + column;
  for (int i = 0; i < kTile; ++i)
    for (int x = 0; x < kTile; ++x) {
      sums[x] += strip.kept[i][column + x];
      sums[x] -= strip.removed[i][column + x];
      input[x * kTile + i] = sums[x] / strip.row_counts[i];
    }
  for (int x = 0; x < kTile; ++x, ++number, input += kTile) {
    step(*strip.after, input);
    for (; samples.inputs[samples.next] == number; ++samples.next)
      for (int i = 0; i < kTile; ++i)
        samples.values[samples.next][i] = strip.after->sums[i] / samples.counts[samples.next];
  }
}

template <int channels, float (*luma)(const uint8_t*)>
void run(const PdqStrip& strip) {
  for (int64_t column = 0; column < strip.tiles * kTile; column += kTile) {
    box_rows<channels, luma>(strip, column);
    box_columns(strip, column);
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

const PdqKernel kPdqScalar = {run<1, grey_luma>, run<3, rgb_luma>, turn, dct};

}  // namespace screener
