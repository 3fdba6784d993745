// PDQ's loops with NEON: a register holds one input of four lines. Multiplication and addition are
// kept apart (no vmlaq, no vfmaq), which would round differently.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>

#include "pdq_kernel.h"

namespace screener {
namespace {

constexpr int kLanes = 4;

// Turns the 16×16 floats at `in` into `out`, whose rows are `step` apart.
void turn_tile(const float in[kTile][kTile], float* out, int64_t step) {
  for (int y = 0; y < kTile; y += kLanes)
    for (int x = 0; x < kTile; x += kLanes) {
      const float32x4_t a = vld1q_f32(&in[y][x]), b = vld1q_f32(&in[y + 1][x]);
      const float32x4_t c = vld1q_f32(&in[y + 2][x]), d = vld1q_f32(&in[y + 3][x]);
      const float32x4_t ab_even = vtrn1q_f32(a, b), ab_odd = vtrn2q_f32(a, b);
      const float32x4_t cd_even = vtrn1q_f32(c, d), cd_odd = vtrn2q_f32(c, d);
      float* to = out + x * step + y;
      vst1q_f32(to, vcombine_f32(vget_low_f32(ab_even), vget_low_f32(cd_even)));
      vst1q_f32(to + step, vcombine_f32(vget_low_f32(ab_odd), vget_low_f32(cd_odd)));
      vst1q_f32(to + 2 * step, vcombine_f32(vget_high_f32(ab_even), vget_high_f32(cd_even)));
      vst1q_f32(to + 3 * step, vcombine_f32(vget_high_f32(ab_odd), vget_high_f32(cd_odd)));
    }
}

// The luma of four pixels. The sum of the weights is exact, so the division alone rounds.
float32x4_t luma(uint16x4_t red, uint16x4_t green, uint16x4_t blue) {
  const uint32x4_t sum = vmlal_n_u16(vmlal_n_u16(vmull_n_u16(red, 299), green, 587), blue, 114);
  return vdivq_f32(vcvtq_f32_u32(sum), vdupq_n_f32(1000.0f));
}

// The luma of sixteen pixels of one row.
struct Rgb {
  static constexpr int channels = 3;
  static void load(const uint8_t* pixels, float out[kTile]) {
    for (int half = 0; half < 2; ++half) {
      const uint8x8x3_t bytes = vld3_u8(pixels + half * 24);
      const uint16x8_t red = vmovl_u8(bytes.val[0]);
      const uint16x8_t green = vmovl_u8(bytes.val[1]);
      const uint16x8_t blue = vmovl_u8(bytes.val[2]);
      vst1q_f32(out + half * 8, luma(vget_low_u16(red), vget_low_u16(green), vget_low_u16(blue)));
      vst1q_f32(out + half * 8 + 4,
                luma(vget_high_u16(red), vget_high_u16(green), vget_high_u16(blue)));
    }
  }
};

struct Grey {
  static constexpr int channels = 1;
  static void load(const uint8_t* pixels, float out[kTile]) {
    const uint8x16_t bytes = vld1q_u8(pixels);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    vst1q_f32(out, vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))));
    vst1q_f32(out + 4, vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))));
    vst1q_f32(out + 8, vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))));
    vst1q_f32(out + 12, vcvtq_f32_u32(vmovl_u16(vget_high_u16(high))));
  }
};

// Takes one more input into the sums, and the one that leaves the window out of them.
void step(float32x4_t sums[kLanes], const float* entering, int64_t window) {
  const float* leaving = entering - window * kTile;
  for (int n = 0; n < kLanes; ++n) {
    sums[n] = vaddq_f32(sums[n], vld1q_f32(entering + n * kLanes));
    sums[n] = vsubq_f32(sums[n], vld1q_f32(leaving + n * kLanes));
  }
}

void divide(const float32x4_t values[kLanes], float count, float out[kTile]) {
  for (int n = 0; n < kLanes; ++n)
    vst1q_f32(out + n * kLanes, vdivq_f32(values[n], vdupq_n_f32(count)));
}

void load(float32x4_t values[kLanes], const float in[kTile]) {
  for (int n = 0; n < kLanes; ++n) values[n] = vld1q_f32(in + n * kLanes);
}

void store(const float32x4_t values[kLanes], float out[kTile]) {
  for (int n = 0; n < kLanes; ++n) vst1q_f32(out + n * kLanes, values[n]);
}

// The first box: pixels in, the strip's rows that are kept out.
template <class Colour>
void box_rows(const PdqStrip& strip) {
  float32x4_t sums[kLanes];
  load(sums, strip.before->sums);
  for (int64_t column = 0; column < strip.tiles * kTile; column += kTile) {
    float tile[kTile][kTile], quotients[kTile][kTile];
    for (int i = 0; i < kTile; ++i)
      Colour::load(strip.rows[i] + column * Colour::channels, tile[i]);
    float* entering = box_enter(*strip.before);
    turn_tile(tile, entering, kTile);
    for (int i = 0; i < kTile; ++i) {
      step(sums, entering + i * kTile, strip.before->window);
      divide(sums, strip.counts[column + i], tile[i]);
    }
    turn_tile(tile, quotients[0], kTile);
    for (int i = 0; i < kTile; ++i) {
      float32x4_t row[kLanes] = {};
      if (i < strip.height) load(row, quotients[i]);
      store(row, strip.kept[i] + column);
    }
  }
  store(sums, strip.before->sums);
}

// The second box and the third: kept rows in, samples out.
void box_columns(const PdqStrip& strip) {
  BoxLines& lines = *strip.after;
  BoxSamples& samples = *strip.samples;
  float32x4_t sums[kLanes];
  load(sums, lines.sums);
  for (int64_t column = 0; column < strip.tiles * kTile; column += kTile) {
    float tile[kTile][kTile];
    float32x4_t down[kLanes];
    load(down, strip.sums + column);
    for (int i = 0; i < kTile; ++i) {
      for (int n = 0; n < kLanes; ++n) {
        down[n] = vaddq_f32(down[n], vld1q_f32(strip.kept[i] + column + n * kLanes));
        down[n] = vsubq_f32(down[n], vld1q_f32(strip.removed[i] + column + n * kLanes));
      }
      divide(down, strip.row_counts[i], tile[i]);
    }
    store(down, strip.sums + column);
    int64_t input = lines.next;
    float* entering = box_enter(lines);
    turn_tile(tile, entering, kTile);
    for (int i = 0; i < kTile; ++i, ++input) {
      step(sums, entering + i * kTile, lines.window);
      for (; samples.inputs[samples.next] == input; ++samples.next)
        divide(sums, samples.counts[samples.next], samples.values[samples.next]);
    }
  }
  store(sums, lines.sums);
}

template <class Colour>
void run(const PdqStrip& strip) {
  box_rows<Colour>(strip);
  box_columns(strip);
}

void turn(const float samples[kGrid][kTile], float rows[kTile][kGrid]) {
  for (int j = 0; j < kGrid; j += kTile) turn_tile(samples + j, rows[0] + j, kGrid);
}

// One row of a product of matrices: factors[k] · rows[k][0…15], from the first k to the last; if
// asked for, the sum of what the sums were on the way and of the products, absolute.
template <bool bounded, bool products>
void product(const float* factors, const float* rows, int64_t step, float* out, float* bound) {
  float32x4_t sums[kLanes] = {}, all[kLanes] = {};
  for (int k = 0; k < kGrid; ++k)
    for (int n = 0; n < kLanes; ++n) {
      const float32x4_t term =
          vmulq_f32(vdupq_n_f32(factors[k]), vld1q_f32(rows + k * step + n * kLanes));
      sums[n] = vaddq_f32(sums[n], term);
      if (!bounded) continue;
      const float32x4_t sum = vabsq_f32(sums[n]);
      all[n] = vaddq_f32(all[n], products ? vaddq_f32(vabsq_f32(term), sum) : sum);
    }
  store(sums, out);
  if (bounded) store(all, bound);
}

template <bool bounded>
void dct_with(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
              const float grid[kGrid][kGrid], float coefficients[kBand][kBand],
              PdqRounding* rounding) {
  for (int i = 0; i < kBand; ++i) {
    float half[kGrid];
    for (int j = 0; j < kGrid; j += kTile)
      product<bounded, false>(matrix[i], grid[0] + j, kGrid, half + j,
                              bounded ? rounding->partial[i] + j : nullptr);
    product<bounded, true>(half, turned[0], kBand, coefficients[i],
                           bounded ? rounding->second[i] : nullptr);
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

// Adds up terms, as small and as large as may be.
struct TermSums {
  int32x4_t least = vdupq_n_s32(0), most = vdupq_n_s32(0);

  void add(float32x4_t u, float32x4_t v, float32x4_t error, int32x4_t which) {
    const float32x4_t term = vmulq_f32(vabsq_f32(vsubq_f32(u, v)), vdupq_n_f32(kPdqTerm));
    const float32x4_t small = vmaxq_f32(vsubq_f32(term, error), vdupq_n_f32(0));
    const float32x4_t large = vaddq_f32(term, error);
    least = vaddq_s32(least, vandq_s32(vcvtq_s32_f32(small), which));
    most = vaddq_s32(most, vandq_s32(vcvtq_s32_f32(large), which));
  }
};

PdqTerms terms(const float grid[kGrid][kGrid], const PdqTermErrors& errors) {
  constexpr int kLast = kGrid - kLanes;
  const int32x4_t all = vdupq_n_s32(-1), three = vsetq_lane_s32(0, all, 3);
  const float32x4_t rounded = vdupq_n_f32(errors.rounded);
  TermSums sums;
  for (int i = 0; i < kGrid; ++i) {
    const bool known = i < errors.known;
    const float32x4_t beside = known ? rounded : vdupq_n_f32(errors.beside[i]);
    for (int j = 0; j < kGrid; j += kLanes) {
      const float32x4_t row = vld1q_f32(grid[i] + j);
      // The last sample of a row has none beside it.
      const float32x4_t next = j < kLast ? vld1q_f32(grid[i] + j + 1) : vextq_f32(row, row, 1);
      sums.add(row, next, beside, j < kLast ? all : three);
      if (i > 0)
        sums.add(vld1q_f32(grid[i - 1] + j), row, known ? rounded : vld1q_f32(errors.above + j),
                 all);
    }
  }
  return {vaddvq_s32(sums.least), vaddvq_s32(sums.most)};
}

void copy(const PdqCopy& copy, uint8_t* out, int64_t stride) { kPdqScalar.copy(copy, out, stride); }

// The weighed sums of sixteen bytes.
void weigh_block(const PdqTent& tent, int64_t x, float* out) {
  float32x4_t total[kLanes] = {};
  for (int run = 0, row = 0; run < tent.runs; ++run) {
    uint16x8_t low = vdupq_n_u16(0), high = vdupq_n_u16(0);
    for (; row < tent.ends[run]; ++row) {
      const uint8x8_t weight =
          vdup_n_u8(static_cast<uint8_t>(tent.pairs[row / 2] >> (row % 2 * 8)));
      const uint8x16_t bytes = vld1q_u8(tent.rows[row] + x);
      low = vmlal_u8(low, vget_low_u8(bytes), weight);
      high = vmlal_u8(high, vget_high_u8(bytes), weight);
    }
    const uint16x4_t words[kLanes] = {vget_low_u16(low), vget_high_u16(low), vget_low_u16(high),
                                      vget_high_u16(high)};
    for (int n = 0; n < kLanes; ++n)
      total[n] = vaddq_f32(total[n], vcvtq_f32_u32(vmovl_u16(words[n])));
  }
  store(total, out + x);
}

void weigh(const PdqTent& tent, int64_t bytes, float* out) {
  if (bytes < kTile) {
    kPdqScalar.weigh(tent, bytes, out);
    return;
  }
  for (int64_t x = 0; x < bytes; x += kTile)
    weigh_block(tent, x + kTile <= bytes ? x : bytes - kTile, out);
}

void across(const PdqAcross& plan, const float* sums, float out[kGrid]) {
  for (int j = 0; j < kGrid; ++j) {
    const float* weights = plan.weights[j == kGrid - 1];
    const float* inputs = sums + plan.firsts[j];
    float32x4_t lanes[kLanes] = {};
    for (int64_t n = 0; n < plan.vectors * kTile; n += kTile)
      for (int i = 0; i < kLanes; ++i)
        lanes[i] = vaddq_f32(lanes[i], vmulq_f32(vld1q_f32(inputs + n + i * kLanes),
                                                 vld1q_f32(weights + n + i * kLanes)));
    const float32x4_t four =
        vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    out[j] = vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
}

}  // namespace

const PdqKernel kPdqNeon = {run<Grey>, run<Rgb>, turn,  dct,   dct_bounded,
                            terms,     copy,     weigh, across};

}  // namespace screener
#endif
