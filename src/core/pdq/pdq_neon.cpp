// PDQ's loops with NEON: four registers hold a value of each of sixteen lanes. Multiplication and
// addition are kept apart (no vmlaq, no vfmaq), which would round differently, save where BoxCounts
// says that they are one.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>

#include "pdq/pdq_kernel.h"

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
  const uint32x4_t sum =
      vmlal_n_u16(vmlal_n_u16(vmull_n_u16(red, kPdqRed), green, kPdqGreen), blue, kPdqBlue);
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

void store(const float32x4_t values[kLanes], float out[kTile]) {
  for (int n = 0; n < kLanes; ++n) vst1q_f32(out + n * kLanes, values[n]);
}

// A value of each of sixteen lanes.
struct Sixteen {
  float32x4_t four[kLanes];

  static Sixteen load(const float* from) {
    Sixteen all;
    for (int n = 0; n < kLanes; ++n) all.four[n] = vld1q_f32(from + n * kLanes);
    return all;
  }
  void put(float* to) const { store(four, to); }
  // Takes one more input into the sums, and another off.
  void step(const Sixteen& entering, const Sixteen& leaving) {
    for (int n = 0; n < kLanes; ++n)
      four[n] = vsubq_f32(vaddq_f32(four[n], entering.four[n]), leaving.four[n]);
  }
  // Divides: see BoxCounts.
  Sixteen quotient(const Sixteen& high, const Sixteen& low) const {
    Sixteen all;
    for (int n = 0; n < kLanes; ++n)
      all.four[n] = vfmaq_f32(vmulq_f32(four[n], low.four[n]), four[n], high.four[n]);
    return all;
  }
  // Each lane the one above it, and the last of them this.
  void move(float last) {
    for (int n = 0; n < kLanes; ++n)
      four[n] = vextq_f32(four[n], n < kLanes - 1 ? four[n + 1] : vdupq_n_f32(last), 1);
  }
  void zero(const uint32x4_t kept[kLanes]) {
    for (int n = 0; n < kLanes; ++n)
      four[n] = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(four[n]), kept[n]));
  }
};

// What leaves the second box: sixteen floats from `leaving_from` on of eight registers of four.
class Leaving {
 public:
  explicit Leaving(const PdqStrip& strip) {
    for (int i = 0; i <= kLanes; ++i) {
      const int four = strip.leaving_from / kLanes + i;
      from_[i] = strip.leaving[four / kLanes % 2] + four % kLanes * kLanes;
    }
    uint8_t order[16];
    for (int i = 0; i < 16; ++i)
      order[i] = static_cast<uint8_t>(strip.leaving_from % kLanes * sizeof(float) + i);
    order_ = vld1q_u8(order);
  }
  Sixteen load(int64_t at) const {
    Sixteen all;
    uint8x16_t four = vreinterpretq_u8_f32(vld1q_f32(from_[0] + at));
    for (int n = 0; n < kLanes; ++n) {
      const uint8x16_t next = vreinterpretq_u8_f32(vld1q_f32(from_[n + 1] + at));
      all.four[n] = vreinterpretq_f32_u8(vqtbl2q_u8(uint8x16x2_t{{four, next}}, order_));
      four = next;
    }
    return all;
  }

 private:
  const float* from_[kLanes + 1];
  uint8x16_t order_;
};

// The samples whose last row was made in the tile of sums that is over.
void take_samples(BoxSamples& samples, const float* tile) {
  const int64_t first = samples.step;
  samples.step += kTile;
  for (; samples.columns[samples.next] + kTile - 1 < samples.step; ++samples.next) {
    // Each lane is from a step before the lane below it.
    const float* last = tile + (samples.columns[samples.next] + kTile - 1 - first) * kTile;
    float sums[kTile];
    for (int n = 0; n < kTile; ++n) sums[n] = last[n - n * kTile];
    const float32x4_t count = vdupq_n_f32(samples.counts[samples.next]);
    for (int n = 0; n < kTile; n += kLanes)
      vst1q_f32(samples.values[samples.next] + n, vdivq_f32(vld1q_f32(sums + n), count));
  }
}

// All three boxes.
template <class Colour>
void run(const PdqStrip& strip) {
  Sixteen across = Sixteen::load(strip.running[0]), down = Sixteen::load(strip.running[1]);
  Sixteen again = Sixteen::load(strip.running[2]);
  Sixteen across_high = Sixteen::load(strip.across.high);
  Sixteen across_low = Sixteen::load(strip.across.low);
  const Sixteen down_high = Sixteen::load(strip.down.high);
  const Sixteen down_low = Sixteen::load(strip.down.low);
  uint32x4_t inside[kLanes];
  for (int n = 0; n < kLanes; ++n) {
    uint32_t lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = n * kLanes + i < strip.below ? 0 : ~0u;
    inside[n] = vld1q_u32(lanes);
  }
  const Leaving leaving(strip);
  for (int64_t first = 0; first < strip.tiles * kTile; first += kTile) {
    float rows[kTile][kTile];
    for (int n = 0; n < kTile; ++n)
      Colour::load(strip.pixels + n * strip.apart + first * Colour::channels, rows[n]);
    const LanesTile before = enter(*strip.before), after = enter(*strip.after);
    float* sums = enter(*strip.samples->sums).entering;
    turn_tile(rows, before.entering, kTile);
    for (int64_t i = 0; i < kTile; ++i) {
      const int64_t t = first + i, at = i * kTile;
      across.step(Sixteen::load(before.entering + at), Sixteen::load(before.leaving + at));
      if (!strip.whole) {
        across_high = Sixteen::load(strip.across.high + t);
        across_low = Sixteen::load(strip.across.low + t);
      }
      Sixteen once = across.quotient(across_high, across_low);
      once.zero(inside);
      const Sixteen off = leaving.load(t * kTile);
      once.put(strip.kept + t * kTile);
      // The sums of the columns move on by a lane.
      down.move(strip.sums[t]);
      down.step(once, off);
      strip.sums[t - (kTile - 1)] = vgetq_lane_f32(down.four[0], 0);
      const Sixteen twice = down.quotient(down_high, down_low);
      twice.put(after.entering + at);
      again.step(twice, Sixteen::load(after.leaving + at));
      again.put(sums + at);
    }
    take_samples(*strip.samples, sums);
  }
  across.put(strip.running[0]);
  down.put(strip.running[1]);
  again.put(strip.running[2]);
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

#include "pdq/pdq_dct_by_rows.inc"

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
