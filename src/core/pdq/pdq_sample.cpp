#include "pdq/pdq_sample.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "pdq/pdq_line.h"

namespace screener {
namespace {

constexpr int kLargestWeight = 64;     // a pair of products fits into 16 bits with a sign
constexpr int kLargestSum = 257;       // of weights, so that 255 times it fits into 16 bits
constexpr int64_t kSpare = 4 * kTile;  // floats behind a row of sums that a kernel may read

struct Tap {
  int64_t offset;  // from the first input that reaches the sample
  int weight;
};

// Two boxes in a row are a tent: so often the input that many places on is in both.
int tent(int64_t first_box, int64_t second_box, int64_t place) {
  return static_cast<int>(
      std::min({place + 1, first_box, second_box, first_box + second_box - 1 - place}));
}

// The rows of one sample in the order that a kernel takes them: in pairs, and in runs whose sums
// fit into 16 bits.
class Taps {
 public:
  Taps() = default;
  // A tent of two boxes.
  Taps(int64_t first_box, int64_t second_box) {
    for (int64_t n = 0; n < first_box + second_box - 1; ++n)
      for (int rest = tent(first_box, second_box, n); rest > 0; rest -= kLargestWeight)
        taps_.push_back({n, std::min(rest, kLargestWeight)});
    if (taps_.size() % 2 != 0) taps_.push_back({taps_.back().offset, 0});
    rows_.resize(taps_.size());
    int sum = 0;
    for (size_t n = 0; n < taps_.size(); n += 2) {
      const auto a = static_cast<uint32_t>(taps_[n].weight);
      const auto b = static_cast<uint32_t>(taps_[n + 1].weight);
      sum += static_cast<int>(a + b);
      if (sum > kLargestSum) {
        ends_.push_back(static_cast<int>(n));
        sum = static_cast<int>(a + b);
      }
      pairs_.push_back(a * 0x00010001u | b * 0x01000100u);
    }
    ends_.push_back(static_cast<int>(taps_.size()));
  }

  // The weighed sum of the rows from `first` on, which lie `stride` bytes apart.
  void sum(const PdqKernel& kernel, const uint8_t* first, int64_t stride, int64_t bytes,
           float* out) {
    for (size_t n = 0; n < taps_.size(); ++n) rows_[n] = first + taps_[n].offset * stride;
    kernel.weigh({rows_.data(), pairs_.data(), ends_.data(), static_cast<int>(ends_.size())}, bytes,
                 out);
  }

 private:
  std::vector<Tap> taps_;
  std::vector<const uint8_t*> rows_;
  std::vector<uint32_t> pairs_;
  std::vector<int> ends_;
};

// Where the inputs of a sample begin, in a line that may run backwards.
int64_t first_input(const PdqLine& line, int cell) {
  return line.sample(cell) - 2 * (line.window - line.half);
}

// The weights of the samples along a row of sums, for each value of a pixel.
class Across {
 public:
  Across(const PdqLine& line, int channels, const int luma[3], double scale, bool backwards)
      : vectors_(tiles_for(channels * (2 * line.window - 1))) {
    const int64_t w = line.window, taps = 2 * w - 1;
    for (std::vector<float>& weights : weights_)
      weights.resize(static_cast<size_t>(vectors_ * kTile), 0.0f);
    for (int64_t n = 0; n < taps; ++n) {
      double last = tent(w, w, n);
      if (line.clipped()) {
        // One box fewer, and that box apart: its w - 1 inputs weigh w / (w - 1).
        const auto weight = static_cast<double>(w) / static_cast<double>(w - 1);
        last = n < taps - 1 ? tent(w, w - 1, n) + (n >= w - 1 ? weight : 0.0) : 0.0;
      }
      const int64_t place = backwards ? taps - 1 - n : n;
      for (int c = 0; c < channels; ++c) {
        const auto at = static_cast<size_t>(place * channels + c);
        weights_[0][at] = static_cast<float>(tent(w, w, n) * luma[c] * scale);
        weights_[1][at] = static_cast<float>(last * luma[c] * scale);
      }
    }
    for (int cell = 0; cell < kGrid; ++cell) {
      const int64_t first = first_input(line, cell);
      // Backwards, the clipped input would stand before the first of the line.
      firsts_[cell] = (backwards ? line.length - first - taps : first) * channels;
    }
    if (firsts_[kGrid - 1] < 0) {
      std::vector<float>& weights = weights_[1];
      std::move(weights.begin() + channels, weights.end(), weights.begin());
      std::fill(weights.end() - channels, weights.end(), 0.0f);
      firsts_[kGrid - 1] = 0;
    }
  }

  void sum(const PdqKernel& kernel, const float* sums, float* out) const {
    kernel.across({firsts_, {weights_[0].data(), weights_[1].data()}, vectors_}, sums, out);
  }

 private:
  int64_t vectors_;
  std::vector<float> weights_[2];
  int64_t firsts_[kGrid];
};

// Rows of pixels without gaps: in place if they are, else copies of a few.
class DenseRows {
 public:
  DenseRows(const Pixels& pixels, int64_t most)
      : pixels_(pixels),
        dense_(pixels.dense()),
        copies_(dense_ ? 0 : static_cast<size_t>(most * pixels.width * pixels.channels)) {}

  // Points at so many rows from number `first` on, `step` (1 or -1) from one to the next.
  const uint8_t* point(int64_t first, int64_t count, int64_t step, int64_t& stride) {
    if (dense_) {
      stride = step * pixels_.row_stride;
      return pixels_.data + first * pixels_.row_stride;
    }
    stride = pixels_.width * pixels_.channels;
    uint8_t* out = copies_.data();
    for (int64_t n = 0; n < count; ++n) {
      const uint8_t* pixel = pixels_.data + (first + n * step) * pixels_.row_stride;
      for (int64_t x = 0; x < pixels_.width; ++x, pixel += pixels_.column_stride)
        for (int c = 0; c < pixels_.channels; ++c) *out++ = pixel[c * pixels_.channel_stride];
    }
    return copies_.data();
  }

 private:
  const Pixels& pixels_;
  bool dense_;
  std::vector<uint8_t> copies_;
};

class Sampler {
 public:
  Sampler(const Pixels& pixels, const PdqKernel& kernel)
      : kernel_(kernel),
        down_(pixels.height),
        bytes_(pixels.width * pixels.channels),
        rows_(pixels, 2 * down_.window),
        tent_(down_.window, down_.window),
        sums_(static_cast<size_t>(bytes_ + kSpare), 0.0f) {
    if (!down_.clipped()) return;
    shorter_ = Taps(down_.window, down_.window - 1);
    rest_ = Taps(down_.window - 1, 1);
    rest_sums_.resize(sums_.size(), 0.0f);
  }

  // The weighed sums of the rows of a cell, times the window squared.
  const float* sums(int cell, bool backwards) {
    const int64_t w = down_.window, step = backwards ? -1 : 1;
    const bool clipped = down_.clipped() && cell == kGrid - 1;
    int64_t first = first_input(down_, cell), stride = 0;
    if (backwards) first = down_.length - 1 - first;
    const uint8_t* rows = rows_.point(first, 2 * w - 1 - clipped, step, stride);
    if (!clipped) {
      tent_.sum(kernel_, rows, stride, bytes_, sums_.data());
      return sums_.data();
    }
    shorter_.sum(kernel_, rows, stride, bytes_, sums_.data());
    rest_.sum(kernel_, rows + (w - 1) * stride, stride, bytes_, rest_sums_.data());
    const float weight = static_cast<float>(w) / static_cast<float>(w - 1);
    for (int64_t x = 0; x < bytes_; ++x) sums_[x] += weight * rest_sums_[x];
    return sums_.data();
  }

 private:
  const PdqKernel& kernel_;
  PdqLine down_;
  int64_t bytes_;
  DenseRows rows_;
  Taps tent_, shorter_, rest_;
  std::vector<float> sums_, rest_sums_;
};

// Whether samples of the line run backwards have to be weighed, rather than turned round.
bool weighed_backwards(const bool wanted[2], const PdqLine& line) {
  return wanted[1] && !(wanted[0] && line.symmetric());
}

// Fills the grids that are wanted and were not weighed: those of the lines as they stand, turned
// round.
void turn_round(const PdqWanted& wanted, const PdqWanted& weighed, PdqGrids& grids) {
  if (wanted.columns[1] && !weighed.columns[1])
    for (int v = 0; v < 2; ++v)
      if (weighed.rows[v])
        for (int i = 0; i < kGrid; ++i)
          std::reverse_copy(grids[v][0][i], grids[v][0][i] + kGrid, grids[v][1][i]);
  if (wanted.rows[1] && !weighed.rows[1])
    for (int h = 0; h < 2; ++h)
      if (wanted.columns[h])
        for (int i = 0; i < kGrid; ++i)
          std::copy_n(grids[0][h][kGrid - 1 - i], kGrid, grids[1][h][i]);
}

}  // namespace

void pdq_sample(const Pixels& picture, const PdqKernel& kernel, const PdqWanted& wanted,
                PdqGrids& grids) {
  Pixels pixels = picture;
  const PdqLine down(pixels.height), across(pixels.width);
  const bool colour = pixels.channels == 3;
  int luma[3] = {colour ? kPdqRed : 1, kPdqGreen, kPdqBlue};
  if (colour && pixels.column_stride == 3 && pixels.channel_stride == -1) {
    // Blue, green, red in memory: as dense as the other way round.
    pixels.data -= 2;
    pixels.channel_stride = 1;
    std::swap(luma[0], luma[2]);
  }
  const auto windows = static_cast<double>(down.window * across.window);
  const double scale = 1.0 / (windows * windows * (colour ? 1000.0 : 1.0));
  Sampler sampler(pixels, kernel);
  const PdqWanted weighed{{wanted.rows[0], weighed_backwards(wanted.rows, down)},
                          {wanted.columns[0], weighed_backwards(wanted.columns, across)}};
  std::optional<Across> columns[2];
  for (int h = 0; h < 2; ++h)
    if (weighed.columns[h]) columns[h].emplace(across, pixels.channels, luma, scale, h == 1);
  for (int cell = 0; cell < kGrid; ++cell)
    for (int v = 0; v < 2; ++v) {
      if (!weighed.rows[v]) continue;
      const float* sums = sampler.sums(cell, v == 1);
      for (int h = 0; h < 2; ++h)
        if (columns[h]) columns[h]->sum(kernel, sums, grids[v][h][cell]);
    }
  turn_round(wanted, weighed, grids);
}

int pdq_sample_roundings(int64_t width, int channels) {
  const int64_t taps = channels * (2 * PdqLine(width).window - 1);
  // Of a row that a box less reaches: its weight, the product and the sum. Of a column: its
  // weight, the product, a sum for every tile of taps, and four to add up sixteen lanes.
  return static_cast<int>(3 + 2 + tiles_for(taps) + 4);
}

}  // namespace screener
