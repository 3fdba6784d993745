#include "image/backdrop.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace screener {
namespace {

constexpr int64_t kRun = 4;    // neighbours that are looked at together,
constexpr int64_t kRuns = 16;  // in so many places of a row
constexpr int64_t kSamples = kRun * kRuns;
constexpr int kStep = 6;        // more greys than that are a step, if it is made
constexpr int64_t kWithin = 2;  // within so many lines;
constexpr int kFaint = 3;       // in a dark picture, or a pale one, fewer, but no fewer than these:
constexpr int kContrast = 12;   // this part of what nine in ten of its greys span
constexpr int kSeam = 26;       // steps in a line: at least two in five samples,
constexpr int kParts = 8;       // in most parts of the line
constexpr int kTold = 6;        // at least so many of them
constexpr int kToldBy = 2;      // by so many steps each
constexpr int64_t kThin = 8;    // lines that a backdrop has above and below, at least
constexpr int64_t kLeast = 40;  // rows that are left of a picture, at least,
constexpr int64_t kKept = 5;    // and this part of all
constexpr int64_t kLines =
    512;  // of a picture of twice as many rows or more, not all are looked at
constexpr int64_t kTogether = 64;  // lines that are looked at together

using Line = std::array<uint8_t, kSamples>;

uint8_t apart(uint8_t a, uint8_t b) {
  return static_cast<uint8_t>(std::max(a, b) - std::min(a, b));
}

// More greys than that are a step in this picture.
uint8_t step_of(const Pixels& grey) {
  constexpr int64_t kGrid = 16;
  std::array<uint8_t, kGrid * kGrid> points;
  for (int64_t n = 0; n < kGrid; ++n)
    for (int64_t k = 0; k < kGrid; ++k)
      points[n * kGrid + k] =
          grey.data[(2 * n + 1) * grey.height / (2 * kGrid) * grey.row_stride +
                    (2 * k + 1) * grey.width / (2 * kGrid) * grey.column_stride];
  std::sort(points.begin(), points.end());
  const auto few = static_cast<int64_t>(points.size() / 20);
  const int span = points.end()[-1 - few] - points.begin()[few];
  return static_cast<uint8_t>(std::clamp(span / kContrast, kFaint, kStep));
}

// A picture from its first row inwards, or from its last.
class Side {
 public:
  Side(const Pixels& grey, bool last, int64_t every, uint8_t step)
      : first_(grey.data + (last ? (grey.height - 1) * grey.row_stride : 0)),
        row_(last ? -grey.row_stride : grey.row_stride),
        column_(grey.column_stride),
        every_(every),
        step_(step) {
    for (int64_t n = 0; n < kRuns; ++n)
      places_[n] = ((2 * n + 1) * grey.width / (2 * kRuns) - kRun / 2) * column_;
  }

  // In how many samples each of `count` lines, from one on, and the line `kWithin` behind differ.
  void steps(int64_t from, int64_t count, uint8_t* out) const {
    if (std::abs(row_) == 1 && every_ == 1) return steps_along(from, count, out);
    Line lines[kTogether + kWithin];
    for (int64_t n = 0; n < count + kWithin; ++n) lines[n] = line((from + n) * every_);
    for (int64_t n = 0; n < count; ++n) {
      uint8_t sum = 0;
      for (int64_t j = 0; j < kSamples; ++j) sum += is_step(lines[n][j], lines[n + kWithin][j]);
      out[n] = sum;
    }
  }

  // Whether those of one line are in most parts of it.
  bool is_whole(int64_t number) const {
    const Line from = line(number * every_), to = line((number + kWithin) * every_);
    int told = 0;
    for (int64_t part = 0; part < kSamples; part += kSamples / kParts) {
      int found = 0;
      for (int64_t j = part; j < part + kSamples / kParts; ++j) found += is_step(from[j], to[j]);
      told += found >= kToldBy;
    }
    return told >= kTold;
  }

  // How many rows there are to the sharpest step between a line and the one `kWithin` behind.
  int64_t end(int64_t number) const {
    int64_t end = 0;
    int sharpest = -1;
    for (int64_t row = number * every_; row < (number + kWithin) * every_; ++row) {
      const Line from = line(row), to = line(row + 1);
      int sum = 0;
      for (int64_t j = 0; j < kSamples; ++j) sum += apart(from[j], to[j]);
      if (sum > sharpest) end = row + 1, sharpest = sum;
    }
    return end;
  }

 private:
  uint8_t is_step(uint8_t a, uint8_t b) const { return apart(a, b) > step_; }

  // As `steps`, of lines whose samples lie beside those of the next line, as they do in a picture
  // whose axes are swapped.
  void steps_along(int64_t from, int64_t count, uint8_t* out) const {
    uint8_t sums[kTogether] = {};
    const int64_t low = row_ > 0 ? from : -(from + count - 1) - kWithin;
    for (const int64_t place : places_)
      for (int64_t n = 0; n < kRun; ++n) {
        const uint8_t* grey = first_ + low + place + n * column_;
        for (int64_t k = 0; k < count; ++k) sums[k] += is_step(grey[k], grey[k + kWithin]);
      }
    if (row_ > 0)
      std::copy_n(sums, count, out);
    else
      std::reverse_copy(sums, sums + count, out);
  }

  Line line(int64_t row) const {
    const uint8_t* grey = first_ + row * row_;
    Line made;
    for (int64_t n = 0; n < kRuns; ++n) {
      const uint8_t* run = grey + places_[n];
      if (column_ == 1)
        std::memcpy(made.data() + n * kRun, run, kRun);
      else
        for (int64_t k = 0; k < kRun; ++k) made[n * kRun + k] = run[k * column_];
    }
    return made;
  }

  const uint8_t* first_;
  int64_t row_, column_, every_;
  uint8_t step_;
  int64_t places_[kRuns];
};

// The steps of the lines of a side, as far inwards as they were asked for.
class Steps {
 public:
  Steps(const Side& side, int64_t most)
      : side_(side), most_(most), found_(static_cast<size_t>(most + 2)) {}

  // Those of a line, or of one beside it, that has the most; and which that is.
  int most(int64_t line) { return found_[static_cast<size_t>(peak(line) + 1)]; }
  int64_t peak(int64_t line) {
    while (known_ < std::min(line + 2, most_)) {
      const int64_t count = std::min(kTogether, most_ - known_);
      side_.steps(known_, count, found_.data() + known_ + 1);
      known_ += count;
    }
    const auto before = found_.begin() + line;
    return line - 1 + (std::max_element(before, before + 3) - before);
  }

 private:
  const Side& side_;
  int64_t most_;
  int64_t known_ = 0;
  std::vector<uint8_t> found_;  // with one of none before the first, and behind the last
};

}  // namespace

Seams seams(const Pixels& grey) {
  const int64_t every = std::max<int64_t>(1, grey.height / kLines);
  const int64_t most = (grey.height - std::max(kLeast, grey.height / kKept)) / 2 / every;
  if (grey.width < kSamples || most <= kThin) return {};
  const uint8_t step = step_of(grey);
  const Side top(grey, false, every, step), bottom(grey, true, every, step);
  Steps above(top, most), below(bottom, most);
  const auto both = [&](int64_t line) { return std::min(above.most(line), below.most(line)); };
  std::vector<int> before;
  for (int steps = 0; (steps = both(static_cast<int64_t>(before.size()))) < kSeam;) {
    before.push_back(steps);
    if (static_cast<int64_t>(before.size()) == most) return {};
  }
  auto seam = static_cast<int64_t>(before.size());
  for (int64_t n = seam + 1, end = std::min(seam + 3, most); n < end; ++n)
    if (both(n) > both(seam)) seam = n;
  if (seam < kThin) return {};
  const auto calm = std::min(before.begin() + (seam - kWithin - 1), before.end());
  if (2 * *std::max_element(before.begin(), calm) > both(seam)) return {};
  if (!top.is_whole(above.peak(seam)) || !bottom.is_whole(below.peak(seam))) return {};
  return {top.end(above.peak(seam)), bottom.end(below.peak(seam))};
}

}  // namespace screener
