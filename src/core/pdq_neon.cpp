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

// One row of a product of matrices: factors[k] · rows[k][0…15], from the first k to the last.
void product(const float* factors, const float* rows, int64_t step, float* out) {
  float32x4_t sums[kLanes] = {};
  for (int k = 0; k < kGrid; ++k)
    for (int n = 0; n < kLanes; ++n)
      sums[n] = vaddq_f32(
          sums[n], vmulq_f32(vdupq_n_f32(factors[k]), vld1q_f32(rows + k * step + n * kLanes)));
  store(sums, out);
}

void dct(const float matrix[kBand][kGrid], const float turned[kGrid][kBand],
         const float grid[kGrid][kGrid], float coefficients[kBand][kBand]) {
  for (int i = 0; i < kBand; ++i) {
    float half[kGrid];
    for (int j = 0; j < kGrid; j += kTile) product(matrix[i], grid[0] + j, kGrid, half + j);
    product(half, turned[0], kBand, coefficients[i]);
  }
}

}  // namespace

const PdqKernel kPdqNeon = {run<Grey>, run<Rgb>, turn, dct};

}  // namespace screener
#endif
