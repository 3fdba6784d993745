#include "image/insets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <tuple>

namespace screener {
namespace {

constexpr int64_t kSmallPixels = 200'000;
constexpr int64_t kMinCells = 10;
constexpr int kClip = 24;
constexpr int kBias = 5;
constexpr int64_t kBlock = 8;
constexpr int kDrop = 10 * kClip;
constexpr int16_t kMaxSum = 30'000;  // of int16
constexpr int64_t kMaxRaw = 1024;
constexpr int64_t kMaxLines = 128;
constexpr int64_t kMaxPairs = 400'000;  // of lines that are compared
constexpr double kMinStrength = 0.1;
constexpr size_t kMaxParts = 8;
constexpr int64_t kMaxBoxes = 2048;
constexpr double kMinBoxScore = 1.0;
constexpr double kMinScore = 0.6;
constexpr double kMinQuadScore = 1.5;

struct Small {
  int64_t factor, width, height;
  std::vector<uint8_t> grey;
  const uint8_t* row(int64_t y) const { return grey.data() + y * width; }
};

// The means of k sums of `rows` pixels each.
template <int K>
void mean_of(const uint16_t* sums, int64_t count, int64_t k, int64_t rows, uint8_t* out) {
  const int64_t step = K ? K : k;
  const auto scale = uint32_t(65536 / (step * rows));
  for (int64_t x = 0; x < count; ++x, sums += step) {
    uint32_t sum = 0;
    for (int64_t n = 0; n < step; ++n) sum += sums[n];
    out[x] = uint8_t((sum * scale + 32768) >> 16);
  }
}

Small shrink_grey(const Pixels& p) {
  Small s;
  s.factor = std::max<int64_t>(
      1, std::llround(std::sqrt(double(p.width) * double(p.height) / kSmallPixels)));
  const int64_t k = s.factor;
  s.width = p.width / k, s.height = p.height / k;
  s.grey.resize(s.width * s.height);
  const int64_t rows = std::min<int64_t>(k, 4);
  const bool dense = p.channels == 1 && p.column_stride == 1;
  const auto mean = k == 1   ? mean_of<1>
                    : k == 2 ? mean_of<2>
                    : k == 3 ? mean_of<3>
                    : k == 4 ? mean_of<4>
                             : mean_of<0>;
  std::vector<uint16_t> sums(s.width * k);
  for (int64_t y = 0; y < s.height; ++y) {
    std::fill(sums.begin(), sums.end(), uint16_t{0});
    for (int64_t n = 0; n < rows; ++n) {
      const uint8_t* row = p.data + (y * k + n * k / rows) * p.row_stride;
      if (dense) {
        for (int64_t x = 0; x < s.width * k; ++x) sums[x] = uint16_t(sums[x] + row[x]);
      } else if (p.channels == 1) {
        for (int64_t x = 0; x < s.width * k; ++x)
          sums[x] = uint16_t(sums[x] + row[x * p.column_stride]);
      } else if (p.dense()) {
        for (int64_t x = 0; x < s.width * k; ++x)
          sums[x] = uint16_t(sums[x] + ((row[3 * x] + 2 * row[3 * x + 1] + row[3 * x + 2]) >> 2));
      } else {
        for (int64_t x = 0; x < s.width * k; ++x) {
          const uint8_t* q = row + x * p.column_stride;
          sums[x] =
              uint16_t(sums[x] + ((q[0] + 2 * q[p.channel_stride] + q[2 * p.channel_stride]) >> 2));
        }
      }
    }
    mean(sums.data(), s.width, k, rows, s.grey.data() + y * s.width);
  }
  return s;
}

inline uint8_t apart8(uint8_t a, uint8_t b) { return uint8_t(std::max(a, b) - std::min(a, b)); }

// A straight edge through the pixels `at`, from `from` to `to`, of a strength from 0 to 1.
struct Line {
  int64_t at, from, to;
  double score;
  bool border = false;
  std::vector<int> sums = {};  // of the values before each block, all along the picture
};

// How much sharper the edge through a pixel is than its calmer side: of the steps 2 and 3 before,
// and those 2 and 3 behind.
inline int8_t excess(uint8_t step, uint8_t l2, uint8_t l3, uint8_t r2, uint8_t r3) {
  const uint8_t calm = std::min(std::max(l2, l3), std::max(r2, r3));
  const auto more = std::min<uint8_t>(uint8_t(std::max(step, calm) - calm), kClip);
  const auto less = std::min<uint8_t>(uint8_t(std::max(step, calm) - step), kClip);
  return int8_t(more - less - kBias);
}

// The values of the vertical edges through each pixel of a row. `steps` has room for `width` + 8.
void values_in_row(const uint8_t* __restrict row, int64_t width, uint8_t* __restrict steps,
                   int8_t* __restrict out) {
  std::memset(steps, 0, width + 8);
  steps += 4;
  for (int64_t x = 1; x < width - 1; ++x) steps[x] = apart8(row[x - 1], row[x + 1]);
  steps[0] = apart8(row[0], row[1]), steps[width - 1] = apart8(row[width - 2], row[width - 1]);
  std::memset(out, -kBias, width);
  for (int64_t x = 2; x < width - 2; ++x)
    out[x] = excess(steps[x], steps[x - 2], steps[x - 3], steps[x + 2], steps[x + 3]);
}

void values_between_rows(const Small& s, int64_t y, int8_t* __restrict out) {
  // Rows beyond the picture repeat its last.
  const auto row = [&](int64_t n) { return s.row(std::clamp<int64_t>(y + n, 0, s.height - 1)); };
  const uint8_t *a = row(-4), *b = row(-3), *c = row(-2), *d = row(-1), *f = row(1), *g = row(2),
                *h = row(3), *i = row(4);
  for (int64_t x = 0; x < s.width; ++x)
    out[x] = excess(apart8(d[x], f[x]), apart8(b[x], d[x]), apart8(a[x], c[x]), apart8(f[x], h[x]),
                    apart8(g[x], i[x]));
}

// The sum of kBlock values.
inline int16_t sum_block(const int8_t* values) {
  static_assert(kBlock == 8);
  uint64_t bytes;
  std::memcpy(&bytes, values, sizeof bytes);
  bytes ^= 0x8080808080808080;  // each 128 more, and so not negative
  bytes = (bytes & 0x00ff00ff00ff00ff) + (bytes >> 8 & 0x00ff00ff00ff00ff);
  return int16_t(int64_t(bytes * 0x0001000100010001 >> 48) - 8 * 128);
}

class Lines {
 public:
  // blocks[n * stride_n + at * stride_at]
  Lines(const Small& s, bool vertical, int64_t min_length)
      : s_(s), vertical_(vertical), min_length_(min_length) {
    count_ = (vertical ? s.height : s.width) / kBlock;
    ats_ = vertical ? s.width : s.height;
    blocks_.resize(count_ * ats_);
    vertical ? fill_vertical() : fill_horizontal();
    find();
    select();
  }
  std::vector<Line> lines;

 private:
  void fill_vertical() {
    std::vector<uint8_t> steps(s_.width + 8);
    std::vector<int8_t> values(s_.width);
    for (int64_t n = 0; n < count_; ++n) {
      int16_t* out = blocks_.data() + n * ats_;
      for (int64_t y = n * kBlock; y < (n + 1) * kBlock; ++y) {
        values_in_row(s_.row(y), s_.width, steps.data(), values.data());
        for (int64_t x = 0; x < s_.width; ++x) out[x] = int16_t(out[x] + values[x]);
      }
    }
  }
  void fill_horizontal() {
    std::vector<int8_t> values(s_.width);
    std::fill(blocks_.begin(), blocks_.end(), int16_t(-kBias * kBlock));
    for (int64_t y = 2; y < s_.height - 2; ++y) {
      values_between_rows(s_, y, values.data());
      for (int64_t n = 0; n < count_; ++n)
        blocks_[n * ats_ + y] = sum_block(values.data() + n * kBlock);
    }
  }
  // For each `at`, at least the greatest sum of a run of blocks.
  std::vector<int16_t> bound() const {
    std::vector<int16_t> sum(ats_), best(ats_);
    for (int64_t n = 0; n < count_; ++n) {
      const int16_t* block = blocks_.data() + n * ats_;
      for (int64_t at = 0; at < ats_; ++at) {
        const auto next = std::max<int16_t>(0, int16_t(sum[at] + block[at]));
        sum[at] = std::min<int16_t>(next, kMaxSum);
        best[at] = std::max(best[at], sum[at]);
      }
    }
    return best;
  }
  void find() {
    const auto least = double(min_length_ * kClip) * 0.4;
    const std::vector<int16_t> best = bound();
    for (int64_t at = 0; at < ats_; ++at)
      if (best[at] >= least) find_runs(at, least);
  }
  void find_runs(int64_t at, double least) {
    int sum = 0, best = 0;
    Line line{at, 0, 0, 0};
    const auto close = [&] {
      line.score = best;
      if (best >= least) raw_.push_back(line);
      sum = best = 0;
    };
    for (int64_t n = 0; n < count_; ++n) {
      const int value = blocks_[n * ats_ + at];
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
    const int64_t length = vertical_ ? s_.width : s_.height;
    const auto apart = [&](int64_t a, int64_t b) {
      a = std::clamp<int64_t>(at + a, 0, length - 1),
      b = std::clamp<int64_t>(at + b, 0, length - 1);
      return vertical_ ? apart8(s_.row(n)[a], s_.row(n)[b]) : apart8(s_.row(a)[n], s_.row(b)[n]);
    };
    return excess(apart(-1, 1), apart(-3, -1), apart(-4, -2), apart(1, 3), apart(2, 4));
  }
  // Move the ends of a line to the pixel.
  void refine(Line& line) const {
    const int64_t length = vertical_ ? s_.height : s_.width;
    int64_t lo = std::max<int64_t>(0, line.from - kBlock),
            mid = std::min(line.from + kBlock, line.to);
    int sum = 0, best = -1 << 30;
    for (int64_t n = mid - 1; n >= lo; --n)
      if ((sum += value(line.at, n)) > best) best = sum, line.from = n;
    int64_t hi = std::min(length, line.to + kBlock);
    mid = std::max(line.to - kBlock, line.from);
    sum = 0, best = -1 << 30;
    for (int64_t n = mid; n < hi; ++n)
      if ((sum += value(line.at, n)) > best) best = sum, line.to = n + 1;
  }
  void select() {
    const auto stronger = [](const Line& a, const Line& b) {
      return a.score != b.score ? a.score > b.score : a.at != b.at ? a.at < b.at : a.from < b.from;
    };
    if (int64_t(raw_.size()) > kMaxRaw) {
      std::nth_element(raw_.begin(), raw_.begin() + kMaxRaw, raw_.end(), stronger);
      raw_.resize(kMaxRaw);
    }
    std::sort(raw_.begin(), raw_.end(), stronger);
    for (Line& line : raw_) {
      if (int64_t(lines.size()) == kMaxLines) break;
      const bool known = std::any_of(lines.begin(), lines.end(), [&](const Line& other) {
        const int64_t common = std::min(line.to, other.to) - std::max(line.from, other.from);
        return std::abs(line.at - other.at) <= 1 && 2 * common > line.to - line.from;
      });
      if (known) continue;
      refine(line);
      if (line.to - line.from < min_length_) continue;
      line.sums.assign(1, 0);
      for (int64_t n = 0; n < count_; ++n)
        line.sums.push_back(line.sums.back() + blocks_[n * ats_ + line.at]);
      lines.push_back(line);
    }
  }

  const Small& s_;
  bool vertical_;
  int64_t min_length_, count_, ats_;
  std::vector<int16_t> blocks_;
  std::vector<Line> raw_;
};

struct Box {
  int64_t left, top, right, bottom;  // pixels through which its edges run
  double score;
};

double covered(const Line& line, int64_t from, int64_t to) {
  return double(std::min(line.to, to) - std::max(line.from, from)) / double(to - from);
}
// How strong a line is between two places.
double strength(const Line& line, int64_t from, int64_t to) {
  if (line.border) return 0.5;
  const auto last = int64_t(line.sums.size()) - 1;
  const int64_t first = std::clamp<int64_t>((from + kBlock / 2) / kBlock, 0, last - 1);
  const int64_t end = std::clamp<int64_t>((to + kBlock / 2) / kBlock, first + 1, last);
  return double(line.sums[end] - line.sums[first]) /
         double((end - first) * kBlock * (kClip - kBias));
}

// 1: like a photo; 0: like a button, a text.
double liveliness(const Small& s, const Box& b) {
  std::array<int, 64> counts{};
  const int64_t w = b.right - b.left, h = b.bottom - b.top;
  if (std::min(w, h) < 8) return 0;
  const int64_t step_x = std::max<int64_t>(1, w / 24), step_y = std::max<int64_t>(1, h / 24);
  int total = 0, busy = 0;
  for (int64_t y = b.top + 2; y < b.bottom - 2; y += step_y)
    for (int64_t x = b.left + 2; x < b.right - 2; x += step_x) {
      const uint8_t* p = s.row(y) + x;
      ++counts[p[0] / 4], ++total;
      busy += std::abs(p[0] - p[-1]) + std::abs(p[0] - p[-s.width]) >= 3;
    }
  if (!total) return 0;
  int mode = 0;
  for (size_t n = 0; n + 1 < counts.size(); ++n) mode = std::max(mode, counts[n] + counts[n + 1]);
  const double share = double(mode) / total, busyness = double(busy) / total;
  if (busyness < 0.08) return 0;
  return std::clamp((0.95 - share) / 0.35, 0.0, 1.0);
}

double overlap(const Box& a, const Box& b) {
  const int64_t w = std::min(a.right, b.right) - std::max(a.left, b.left);
  const int64_t h = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (w <= 0 || h <= 0) return 0;
  const double common = double(w * h);
  return common / (double((a.right - a.left) * (a.bottom - a.top)) +
                   double((b.right - b.left) * (b.bottom - b.top)) - common);
}

// Whether a line parts a box in two.
bool is_parted(const Box& b, const std::vector<Line>& vs, const std::vector<Line>& hs) {
  for (const Line& v : vs)
    if (v.at > b.left + 1 && v.at < b.right - 1 && covered(v, b.top, b.bottom) >= 0.85 &&
        strength(v, b.top, b.bottom) >= 0.5)
      return true;
  for (const Line& h : hs)
    if (h.at > b.top + 1 && h.at < b.bottom - 1 && covered(h, b.left, b.right) >= 0.85 &&
        strength(h, b.left, b.right) >= 0.5)
      return true;
  return false;
}

std::vector<Box> assemble(const Small& s, std::vector<Line> vs, std::vector<Line> hs,
                          int64_t least) {
  vs.push_back({0, 0, s.height, 0, true});
  vs.push_back({s.width, 0, s.height, 0, true});
  hs.push_back({0, 0, s.width, 0, true});
  hs.push_back({s.height, 0, s.width, 0, true});
  const auto by_at = [](const Line& a, const Line& b) { return a.at < b.at; };
  std::sort(vs.begin(), vs.end(), by_at);
  std::sort(hs.begin(), hs.end(), by_at);
  std::vector<Box> boxes;
  std::vector<const Line*> between;
  const auto covers = [](const Line& line, int64_t from, int64_t to, int64_t tenths) {
    return 10 * (std::min(line.to, to) - std::max(line.from, from)) >= tenths * (to - from);
  };
  int64_t pairs = 0;
  for (size_t i = 0; i < vs.size(); ++i)
    for (size_t j = i + 1, across = 0; j < vs.size() && across < kMaxParts && pairs < kMaxPairs;
         ++j) {
      const Line &l = vs[i], &r = vs[j];
      const int64_t width = r.at - l.at;
      if (width < least) continue;
      const int64_t from = std::max(l.from, r.from), to = std::min(l.to, r.to);
      if (to - from < least * 6 / 10) continue;
      across += covers(r, l.from, l.to, 8);
      between.clear();
      const int64_t slack = std::max<int64_t>(3, (to - from) / 4);
      for (auto h = std::lower_bound(hs.begin(), hs.end(), from - slack,
                                     [](const Line& a, int64_t at) { return a.at < at; });
           h != hs.end() && h->at <= to + slack; ++h, ++pairs)
        if (covers(*h, l.at, r.at, 7)) between.push_back(&*h);
      for (size_t a = 0; a < between.size(); ++a)
        for (size_t b = a + 1, tried = 0; b < between.size() && tried < kMaxParts; ++b, ++pairs) {
          const Line &t = *between[a], &u = *between[b];
          if (u.at - t.at < least) continue;
          ++tried;
          if (l.border + r.border + t.border + u.border == 4) continue;
          if (!covers(l, t.at, u.at, 7) || !covers(r, t.at, u.at, 7)) continue;
          const double sl = strength(l, t.at, u.at), sr = strength(r, t.at, u.at);
          const double st = strength(t, l.at, r.at), su = strength(u, l.at, r.at);
          if (std::min({sl, sr, st, su}) < kMinStrength) continue;
          const double score = sl + sr + st + su;
          boxes.push_back({l.at, t.at, r.at, u.at, score});
        }
    }
  return boxes;
}

bool likelier(const Box& a, const Box& b) {
  if (a.score != b.score) return a.score > b.score;
  return std::tie(a.left, a.top, a.right, a.bottom) < std::tie(b.left, b.top, b.right, b.bottom);
}

uint8_t at(const Pixels& p, int64_t y, int64_t x) {
  const uint8_t* q = p.data + y * p.row_stride + x * p.column_stride;
  return p.channels == 1 ? *q
                         : uint8_t((q[0] + 2 * q[p.channel_stride] + q[2 * p.channel_stride]) >> 2);
}

uint8_t at_or_edge(const Pixels& p, int64_t y, int64_t x) {
  return at(p, std::clamp<int64_t>(y, 0, p.height - 1), std::clamp<int64_t>(x, 0, p.width - 1));
}

// A side of a part at full size: where its step is, and how sharp it is, from -1 to 1.
struct Side {
  int64_t at;
  double sharpness;
};

// The sharpest step near a side at full size.
Side sharpest(const Pixels& p, bool vertical, bool first, int64_t coarse, int64_t factor,
              int64_t from, int64_t to) {
  const int64_t length = vertical ? p.width : p.height;
  const int64_t lo = std::max<int64_t>(1, coarse * factor - factor - (first ? 0 : 4)),
                hi = std::min(length - 1, (coarse + 2) * factor + (first ? 4 : 0));
  if (hi < lo) return {coarse * factor, 0};
  const int64_t inset = (to - from) / 8, step = std::max<int64_t>(1, (to - from - 2 * inset) / 48);
  const int64_t count = hi - lo + 9;
  std::vector<uint8_t> line(count);
  std::vector<int64_t> sums(count), sharp(count);
  int64_t lines = 0;
  for (int64_t m = from + inset; m < to - inset; m += step, ++lines) {
    for (int64_t n = 0; n < count; ++n)
      line[n] = vertical ? at_or_edge(p, m, lo - 4 + n) : at_or_edge(p, lo - 4 + n, m);
    for (int64_t n = 4; n < count - 4; ++n) {
      const auto apart = [&](int64_t d) { return std::abs(line[n + d] - line[n + d - 1]); };
      sums[n] += std::min(apart(0), 2 * kClip);
      const int before = std::max(apart(-2), apart(-3)), behind = std::max(apart(2), apart(3));
      sharp[n] += std::clamp(apart(0) - std::min(before, behind), -kClip, kClip);
    }
  }
  const auto weight = [&](int64_t n) { return sharp[n] * 2 + sums[n]; };
  int64_t best = 4;
  for (int64_t n = 4; n < count - 4; ++n)
    if (weight(n) > weight(best)) best = n;
  // A thin gutter or hairline has two edges: take the inner one.
  const int64_t inwards = first ? 1 : -1, outer = best;
  for (int64_t n = outer + inwards, gap = 0; gap < 6 && n >= 4 && n < count - 4;
       n += inwards, ++gap) {
    if (sharp[n] > 0 && weight(n) * 10 >= weight(outer) * 6) best = n;
    if (sums[n] > 3 * lines && (best == outer || n != best)) break;
  }
  return {lo - 4 + best, lines ? double(sharp[best]) / double(lines * kClip) : 0.0};
}

// --- slanted

constexpr double kMaxSlope = 0.135;
constexpr double kSlopeStep = 0.012;
constexpr int64_t kStrip = 4;
constexpr int64_t kMaxQuads = 6;
constexpr size_t kMaxSlanted = 24;
constexpr int64_t kSlantedPixels = 120'000;

Small halve(const Small& s) {
  Small h{s.factor * 2, s.width / 2, s.height / 2, {}};
  h.grey.resize(h.width * h.height);
  for (int64_t y = 0; y < h.height; ++y) {
    const uint8_t *a = s.row(2 * y), *b = s.row(2 * y + 1);
    uint8_t* out = h.grey.data() + y * h.width;
    for (int64_t x = 0; x < h.width; ++x)
      out[x] = uint8_t((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
  }
  return h;
}

Small transpose(const Small& s) {
  Small t{s.factor, s.height, s.width, {}};
  t.grey.resize(s.grey.size());
  for (int64_t y = 0; y < s.height; ++y)
    for (int64_t x = 0; x < s.width; ++x) t.grey[x * s.height + y] = s.grey[y * s.width + x];
  return t;
}

// x = at + slope * y, from y = from to y = to.
struct Slanted {
  double at, slope;
  int64_t from, to;
  int score;
  double x(double y) const { return at + slope * y; }
};

double strength(const Slanted& line) {
  return std::min(1.0, line.score / double((line.to - line.from) * (kClip - kBias)));
}


double slope_shift(double slope, int64_t strip, int64_t height) {
  return slope * (double(strip * kStrip) + kStrip / 2.0 - double(height) / 2);
}

std::vector<Slanted> find_slanted(const Small& s, int64_t min_length) {
  const int64_t strips = s.height / kStrip, width = s.width;
  const int64_t pad = int64_t(kMaxSlope * double(s.height)) + 2;
  const int64_t padded = width + 2 * pad;
  std::vector<int16_t> sums(strips * (padded + 2 * pad), int16_t(-kBias * kStrip));
  std::vector<uint8_t> steps(width + 8);
  std::vector<int8_t> values(width);
  const int64_t pitch = padded + 2 * pad;
  for (int64_t n = 0; n < strips; ++n) {
    int16_t* out = sums.data() + n * pitch + 2 * pad;
    for (int64_t x = 0; x < width; ++x) out[x] = 0;
    for (int64_t y = n * kStrip; y < (n + 1) * kStrip; ++y) {
      values_in_row(s.row(y), width, steps.data(), values.data());
      for (int64_t x = 0; x < width; ++x) out[x] = int16_t(out[x] + values[x]);
    }
  }
  std::vector<Slanted> raw, lines;
  std::vector<int16_t> sum(padded), best(padded);
  const int least = int(double(min_length) * kClip * 0.5);
  const int slopes = int(kMaxSlope / kSlopeStep);
  for (int n = -slopes; n <= slopes; ++n) {
    const double slope = n * kSlopeStep;
    std::fill(sum.begin(), sum.end(), int16_t{0});
    std::fill(best.begin(), best.end(), int16_t{0});
    // Lines are numbered by where they cross the middle row.
    const auto shift = [&](int64_t strip) {
      return std::llround(slope_shift(slope, strip, s.height));
    };
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int16_t* row = sums.data() + strip * pitch + pad + shift(strip);
      for (int64_t x = 0; x < padded; ++x) {
        const auto next = std::max<int16_t>(0, int16_t(sum[x] + row[x]));
        sum[x] = std::min(next, kMaxSum);
        best[x] = std::max(best[x], sum[x]);
      }
    }
    for (int64_t x = 1; x + 1 < padded; ++x) {
      if (best[x] < least || best[x] < best[x - 1] || best[x] < best[x + 1]) continue;
      raw.push_back({double(x - pad) + 0.5 - slope * double(s.height) / 2, slope, x, 0, best[x]});
    }
  }
  const auto stronger = [](const Slanted& a, const Slanted& b) {
    return a.score != b.score ? a.score > b.score : a.at != b.at ? a.at < b.at : a.slope < b.slope;
  };
  if (int64_t(raw.size()) > kMaxRaw) {
    std::nth_element(raw.begin(), raw.begin() + kMaxRaw, raw.end(), stronger);
    raw.resize(kMaxRaw);
  }
  std::sort(raw.begin(), raw.end(), stronger);
  for (Slanted line : raw) {
    if (lines.size() == kMaxSlanted) break;
    // Its best run of strips.
    int run = 0, top = 0;
    int64_t begin = 0;
    const int64_t x = line.from;
    line.from = line.to = 0;
    for (int64_t strip = 0; strip < strips; ++strip) {
      const double at = slope_shift(line.slope, strip, s.height);
      const int value = sums[strip * pitch + pad + x + std::llround(at)];
      if (run + value <= 0) {
        run = 0, begin = strip + 1;
        continue;
      }
      run += value;
      if (run > top) top = run, line.from = begin * kStrip, line.to = (strip + 1) * kStrip;
    }
    if (line.to - line.from < min_length || strength(line) < 0.38) continue;
    const bool known = std::any_of(lines.begin(), lines.end(), [&](const Slanted& o) {
      const int64_t common = std::min(line.to, o.to) - std::max(line.from, o.from);
      const double middle = double(line.from + line.to) / 2;
      return common * 2 > line.to - line.from && std::abs(o.x(middle) - line.x(middle)) < 2;
    });
    if (!known) lines.push_back(line);
  }
  return lines;
}

struct Point {
  double x, y;
};

// Where a line that is nearly vertical meets one that is nearly horizontal: x = v(y), y = h(x).
Point crossing(const Slanted& v, const Slanted& h) {
  const double y = (h.at + h.slope * v.at) / (1 - h.slope * v.slope);
  return {v.x(y), y};
}

double covered(const Slanted& line, double from, double to) {
  return (std::min<double>(line.to, to) - std::max<double>(line.from, from)) / (to - from);
}

// A side fitted at full size, coordinates along it and across it; and how many samples agree.
struct Fitted {
  double at, slope, agreement;
};

Fitted fit(const Pixels& p, bool vertical, double from, double at_from, double to, double at_to,
           int64_t reach) {
  constexpr int kSamples = 40;
  std::array<double, kSamples> along, across, weight;
  const double slope = (at_to - at_from) / (to - from);
  for (int n = 0; n < kSamples; ++n) {
    along[n] = from + (to - from) * (0.06 + 0.88 * (n + 0.5) / kSamples);
    const double centre = at_from + slope * (along[n] - from);
    const int64_t m = std::llround(along[n]);
    int best = 0;
    across[n] = centre;
    for (int64_t d = -reach; d <= reach; ++d) {
      const int64_t c = std::llround(centre) + d;
      const auto value = [&](int64_t e) {
        return int(vertical ? at_or_edge(p, m, c + e) : at_or_edge(p, c + e, m));
      };
      const int step = std::abs(value(0) + value(1) - value(-1) - value(-2));
      if (step > best) best = step, across[n] = double(c);
    }
    weight[n] = best >= 16 ? 1 : 0;
  }
  Fitted best{at_from - slope * from, slope, 0};
  // The line through two samples that most others agree with; then least squares of these.
  const double near = 1.5;
  double most = -1;
  for (int i = 0; i < kSamples / 2; ++i)
    for (int j = kSamples / 2; j < kSamples; j += 2) {
      if (!weight[i] || !weight[j]) continue;
      const double sl = (across[j] - across[i]) / (along[j] - along[i]);
      if (std::abs(sl - slope) > 2 * kSlopeStep + 4.0 * double(reach) / (to - from)) continue;
      double count = 0;
      for (int n = 0; n < kSamples; ++n)
        count += weight[n] && std::abs(across[i] + sl * (along[n] - along[i]) - across[n]) <= near;
      if (count > most) most = count, best = {across[i] - sl * along[i], sl, count / kSamples};
    }
  double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (int n = 0; n < kSamples; ++n)
    if (weight[n] && std::abs(best.at + best.slope * along[n] - across[n]) <= near)
      sw += 1, sx += along[n], sy += across[n], sxx += along[n] * along[n],
          sxy += along[n] * across[n];
  const double det = sw * sxx - sx * sx;
  if (sw >= 4 && det > 1e-6) {
    best.slope = (sw * sxy - sx * sy) / det;
    best.at = (sy - best.slope * sx) / sw;
  }
  return best;
}

Point crossing(const Fitted& v, const Fitted& h) {
  const double y = (h.at + h.slope * v.at) / (1 - h.slope * v.slope);
  return {v.at + v.slope * y, y};
}

struct Quad {
  Point corner[4];  // from the upper left one clockwise
  double score;
};

// Two lines, the first of which is further left or up; and whether a third parts them.
struct Pair {
  const Slanted *first, *second;
  bool parted;
};

std::vector<Pair> pairs_of(const std::vector<Slanted>& lines, double least) {
  std::vector<Pair> pairs;
  for (const Slanted& a : lines)
    for (const Slanted& b : lines) {
      const int64_t from = std::max(a.from, b.from), to = std::min(a.to, b.to);
      const double middle = double(from + to) / 2;
      if (double(to - from) < least / 2 || b.x(middle) - a.x(middle) < least ||
          std::abs(a.slope - b.slope) > 0.12)
        continue;
      const bool parted = std::any_of(lines.begin(), lines.end(), [&](const Slanted& c) {
        const double left = c.x(middle) - a.x(middle), right = b.x(middle) - c.x(middle);
        return std::min(left, right) > 1 && std::min(left, right) * 4 < left + right &&
               std::abs(c.slope - (left < right ? a : b).slope) < 0.05 &&
               covered(c, double(from), double(to)) >= 0.8;
      });
      pairs.push_back({&a, &b, parted});
    }
  return pairs;
}

void find_quads(const Pixels& pixels, const Small& whole, int64_t min_side, std::vector<Inset>& out,
                int64_t limit) {
  const Small s = int64_t(whole.grey.size()) > kSlantedPixels ? halve(whole) : whole;
  const int64_t least = std::max<int64_t>(kMinCells, min_side * 9 / 10 / s.factor);
  if (std::min(s.width, s.height) < 2 * kMinCells) return;
  const std::vector<Slanted> vs = find_slanted(s, least * 6 / 10);
  if (vs.size() < 2) return;
  const std::vector<Pair> across = pairs_of(vs, double(least));
  if (across.empty()) return;
  const std::vector<Slanted> hs = find_slanted(transpose(s), least * 6 / 10);
  const std::vector<Pair> down = pairs_of(hs, double(least));
  std::vector<Quad> quads;
  for (const Pair& v : across)
    for (const Pair& h : down) {
      const Slanted &l = *v.first, &r = *v.second, &t = *h.first, &u = *h.second;
      if (std::max({std::abs(l.slope), std::abs(r.slope), std::abs(t.slope), std::abs(u.slope)}) <
          kSlopeStep / 2)
        continue;
      const Point tl = crossing(l, t), br = crossing(r, u);
      if (covered(l, tl.y, br.y) < 0.6 || covered(t, tl.x, br.x) < 0.6) continue;
      const Point tr = crossing(r, t), bl = crossing(l, u);
      const double c[4] = {covered(l, tl.y, bl.y), covered(r, tr.y, br.y), covered(t, tl.x, tr.x),
                           covered(u, bl.x, br.x)};
      if (*std::min_element(c, c + 4) < 0.65) continue;
      const double score =
          c[0] * strength(l) + c[1] * strength(r) + c[2] * strength(t) + c[3] * strength(u);
      if (score >= kMinQuadScore)
        quads.push_back({{tl, tr, br, bl}, score * (v.parted ? 0.6 : 1) * (h.parted ? 0.6 : 1)});
    }
  std::sort(quads.begin(), quads.end(),
            [](const Quad& a, const Quad& b) { return a.score > b.score; });
  const auto bounds = [](const Quad& q) {
    return Box{int64_t(std::min(q.corner[0].x, q.corner[3].x)),
               int64_t(std::min(q.corner[0].y, q.corner[1].y)),
               int64_t(std::max(q.corner[1].x, q.corner[2].x)),
               int64_t(std::max(q.corner[2].y, q.corner[3].y)), 0};
  };
  std::vector<Box> kept;
  const auto k = double(s.factor);
  for (Quad& q : quads) {
    if (int64_t(kept.size()) >= limit) break;
    const Box box = bounds(q);
    if (std::any_of(kept.begin(), kept.end(), [&](const Box& o) { return overlap(box, o) > 0.9; }))
      continue;
    const Point* c = q.corner;
    const Box inner{int64_t(std::max(c[0].x, c[3].x)), int64_t(std::max(c[0].y, c[1].y)),
                    int64_t(std::min(c[1].x, c[2].x)), int64_t(std::min(c[2].y, c[3].y)), 0};
    if (inner.left < 1 || inner.top < 1 || inner.right >= s.width || inner.bottom >= s.height)
      continue;
    q.score *= liveliness(s, inner);
    if (q.score < kMinQuadScore) continue;  // agreement does not raise it
    kept.push_back(box);
    const int64_t reach = s.factor * 3 / 2 + 1;
    const Fitted l = fit(pixels, true, c[0].y * k, c[0].x * k, c[3].y * k, c[3].x * k, reach);
    const Fitted r = fit(pixels, true, c[1].y * k, c[1].x * k, c[2].y * k, c[2].x * k, reach);
    const Fitted t = fit(pixels, false, c[0].x * k, c[0].y * k, c[1].x * k, c[1].y * k, reach);
    const Fitted u = fit(pixels, false, c[3].x * k, c[3].y * k, c[2].x * k, c[2].y * k, reach);
    const double agreement[4] = {l.agreement, r.agreement, t.agreement, u.agreement};
    if (*std::min_element(agreement, agreement + 4) < 0.3) continue;
    const Point p[4] = {crossing(l, t), crossing(r, t), crossing(r, u), crossing(l, u)};
    const double lean = std::max({std::abs(p[0].x - p[3].x), std::abs(p[1].x - p[2].x),
                                  std::abs(p[0].y - p[1].y), std::abs(p[3].y - p[2].y)});
    if (lean < 2) continue;
    Inset inset{
        {}, {}, q.score * (l.agreement + r.agreement + t.agreement + u.agreement) / 4, false};
    for (int n = 0; n < 4; ++n) {
      inset.x[n] = std::clamp(p[n].x, 0.0, double(pixels.width));
      inset.y[n] = std::clamp(p[n].y, 0.0, double(pixels.height));
    }
    if (inset.score >= kMinQuadScore) out.push_back(inset);
  }
}

}  // namespace

std::vector<Inset> find_insets(const Pixels& pixels, int64_t limit, int64_t min_side) {
  std::vector<Inset> insets;
  if (limit <= 0 || std::min(pixels.width, pixels.height) < std::max<int64_t>(min_side, 32))
    return insets;
  const Small s = shrink_grey(pixels);
  if (std::min(s.width, s.height) < 2 * kMinCells) return insets;
  const int64_t least = std::max(kMinCells, (min_side * 19 / 20 + s.factor / 2) / s.factor);
  Lines vertical(s, true, least * 6 / 10), horizontal(s, false, least * 6 / 10);
  std::vector<Box> boxes = assemble(s, vertical.lines, horizontal.lines, least);
  if (int64_t(boxes.size()) > kMaxBoxes) {
    std::nth_element(boxes.begin(), boxes.begin() + kMaxBoxes, boxes.end(), likelier);
    boxes.resize(kMaxBoxes);
  }
  for (Box& b : boxes)
    if (is_parted(b, vertical.lines, horizontal.lines)) b.score *= 0.4;
  std::sort(boxes.begin(), boxes.end(), likelier);
  std::vector<Box> kept;
  for (Box& b : boxes) {
    if (b.score <= kMinBoxScore || int64_t(kept.size()) == 3 * limit) break;
    if (std::any_of(kept.begin(), kept.end(), [&](const Box& o) { return overlap(b, o) > 0.9; }))
      continue;
    b.score *= liveliness(s, b);
    if (b.score > kMinBoxScore) kept.push_back(b);
  }
  const int64_t k = s.factor;
  for (const Box& b : kept) {
    const int64_t left = b.left * k, top = b.top * k;
    const int64_t right = std::min(pixels.width, b.right * k),
                  bottom = std::min(pixels.height, b.bottom * k);
    const Side l =
        b.left == 0 ? Side{0, 0.3} : sharpest(pixels, true, true, b.left, k, top, bottom);
    const Side r = b.right == s.width ? Side{pixels.width, 0.3}
                                      : sharpest(pixels, true, false, b.right, k, top, bottom);
    const Side t = b.top == 0 ? Side{0, 0.3} : sharpest(pixels, false, true, b.top, k, left, right);
    const Side u = b.bottom == s.height ? Side{pixels.height, 0.3}
                                        : sharpest(pixels, false, false, b.bottom, k, left, right);
    if (std::min(r.at - l.at, u.at - t.at) < min_side) continue;
    const double score = (l.sharpness + r.sharpness + t.sharpness + u.sharpness) * b.score / 4;
    if (score < kMinScore) continue;
    insets.push_back({{double(l.at), double(r.at), double(r.at), double(l.at)},
                      {double(t.at), double(t.at), double(u.at), double(u.at)},
                      score,
                      true});
  }
  find_quads(pixels, s, min_side, insets, kMaxQuads);
  std::sort(insets.begin(), insets.end(),
            [](const Inset& a, const Inset& b) { return a.score > b.score; });
  if (int64_t(insets.size()) > limit) insets.resize(limit);
  return insets;
}

}  // namespace screener
