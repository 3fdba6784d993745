// PDQ's loops without any instruction set: what the other kernels must equal.
#include <cmath>
#include <cstdint>

#include "pdq/pdq_kernel.h"

namespace screener {
namespace {

float grey_luma(const uint8_t* pixel) { return static_cast<float>(*pixel); }

float rgb_luma(const uint8_t* pixel) { return pdq_luma(pixel[0], pixel[1], pixel[2]); }

// All three boxes. A column's sum moves on by a lane a step, to the next of its rows.
template <int channels, float (*luma)(const uint8_t*)>
void run(const PdqStrip& strip) {
  BoxSamples& samples = *strip.samples;
  float *across = strip.running[0], *down = strip.running[1], *again = strip.running[2];
  LanesTile before{}, after{}, sums{};
  for (int64_t t = 0; t < strip.tiles * kTile; ++t) {
    const int64_t at = t % kTile * kTile;
    if (at == 0) {
      before = enter(*strip.before);
      after = enter(*strip.after);
      sums = enter(*samples.sums);
    }
    float *first = before.entering + at, *third = after.entering + at;
    float *kept = strip.kept + t * kTile, *made = sums.entering + at;
    for (int n = 0; n < kTile; ++n) {
      first[n] = luma(strip.pixels + n * strip.apart + t * channels);
      across[n] += first[n];
      across[n] -= before.leaving[at + n];
      kept[n] = n < strip.below ? 0.0f : across[n] / strip.across.counts[t + n];
    }
    for (int n = 0; n < kTile; ++n) {
      const int from = n + strip.leaving_from;
      down[n] = n < kTile - 1 ? down[n + 1] : strip.sums[t];
      down[n] += kept[n];
      down[n] -= strip.leaving[from / kTile][t * kTile + from % kTile];
      third[n] = down[n] / strip.down.counts[n];
    }
    strip.sums[t - (kTile - 1)] = down[0];
    for (int n = 0; n < kTile; ++n) {
      again[n] += third[n];
      again[n] -= after.leaving[at + n];
      made[n] = again[n];
    }
    // The last of a sample's sixteen rows is made now, the first was fifteen steps ago.
    for (; samples.columns[samples.next] + kTile - 1 == samples.step; ++samples.next)
      for (int n = 0; n < kTile; ++n)
        samples.values[samples.next][n] = made[n - n * kTile] / samples.counts[samples.next];
    ++samples.step;
  }
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int i = 0; i < kTile; ++i)
    for (int j = 0; j < kGrid; ++j) rows[i][j] = samples[j][i];
}

template <bool bounded>
void dct_with(const PdqMatrices& matrices, const float grid[kGrid][kGrid],
              float coefficients[kBand][kBand], PdqRounding* rounding) {
  for (int i = 0; i < kBand; ++i) {
    float half[kGrid] = {}, partial[kGrid] = {}, second[kBand] = {};
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kGrid; ++j) {
        half[j] += matrices.matrix[i][k] * grid[k][j];
        if (bounded) partial[j] += std::fabs(half[j]);
      }
    for (int j = 0; j < kBand; ++j) coefficients[i][j] = 0;
    for (int k = 0; k < kGrid; ++k)
      for (int j = 0; j < kBand; ++j) {
        const float product = half[k] * matrices.turned[k][j];
        coefficients[i][j] += product;
        if (bounded) second[j] += std::fabs(product) + std::fabs(coefficients[i][j]);
      }
    if (!bounded) continue;
    for (int j = 0; j < kGrid; ++j) rounding->partial[i][j] = partial[j];
    for (int j = 0; j < kBand; ++j) rounding->second[i][j] = second[j];
  }
}

#include "pdq/pdq_dct.inc"

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
    for (int i = 0; i < copy.rows; ++i)
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
