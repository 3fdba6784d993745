// Every PDQ kernel that this machine has against the scalar one, to the last bit of each float, and
// the luma of every colour against the reference's formula.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "checks.h"
#include "kernel.h"
#include "pdq.h"
#include "pdq_filter.h"

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
bool doubted_alike(const Pixels& pixels, Isa isa) {
  constexpr int kSome[] = {1, 20, 60};
  for (int rows : {0, kSome[(pixels.height + pixels.width) % 3]}) {
    const PdqDoubt found = pdq_doubt(pixels, pdq_kernel(isa), rows);
    const PdqDoubt wanted = pdq_doubt(pixels, pdq_kernel(Isa::scalar), rows);
    if (found.coefficients != wanted.coefficients || found.bounds != wanted.bounds ||
        found.certain != wanted.certain)
      return false;
  }
  return true;
}

// Sketches are those of the scalar kernel, and wrong in no more bits than they say.
bool sketched_alike(const Pixels& pixels, const PdqOrientations& sure, Isa isa) {
  const PdqSketches found = pdq_sketches(pixels, pdq_kernel(isa), 8);
  const PdqSketches wanted = pdq_sketches(pixels, pdq_kernel(Isa::scalar), 8);
  for (size_t k = 0; k < kOrientations; ++k) {
    int away = 0;
    for (size_t n = 0; n < kPdqBytes; ++n)
      away += std::popcount(static_cast<uint8_t>(found[k].result.hash[n] ^ sure[k].hash[n]));
    if (away > found[k].doubt || found[k].result.quality != sure[k].quality) return false;
    if (!(found[k].result == wanted[k].result) || found[k].doubt != wanted[k].doubt) return false;
  }
  return true;
}

bool same(const Pixels& pixels, Isa isa) {
  const PdqKernel &kernel = pdq_kernel(isa), &scalar = pdq_kernel(Isa::scalar);
  const PdqGrid found = pdq_filter(pixels, kernel), wanted = pdq_filter(pixels, scalar);
  const PdqOrientations eight = pdq_orientations(pixels, kernel);
  const PdqOrientations expected = pdq_orientations(pixels, scalar);
  if (std::memcmp(&found, &wanted, sizeof found) == 0 && eight == expected &&
      eight[0] == pdq_exact(pixels, kernel) && doubted_alike(pixels, isa) &&
      sketched_alike(pixels, eight, isa))
    return true;
  std::printf("pdq: %s differs from scalar at %lld x %lld, %d channels\n", isa_name(isa),
              static_cast<long long>(pixels.width), static_cast<long long>(pixels.height),
              pixels.channels);
  return false;
}

// The luma of all 2^24 colours against the formula in double precision, rounded once. Every colour
// is followed by black and the window is one pixel, so that the running sums are the luma itself.
bool check_colours(Isa isa) {
  constexpr int64_t kWidth = 4 * kTile, kColours = kWidth / 2;
  uint8_t pixels[kTile][kWidth * 3 + 4] = {};
  alignas(64) float room[kWidth + kTile][kTile], after_room[kWidth + kTile][kTile];
  alignas(64) float kept[kTile][kWidth], counts[kWidth], nothing[kWidth], sums[kWidth];
  const int64_t never = int64_t{1} << 62;
  std::memset(nothing, 0, sizeof nothing);
  for (float& count : counts) count = 1;
  for (uint32_t colour = 0; colour < 1u << 24; colour += kTile * kColours) {
    std::memset(room, 0, sizeof room);
    std::memset(after_room, 0, sizeof after_room);
    std::memset(sums, 0, sizeof sums);
    BoxLines before{room[0], room[kWidth + 1], room[1], 1, 0, {}};
    BoxLines after{after_room[0], after_room[kWidth + 1], after_room[1], 1, 0, {}};
    BoxSamples samples{&never, nullptr, 0, nullptr};
    PdqStrip strip{};
    for (uint32_t i = 0; i < kTile; ++i) {
      for (uint32_t n = 0; n < kColours; ++n)
        for (uint32_t c = 0; c < 3; ++c)
          pixels[i][n * 6 + c] = static_cast<uint8_t>((colour + i * kColours + n) >> (8 * c));
      strip.rows[i] = pixels[i];
      strip.kept[i] = kept[i];
      strip.removed[i] = nothing;
      strip.row_counts[i] = 1;
    }
    strip.tiles = kWidth / kTile;
    strip.height = kTile;
    strip.counts = counts;
    strip.sums = sums;
    strip.before = &before;
    strip.after = &after;
    strip.samples = &samples;
    pdq_kernel(isa).rgb(strip);
    for (uint32_t i = 0; i < kTile; ++i) {
      for (uint32_t n = 0; n < kColours; ++n) {
        const uint8_t* pixel = &pixels[i][n * 6];
        const double wanted = (0.299 * pixel[0] + 0.587 * pixel[1]) + 0.114 * pixel[2];
        if (kept[i][n * 2] == static_cast<float>(wanted)) continue;
        std::printf("pdq: %s has another luma of %d, %d, %d\n", isa_name(isa), pixel[0], pixel[1],
                    pixel[2]);
        return false;
      }
    }
  }
  return true;
}

}  // namespace

bool check_pdq() {
  int differences = 0;
  for (Isa isa : supported_isas()) {
    differences += !check_colours(isa);
    if (isa == Isa::scalar) continue;
    Random random;
    for (int n = 0; n < 400 && differences == 0; ++n) {
      const int channels = n % 2 == 0 ? 3 : 1;
      const uint64_t side = n % 20 == 0 ? 1500 : 200;
      const int64_t height = 5 + static_cast<int64_t>(random.below(side));
      const int64_t width = 5 + static_cast<int64_t>(random.below(side));
      const int64_t row = width * channels + static_cast<int64_t>(random.below(3));
      const std::vector<uint8_t> bytes = draw(random, height, row);
      Pixels pixels{bytes.data(), height, width, channels, row, channels, 1};
      differences += !same(pixels, isa);
      pixels.data += (height - 1) * row;  // the same upside down
      pixels.row_stride = -row;
      differences += !same(pixels, isa);
    }
  }
  return differences == 0;
}
