// Every PDQ kernel that this machine has against the scalar one, to the last bit of each float, and
// the luma of every colour against the reference's formula.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "checks.h"
#include "kernels.h"
#include "pdq/pdq.h"
#include "pdq/pdq_filter.h"

namespace {

using namespace screener;

// A generator of its own, so that the pictures are the same on every machine.
struct Random {
  uint64_t state = 0x9e3779b97f4a7c15;
  uint64_t below(uint64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
  }
};

// Noise, a smooth slope, or flat with a rectangle, in rows that are some bytes apart.
std::vector<uint8_t> draw(Random& random, int64_t height, int64_t row_bytes) {
  std::vector<uint8_t> bytes(static_cast<size_t>(height * row_bytes));
  const uint64_t kind = random.below(3);
  const uint64_t a = 1 + random.below(9), b = 1 + random.below(9);
  for (size_t n = 0; n < bytes.size(); ++n) {
    const size_t y = n / static_cast<size_t>(row_bytes), x = n % static_cast<size_t>(row_bytes);
    const bool inside = y > a * 4 && x > b * 7;
    const uint64_t value = kind == 0   ? random.below(256)
                           : kind == 1 ? (x * a + y * b) / 8
                           : inside    ? a * 25
                                       : b * 25;
    bytes[n] = static_cast<uint8_t>(value);
  }
  return bytes;
}

// So are coefficients and their bounds, with no row filtered, and with as many as the size says.
bool doubted_alike(const Pixels& pixels, const PdqKernel& kernel) {
  constexpr int kSome[] = {1, 20, 60};
  for (int rows : {0, kSome[(pixels.height + pixels.width) % 3]}) {
    const PdqDoubt found = pdq_doubt(pixels, kernel, rows);
    const PdqDoubt wanted = pdq_doubt(pixels, kPdqScalar, rows);
    if (found.coefficients != wanted.coefficients || found.bounds != wanted.bounds ||
        found.certain != wanted.certain)
      return false;
  }
  return true;
}

// Sketches are those of the scalar kernel, coefficients and samples too, and wrong in no more bits
// than they say.
bool sketched_alike(const Pixels& pixels, const PdqOrientations& sure, const PdqKernel& kernel) {
  PdqGrid samples, expected;
  const PdqSketches found = pdq_sketches(pixels, kernel, 8, &samples);
  const PdqSketches wanted = pdq_sketches(pixels, kPdqScalar, 8, &expected);
  if (std::memcmp(&samples, &expected, sizeof samples) != 0) return false;
  for (size_t k = 0; k < kOrientations; ++k) {
    int away = 0;
    for (size_t n = 0; n < kPdqBytes; ++n)
      away += std::popcount(static_cast<uint8_t>(found[k].result.hash[n] ^ sure[k].hash[n]));
    if (away > found[k].doubt || found[k].result.quality != sure[k].quality) return false;
    if (!(found[k].result == wanted[k].result) || found[k].doubt != wanted[k].doubt ||
        found[k].coefficients != wanted[k].coefficients)
      return false;
  }
  return true;
}

bool same(const Pixels& pixels, const Kernels& kernels) {
  const PdqKernel& kernel = kernels.pdq;
  const PdqGrid found = pdq_filter(pixels, kernel), wanted = pdq_filter(pixels, kPdqScalar);
  const PdqOrientations eight = pdq_orientations(pixels, kernel);
  const PdqOrientations expected = pdq_orientations(pixels, kPdqScalar);
  if (std::memcmp(&found, &wanted, sizeof found) == 0 && eight == expected &&
      eight[0] == pdq_exact(pixels, kernel) && doubted_alike(pixels, kernel) &&
      sketched_alike(pixels, eight, kernel))
    return true;
  std::printf("pdq: %s differs from scalar at %lld x %lld, %d channels\n", kernels.name,
              static_cast<long long>(pixels.width), static_cast<long long>(pixels.height),
              pixels.channels);
  return false;
}

// The steps of sixteen rows whose windows are one pixel, so that the running sums of the first box
// are the luma itself, or that are `counts` wide.
struct Strip {
  static constexpr int64_t kSteps = 4 * kTile;
  alignas(64) float before_room[kSteps + kTile][kTile] = {}, after_room[kSteps + kTile][kTile] = {};
  alignas(64) float sums_room[kSteps + kTile][kTile] = {};
  // A tile of zeros before what is kept and behind it.
  alignas(64) float kept[kTile + kSteps + kTile][kTile] = {}, sums[kTile + kSteps] = {};
  alignas(64) float none[kTile + kSteps + kTile][kTile] = {};
  alignas(64) float running[3][kTile] = {};
  alignas(64) float counts[kSteps + kTile], high[kSteps + kTile], low[kSteps + kTile];
  int64_t never = int64_t{1} << 62;
  Lanes before{before_room[0], before_room[kSteps + 1], before_room[1], before_room[0], 1};
  Lanes after{after_room[0], after_room[kSteps + 1], after_room[1], after_room[0], 1};
  Lanes made{sums_room[0], sums_room[kSteps + kTile], sums_room[kTile], sums_room[0], kTile};
  BoxSamples samples{&never, nullptr, 0, 0, &made, nullptr};
  PdqStrip strip{};

  Strip(const uint8_t* pixels, int64_t apart, float count) {
    const auto inverse = 1 / static_cast<double>(count);
    for (int64_t n = 0; n < kSteps + kTile; ++n) {
      counts[n] = count;
      high[n] = static_cast<float>(inverse);
      low[n] = static_cast<float>(inverse - static_cast<double>(high[n]));
    }
    strip.tiles = kSteps / kTile;
    strip.pixels = pixels;
    strip.apart = apart;
    strip.before = &before;
    strip.across = {counts, high, low};
    strip.whole = true;
    strip.kept = kept[kTile];
    strip.leaving[0] = none[kTile];
    strip.leaving[1] = none[kTile];
    strip.down = strip.across;
    strip.sums = sums + kTile;
    strip.after = &after;
    strip.samples = &samples;
    strip.running = running;
  }
};

// The luma of all 2^24 colours, or of some, against the formula in double precision, rounded once.
// Every colour is followed by black, so that the sums of one pixel are the luma.
bool check_colours(const Kernels& kernels, uint32_t every) {
  constexpr int64_t kSteps = Strip::kSteps, kColours = kSteps / 2;
  uint8_t pixels[kTile][kSteps * 3] = {};
  for (uint32_t colour = 0; colour < 1u << 24; colour += kTile * kColours * every) {
    for (uint32_t i = 0; i < kTile; ++i)
      for (uint32_t n = 0; n < kColours; ++n)
        for (uint32_t c = 0; c < 3; ++c)
          pixels[i][n * 6 + c] = static_cast<uint8_t>((colour + i * kColours + n) >> (8 * c));
    Strip strip(pixels[0], sizeof pixels[0], 1);
    kernels.pdq.rgb(strip.strip);
    for (uint32_t i = 0; i < kTile; ++i) {
      for (uint32_t n = 0; n < kColours; ++n) {
        const uint8_t* pixel = &pixels[i][n * 6];
        const double wanted = (0.299 * pixel[0] + 0.587 * pixel[1]) + 0.114 * pixel[2];
        if (strip.kept[kTile + n * 2][i] == static_cast<float>(wanted)) continue;
        std::printf("pdq: %s has another luma of %d, %d, %d\n", kernels.name, pixel[0], pixel[1],
                    pixel[2]);
        return false;
      }
    }
  }
  return true;
}

// What the kernel divides by a count, at every `apart`th mantissa, against a division: sums of
// columns that no pixel changes pass all sixteen lanes, each of which has a count of its own.
// Counts are odd, since a power of two more changes no bit.
bool check_quotients(const Kernels& kernels, float first_count, float between, uint32_t apart) {
  constexpr int64_t kSums = Strip::kSteps - kTile;
  const uint8_t black[kTile + Strip::kSteps * 3] = {};
  Strip strip(black, 1, 1);
  for (int n = 0; n < kTile; ++n) {
    const float count = first_count + static_cast<float>(n) * between;
    const double inverse = 1 / static_cast<double>(count);
    strip.counts[n] = count;
    strip.high[n] = static_cast<float>(inverse);
    strip.low[n] = static_cast<float>(inverse - static_cast<double>(strip.high[n]));
  }
  const Lanes after = strip.after, before = strip.before, made = strip.made;
  for (uint32_t mantissa = 0; mantissa < 1u << 23; mantissa += kSums * apart) {
    for (uint32_t n = 0; n < kSums; ++n)
      strip.sums[kTile + n] =
          std::bit_cast<float>(0x43000000 + (mantissa + n * apart) % (1u << 23));
    strip.after = after;
    strip.before = before;
    strip.made = made;
    kernels.pdq.rgb(strip.strip);
    for (uint32_t n = 0; n < kSums; ++n)
      for (int lane = 0; lane < kTile; ++lane) {
        const float sum = std::bit_cast<float>(0x43000000 + (mantissa + n * apart) % (1u << 23));
        const float found = strip.after_room[1 + n + kTile - 1 - lane][lane];
        if (found == sum / strip.counts[lane]) continue;
        std::printf("pdq: %s divides %a by %a otherwise\n", kernels.name, sum, strip.counts[lane]);
        return false;
      }
  }
  return true;
}

}  // namespace

bool check_pdq(unsigned every) {
  int differences = 0;
  for (const Kernels& kernels : supported_kernels()) {
    const bool scalar = &kernels.pdq == &kPdqScalar;
    differences += !check_colours(kernels, every);
    // Windows of pictures up to 4352 pixels wide: all mantissas where it multiplies, scalar
    // divides.
    differences += !check_quotients(kernels, 3, 2, scalar ? 61 : every);
    differences += !check_quotients(kernels, 35, 270, 61);
    if (scalar) continue;
    Random random;
    for (unsigned n = 0; n < 400 && differences == 0; n += every) {
      const int channels = n % 2 == 0 ? 3 : 1;
      const uint64_t side = n % 20 == 0 ? 1500 : 200;
      const int64_t height = 5 + static_cast<int64_t>(random.below(side));
      const int64_t width = 5 + static_cast<int64_t>(random.below(side));
      const int64_t row = width * channels + static_cast<int64_t>(random.below(3));
      const std::vector<uint8_t> bytes = draw(random, height, row);
      Pixels pixels{bytes.data(), height, width, channels, row, channels, 1};
      differences += !same(pixels, kernels);
      pixels.data += (height - 1) * row;  // the same upside down
      pixels.row_stride = -row;
      differences += !same(pixels, kernels);
    }
  }
  return differences == 0;
}
