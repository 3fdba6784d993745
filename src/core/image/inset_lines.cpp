#include "image/inset_lines.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <tuple>

namespace screener::insets {
namespace {

constexpr int kDrop = 10 * kClip;  // by which the sum of a run may fall before the run ends
constexpr size_t kMaxRuns = 512, kMaxLines = 128;
constexpr double kMinFilled = 0.4;  // of the shortest line's largest sum

// The values of the horizontal edges through each pixel of a row.
void values_between_rows(const Small& s, int64_t y, int8_t* __restrict out) {
  // Rows beyond the picture repeat its last.
  const auto row = [&](int64_t n) { return s.row(std::clamp<int64_t>(y + n, 0, s.height - 1)); };
  const uint8_t *a = row(-4), *b = row(-3), *c = row(-2), *d = row(-1), *f = row(1), *g = row(2),
                *h = row(3), *i = row(4);
  for (int64_t x = 0; x < s.width; ++x)
    out[x] = excess(apart(d[x], f[x]), apart(b[x], d[x]), apart(a[x], c[x]), apart(f[x], h[x]),
                    apart(g[x], i[x]));
}

// The sum of kBlock values.
inline int16_t sum_block(const int8_t* values) {
  static_assert(kBlock == 8);
  uint64_t bytes;
  std::memcpy(&bytes, values, sizeof bytes);
  bytes ^= 0x8080808080808080;  // each 128 more, and so not negative
  bytes = (bytes & 0x00ff00ff00ff00ff) + (bytes >> 8 & 0x00ff00ff00ff00ff);
  return static_cast<int16_t>(static_cast<int64_t>(bytes * 0x0001000100010001 >> 48) - 8 * 128);
}

// Finds the lines through columns, or rows. Values are added up block by block; a line is a run of
// blocks along a column (or row) whose sum is large.
class Lines {
 public:
  Lines(const Small& s, bool vertical, int64_t min_length)
      : s_(s),
        vertical_(vertical),
        length_(vertical ? s.height : s.width),
        breadth_(vertical ? s.width : s.height),
        blocks_(length_ / kBlock),
        min_length_(min_length),
        sums_(blocks_ * breadth_, static_cast<int16_t>(-kBias * kBlock)) {
    vertical ? add_columns() : add_rows();
    const double least = static_cast<double>(min_length * kClip) * kMinFilled;
    const std::vector<int16_t> bounds = bound();
    for (int64_t at = 0; at < breadth_; ++at)
      if (bounds[at] >= least) find_runs(at, least);
    select();
  }
  std::vector<Line> lines;

 private:
  void add_columns() {
    std::vector<uint8_t> steps(s_.width + 8);
    std::vector<int8_t> values(s_.width);
    for (int64_t n = 0; n < blocks_; ++n) {
      int16_t* out = sums_.data() + n * breadth_;
      std::fill(out, out + breadth_, int16_t{0});
      for (int64_t y = n * kBlock; y < (n + 1) * kBlock; ++y) {
        values_in_row(s_.row(y), s_.width, steps.data(), values.data());
        for (int64_t x = 0; x < s_.width; ++x) out[x] = static_cast<int16_t>(out[x] + values[x]);
      }
    }
  }
  void add_rows() {
    std::vector<int8_t> values(s_.width);
    for (int64_t y = 2; y < s_.height - 2; ++y) {
      values_between_rows(s_, y, values.data());
      for (int64_t n = 0; n < blocks_; ++n)
        sums_[n * breadth_ + y] = sum_block(values.data() + n * kBlock);
    }
  }
  // For each column, at least the largest sum of a run.
  std::vector<int16_t> bound() const {
    std::vector<int16_t> sum(breadth_), best(breadth_);
    for (int64_t n = 0; n < blocks_; ++n) {
      const int16_t* block = sums_.data() + n * breadth_;
      for (int64_t at = 0; at < breadth_; ++at) {
        const auto next = std::max<int16_t>(0, static_cast<int16_t>(sum[at] + block[at]));
        sum[at] = std::min(next, kMaxSum);
        best[at] = std::max(best[at], sum[at]);
      }
    }
    return best;
  }
  void find_runs(int64_t at, double least) {
    int sum = 0, best = 0;
    Line line{at, 0, 0, 0};
    const auto close = [&] {
      line.score = best;
      if (best >= least) runs_.push_back(line);
      sum = best = 0;
    };
    for (int64_t n = 0; n < blocks_; ++n) {
      const int value = sums_[n * breadth_ + at];
      if (sum == 0) {
        if (value <= 0) continue;
        line.from = n * kBlock;
      }
      sum += value;
      if (sum > best) best = sum, line.to = (n + 1) * kBlock;
      if (sum <= 0 || sum < best - kDrop) close();
    }
    close();
  }
  int value(int64_t at, int64_t n) const {
    const auto grey = [&](int64_t shift) {
      const int64_t place = std::clamp<int64_t>(at + shift, 0, breadth_ - 1);
      return vertical_ ? s_.row(n)[place] : s_.row(place)[n];
    };
    const auto step = [&](int64_t shift) { return apart(grey(shift - 1), grey(shift + 1)); };
    return excess(step(0), step(-2), step(-3), step(2), step(3));
  }
  // Moves the ends of a line to the pixel.
  void refine(Line& line) const {
    const int64_t begin = line.from, end = line.to;
    int sum = 0, best = INT_MIN;
    for (int64_t n = std::min(begin + kBlock, end) - 1; n >= std::max<int64_t>(0, begin - kBlock);
         --n)
      if ((sum += value(line.at, n)) > best) best = sum, line.from = n;
    sum = 0, best = INT_MIN;
    for (int64_t n = std::max(end - kBlock, begin); n < std::min(length_, end + kBlock); ++n)
      if ((sum += value(line.at, n)) > best) best = sum, line.to = n + 1;
  }
  bool is_known(const Line& line) const {
    return std::any_of(lines.begin(), lines.end(), [&](const Line& other) {
      const int64_t common = std::min(line.to, other.to) - std::max(line.from, other.from);
      return std::abs(line.at - other.at) <= 1 && 2 * common > line.to - line.from;
    });
  }
  void select() {
    const auto stronger = [](const Line& a, const Line& b) {
      return std::tie(b.score, a.at, a.from) < std::tie(a.score, b.at, b.from);
    };
    keep_first(runs_, kMaxRuns, stronger);
    for (Line& line : runs_) {
      if (lines.size() == kMaxLines) break;
      if (is_known(line)) continue;
      refine(line);
      if (line.to - line.from < min_length_) continue;
      line.sums.assign(1, 0);
      for (int64_t n = 0; n < blocks_; ++n)
        line.sums.push_back(line.sums.back() + sums_[n * breadth_ + line.at]);
      lines.push_back(line);
    }
  }

  const Small& s_;
  bool vertical_;
  int64_t length_, breadth_, blocks_, min_length_;
  std::vector<int16_t> sums_;
  std::vector<Line> runs_;
};

}  // namespace

std::vector<Line> find_lines(const Small& s, bool vertical, int64_t min_length) {
  return Lines(s, vertical, min_length).lines;
}

}  // namespace screener::insets
