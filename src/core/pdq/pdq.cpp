#include "pdq/pdq.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "pdq/pdq_bits.h"
#include "pdq/pdq_certificate.h"
#include "pdq/pdq_cosines.h"
#include "pdq/pdq_filter.h"
#include "pdq/pdq_sample.h"
#include "threads.h"

namespace screener {
namespace {

constexpr int64_t kSmallestSide = 5;

// A turn of the picture: what becomes of its rows and columns, in this order.
struct Turn {
  bool transposed, rows_reversed, columns_reversed;
};

constexpr Turn kUpright = {false, false, false};
constexpr Turn kTurns[kOrientations] = {
    kUpright,
    {true, true, false},
    {false, true, true},
    {true, false, true},
    {false, true, false},
    {false, false, true},
    {true, false, false},
    {true, true, true},
};

Turn then(const Turn& first, const Turn& second) {
  const bool rows = second.transposed ? first.columns_reversed : first.rows_reversed;
  const bool columns = second.transposed ? first.rows_reversed : first.columns_reversed;
  return {first.transposed != second.transposed, rows != second.rows_reversed,
          columns != second.columns_reversed};
}

void reverse_rows(Pixels& pixels) {
  pixels.data += (pixels.height - 1) * pixels.row_stride;
  pixels.row_stride = -pixels.row_stride;
}

void reverse_columns(Pixels& pixels) {
  pixels.data += (pixels.width - 1) * pixels.column_stride;
  pixels.column_stride = -pixels.column_stride;
}

void transpose(Pixels& pixels) {
  std::swap(pixels.height, pixels.width);
  std::swap(pixels.row_stride, pixels.column_stride);
}

Pixels turned(Pixels pixels, const Turn& turn) {
  if (turn.transposed) transpose(pixels);
  if (turn.rows_reversed) reverse_rows(pixels);
  if (turn.columns_reversed) reverse_columns(pixels);
  return pixels;
}

void transpose(const PdqGrid& grid, PdqGrid& turned) {
  constexpr int kBlock = 4;  // lines of either side, that stay in the nearest cache
  for (int i = 0; i < kGrid; i += kBlock)
    for (int j = 0; j < kGrid; j += kBlock)
      for (int y = i; y < i + kBlock; ++y)
        for (int x = j; x < j + kBlock; ++x) turned[y][x] = grid[x][y];
}

int gradient(float u, float v) { return std::abs(static_cast<int>((u - v) * 100 / 255)); }

int quality(const PdqGrid& grid) {
  int sum = 0;
  for (int i = 0; i < kGrid - 1; ++i)
    for (int j = 0; j < kGrid; ++j) sum += gradient(grid[i][j], grid[i + 1][j]);
  for (int i = 0; i < kGrid; ++i)
    for (int j = 0; j < kGrid - 1; ++j) sum += gradient(grid[i][j], grid[i][j + 1]);
  return std::min(sum / 90, 100);
}

PdqCoefficients coefficients_of(const float coefficients[kBand][kBand]) {
  PdqCoefficients all;
  std::copy_n(coefficients[0], kPdqBits, all.begin());
  return all;
}

PdqSketch sketch_of(const PdqGrid& grid, const PdqKernel& kernel) {
  float coefficients[kBand][kBand];
  kernel.dct(pdq_cosines(), grid.values, coefficients);
  const PdqHash hash = pdq_bits(coefficients[0], pdq_median(coefficients[0]));
  return {{hash, quality(grid)}, 0, coefficients_of(coefficients)};
}

PdqSketch sketch_of(const PdqCertificate& found) {
  return {found.result, found.doubt, coefficients_of(found.coefficients)};
}

// The reference takes a picture of this size as it is.
bool is_grid(const Pixels& pixels) { return pixels.height == kGrid && pixels.width == kGrid; }

PdqGrid exact_grid(const Pixels& pixels, const PdqKernel& kernel) {
  return is_grid(pixels) ? pdq_luma(pixels) : pdq_filter(pixels, kernel);
}

// Where a picture's samples stand, and those of one turn of it. A thread has one of its own and not
// on its stack, of which musl gives it no more than 128 KiB.
struct Room {
  alignas(64) PdqGrids sampled;
  alignas(64) PdqGrid turned;
  alignas(64) PdqGrid completed;  // by rows of the filter
};
thread_local Room room;

// A picture seen along its rows in memory, so that turned views are sampled in place, and how to
// turn it back. A thread has one at a time, in its `room`.
class Picture {
 public:
  Picture(const Pixels& pixels, const PdqKernel& kernel)
      : given_(pixels), seen_(pixels), kernel_(kernel) {
    if (seen_.column_stride < 0) {
      reverse_columns(seen_);
      back_.columns_reversed = true;
    }
    if (std::abs(seen_.row_stride) >= seen_.column_stride) return;
    if (seen_.row_stride < 0) {
      reverse_rows(seen_);
      back_.rows_reversed = true;
    }
    transpose(seen_);
    back_.transposed = true;
  }

  // Weighs the samples that these turns need, in one pass over the pixels.
  void sample(const Turn* turns, size_t count) {
    sampled_ = std::max(seen_.height, seen_.width) <= kLargestSampled;
    if (!sampled_) return;
    PdqWanted wanted{};
    for (size_t k = 0; k < count; ++k) {
      const Turn turn = then(back_, turns[k]);
      wanted.rows[turn.transposed ? turn.columns_reversed : turn.rows_reversed] = true;
      wanted.columns[turn.transposed ? turn.rows_reversed : turn.columns_reversed] = true;
    }
    pdq_sample(seen_, kernel_, wanted, room_.sampled);
  }

  PdqCertificate certify(const Turn& turn) {
    return pdq_certify(samples(turn), bound(turn), kernel_);
  }

  // The same with the first rows of the grid from the filter, and the others moved by what its
  // sums have left behind.
  PdqCertificate certify(const Turn& turn, PdqFilter& filter, int rows) {
    const int known = filter.run(rows);
    const std::array<double, kGrid> drift = filter.drift();
    PdqGrid& grid = room_.completed = filter.grid();
    const PdqGrid& sampled = samples(turn);
    for (int i = known; i < kGrid; ++i)
      for (int j = 0; j < kGrid; ++j) grid[i][j] = static_cast<float>(sampled[i][j] + drift[j]);
    return pdq_certify(grid, bound(turn), kernel_, known);
  }

  PdqResult hash(const Turn& turn) { return sketch(turn, 0).result; }

  PdqSketch sketch(const Turn& turn, int most) {
    const Pixels pixels = turned(given_, turn);
    if (!sampled_) return sketch_of(exact_grid(pixels, kernel_), kernel_);
    const PdqCertificate found = certify(turn);
    if (found.doubt <= most) return sketch_of(found);
    PdqFilter filter(pixels, kernel_);
    if (const int rows = pdq_rows_to_know(found, bound(turn)); rows < kGrid)
      if (const PdqCertificate nearer = certify(turn, filter, rows); nearer.doubt == 0)
        return sketch_of(nearer);
    filter.run(kGrid);
    return sketch_of(filter.grid(), kernel_);
  }

  PdqGrid upright() { return sampled_ ? samples(kUpright) : exact_grid(given_, kernel_); }

 private:
  // In place, or transposed.
  const PdqGrid& samples(const Turn& turn) {
    const Turn whole = then(back_, turn);
    if (!whole.transposed) return room_.sampled[whole.rows_reversed][whole.columns_reversed];
    transpose(room_.sampled[whole.columns_reversed][whole.rows_reversed], room_.turned);
    return room_.turned;
  }

  // Four turns share one.
  const PdqBound& bound(const Turn& turn) {
    std::optional<PdqBound>& bound = bounds_[turn.transposed];
    if (!bound) {
      const Pixels pixels = turned(given_, turn);
      bound.emplace(PdqShape{pixels.height, pixels.width, pixels.channels,
                             pdq_sample_roundings(seen_.width, seen_.channels)});
    }
    return *bound;
  }

  Pixels given_;
  Pixels seen_;
  const PdqKernel& kernel_;
  Turn back_ = kUpright;
  bool sampled_ = false;
  Room& room_ = room;
  std::optional<PdqBound> bounds_[2];  // as it stands, and transposed
};

bool too_small(const Pixels& pixels) {
  return pixels.height < kSmallestSide || pixels.width < kSmallestSide;
}

bool is_blank(const Pixels& pixels) {
  const auto row = [&](int64_t y) { return pixels.data + y * pixels.row_stride; };
  const auto is_first = [&](const uint8_t* pixel) {
    for (int k = 0; k < pixels.channels; ++k)
      if (pixel[k * pixels.channel_stride] != pixels.data[k * pixels.channel_stride]) return false;
    return true;
  };
  for (int64_t y = 0; y < pixels.height; ++y) {
    if (y > 0 && pixels.dense()) {
      if (std::memcmp(row(y), row(0), static_cast<size_t>(pixels.width * pixels.channels)) != 0)
        return false;
      continue;
    }
    for (int64_t x = 0; x < pixels.width; ++x)
      if (!is_first(row(y) + x * pixels.column_stride)) return false;
  }
  return true;
}

}  // namespace

PdqResult pdq_exact(const Pixels& pixels, const PdqKernel& kernel) {
  if (too_small(pixels)) return {};
  return sketch_of(exact_grid(pixels, kernel), kernel).result;
}

PdqResult pdq(const Pixels& pixels, const PdqKernel& kernel) {
  if (too_small(pixels) || is_grid(pixels)) return pdq_exact(pixels, kernel);
  Picture picture(pixels, kernel);
  picture.sample(&kUpright, 1);
  return picture.hash(kUpright);
}

PdqOrientations pdq_orientations(const Pixels& pixels, const PdqKernel& kernel) {
  const PdqSketches sketches = pdq_sketches(pixels, kernel, 0);
  PdqOrientations results;
  for (size_t k = 0; k < kOrientations; ++k) results[k] = sketches[k].result;
  return results;
}

PdqSketches pdq_sketches(const Pixels& pixels, const PdqKernel& kernel, int most,
                         PdqGrid* samples) {
  PdqSketches sketches{};
  if (samples) *samples = {};
  if (too_small(pixels)) return sketches;
  Picture picture(pixels, kernel);
  if (!is_grid(pixels)) picture.sample(kTurns, kOrientations);
  if (samples) *samples = picture.upright();
  // Turns of a blank picture are the same pixels, all of whose bits are in doubt.
  const bool blank = is_blank(pixels), square = pixels.height == pixels.width;
  for (size_t k = 0; k < kOrientations; ++k) {
    size_t same = 0;
    while (same < k && !square && kTurns[same].transposed != kTurns[k].transposed) ++same;
    sketches[k] = blank && same < k ? sketches[same] : picture.sketch(kTurns[k], most);
  }
  return sketches;
}

std::vector<PdqResult> pdq_batch(const std::vector<Pixels>& pictures, const PdqKernel& kernel,
                                 std::size_t threads) {
  std::vector<PdqResult> results(pictures.size());
  share_out(pictures.size(), threads,
            [&](std::size_t task, std::size_t) { results[task] = pdq(pictures[task], kernel); });
  return results;
}

PdqDoubt pdq_doubt(const Pixels& pixels, const PdqKernel& kernel, int rows) {
  Picture picture(pixels, kernel);
  picture.sample(&kUpright, 1);
  PdqCertificate found;
  if (rows > 0) {
    PdqFilter filter(pixels, kernel);
    found = picture.certify(kUpright, filter, rows);
  } else {
    found = picture.certify(kUpright);
  }
  PdqDoubt doubt;
  doubt.certain = found.doubt == 0;
  for (int k = 0; k < kPdqBits; ++k) {
    doubt.coefficients[k] = found.coefficients[k / kBand][k % kBand];
    doubt.bounds[k] = found.bounds[k / kBand][k % kBand];
  }
  return doubt;
}

}  // namespace screener
