// PDQ's loops without any instruction set: what the other kernels must equal.
#include <cmath>
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

template <bool bounded>
void dct_with(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
              const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
              PdqRounding* rounding) {
  for (int i = 0; i < kBand; ++i) {
    float half[kGrid] = {}, partial[kGrid] = {}, second[kBand] = {};
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kGrid; ++j) {
        half[j] += matrix[i][k] * grid[k][j];
        if (bounded) partial[j] += std::fabs(half[j]);
      }
    for (int j = 0; j < kBand; ++j) coefficients[i][j] = 0;
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kBand; ++j) {
        const float product = half[k] * turned[k][j];
        coefficients[i][j] += product;
        if (bounded) second[j] += std::fabs(product) + std::fabs(coefficients[i][j]);
      }
    if (!bounded) continue;
    for (int j = 0; j < kGrid; ++j) rounding->partial[i][j] = partial[j];
    for (int j = 0; j < kBand; ++j) rounding->second[i][j] = second[j];
  }
}

void dct(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
         const float grid[kGrid][kGrid], float coefficients[kBand][kBand]) {
  dct_with<false>(matrix, turned, grid, coefficients, nullptr);
}

void dct_bounded(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
                 const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
                 PdqRounding& rounding) {
  dct_with<true>(matrix, turned, grid, coefficients, &rounding);
}

PdqTerms terms(const float grid[kGrid][kGrid], const PdqTermErrors& errors) {
  PdqTerms sums{0, 0};
  const auto add = [&](float u, float v, float error) {
    const float term = std::fabs(u - v) * kPdqTerm, least = term - error;
    sums.least += static_cast<int>(least > 0 ? least : 0);
    sums.most += static_cast<int>(term + error);
  };
  for (int i = 0; i < kGrid - 1; ++i)
    for (int j = 0; j < kGrid; ++j)
      add(grid[i][j], grid[i + 1][j], i + 1 < errors.known ? errors.rounded : errors.above[j]);
  for (int i = 0; i < kGrid; ++i)
    for (int j = 0; j < kGrid - 1; ++j)
      add(grid[i][j], grid[i][j + 1], i < errors.known ? errors.rounded : errors.beside[i]);
  return sums;
}

// A pixel of each row at a time: rows that are columns in memory lie side by side there.
void copy(const PdqCopy& copy, uint8_t* out, int64_t stride) {
  for (int64_t n = 0; n < copy.count; ++n)
    for (int i = 0; i < kTile; ++i)
      for (int c = 0; c < copy.channels; ++c)
        out[i * stride + n * copy.channels + c] =
            copy.from[i][n * copy.apart + c * copy.channel_stride];
}

void weigh(const PdqTent& tent, int64_t bytes, float* out) {
  constexpr int64_t kBlock = 64;
  const int rows = tent.ends[tent.runs - 1];
  for (int64_t x = 0; x < bytes; x += kBlock) {
    const int64_t count = bytes - x < kBlock ? bytes - x : kBlock;
    uint32_t sums[kBlock] = {};
    for (int n = 0; n < rows; ++n) {
      const uint32_t weight = tent.pairs[n / 2] >> (n % 2 * 8) & 0xff;
      const uint8_t* row = tent.rows[n] + x;
      for (int64_t i = 0; i < count; ++i) sums[i] += weight * row[i];
    }
    for (int64_t i = 0; i < count; ++i) out[x + i] = static_cast<float>(sums[i]);
  }
}

void across(const PdqAcross& plan, const float* sums, float out[kGrid]) {
  for (int j = 0; j < kGrid; ++j) {
    const float* weights = plan.weights[j == kGrid - 1];
    const float* input = sums + plan.firsts[j];
    float lanes[kTile] = {};
    for (int64_t n = 0; n < plan.vectors * kTile; n += kTile)
      for (int i = 0; i < kTile; ++i) lanes[i] += input[n + i] * weights[n + i];
    for (int apart = kTile / 2; apart > 0; apart /= 2)
      for (int i = 0; i < apart; ++i) lanes[i] += lanes[i + apart];
    out[j] = lanes[0];
  }
}

}  // namespace

const PdqKernel kPdqScalar = {
    run<1, grey_luma>, run<3, rgb_luma>, turn, dct, dct_bounded, terms, copy, weigh, across};

}  // namespace screener
