#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <tuple>

#include "image/inset_parts.h"

namespace screener::insets {
namespace {

constexpr double kMaxSlope = 0.135;  // nearly 8 degrees
constexpr double kSlopeStep = 0.012;
constexpr double kMinStrength = 0.38;  // of a line; weaker ones run from one edge to another
constexpr int64_t kStrip = 4;          // rows that are added up first
constexpr size_t kMaxQuads = 6, kMaxLines = 24, kMaxRuns = 192;
constexpr int64_t kSlantedPixels = 120'000;  // more are halved
constexpr int64_t kMaxAspect = 6;            // of a picture in which slanted edges are looked for
constexpr double kMinQuadScore = 1.5;
constexpr size_t kMaxQuadsRanked = 200;  // quads that are looked at
constexpr double kMinShare = 0.65;       // of each side that its line runs along
constexpr double kMinAgreement = 0.3;    // share of samples at full size that lie on one line
constexpr double kMinLean = 2;           // pixels; less is as good as upright

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

// How far a line has moved at the middle of a strip, against the middle of the picture.
double slope_shift(double slope, int64_t strip, int64_t height) {
  return slope * (double(strip * kStrip) + kStrip / 2.0 - double(height) / 2);
}

// Finds the vertical edges that may lean. Values are added up strip by strip; then, slope by slope,
// the best run of strips along each line is found as in Kadane's algorithm.
class SlantedLines {
 public:
  SlantedLines(const Small& s, int64_t min_length)
      : height_(s.height),
        strips_(s.height / kStrip),
        pad_(static_cast<int64_t>(kMaxSlope * static_cast<double>(s.height)) + 2),
        count_(s.width + 2 * pad_),
        pitch_(count_ + 2 * pad_),
        min_length_(min_length),
        sums_(strips_ * pitch_, static_cast<int16_t>(-kBias * kStrip)) {
    fill(s);
    for (int n = -kSlopes; n <= kSlopes; ++n) find(n * kSlopeStep);
    select();
  }
  std::vector<Slanted> lines;

 private:
  static constexpr int kSlopes = static_cast<int>(kMaxSlope / kSlopeStep);

  // The sums of a strip, from the line on that is numbered 0. Lines are numbered by where they
  // cross the middle row.
  const int16_t* strip(int64_t n, double slope) const {
    return sums_.data() + n * pitch_ + pad_ + std::llround(slope_shift(slope, n, height_));
  }
  void fill(const Small& s) {
    std::vector<uint8_t> steps(s.width + 8);
    std::vector<int8_t> values(s.width);
    for (int64_t n = 0; n < strips_; ++n) {
      int16_t* out = sums_.data() + n * pitch_ + 2 * pad_;
      std::fill(out, out + s.width, int16_t{0});
      for (int64_t y = n * kStrip; y < (n + 1) * kStrip; ++y) {
        values_in_row(s.row(y), s.width, steps.data(), values.data());
        for (int64_t x = 0; x < s.width; ++x) out[x] = static_cast<int16_t>(out[x] + values[x]);
      }
    }
  }
  void find(double slope) {
    std::vector<int16_t> sum(count_), best(count_);
    for (int64_t n = 0; n < strips_; ++n) {
      const int16_t* values = strip(n, slope);
      for (int64_t x = 0; x < count_; ++x) {
        const auto next = std::max<int16_t>(0, static_cast<int16_t>(sum[x] + values[x]));
        sum[x] = std::min(next, kMaxSum);
        best[x] = std::max(best[x], sum[x]);
      }
    }
    const double least = static_cast<double>(min_length_) * kClip / 2;
    const double middle = static_cast<double>(height_) / 2;
    for (int64_t x = 1; x + 1 < count_; ++x)
      if (best[x] >= least && best[x] >= best[x - 1] && best[x] >= best[x + 1])
        raw_.push_back(
            {static_cast<double>(x - pad_) + 0.5 - slope * middle, slope, x, 0, best[x]});
  }
  // Where the best run along a line begins and ends; `from` is the line's number before.
  void measure(Slanted& line) const {
    const int64_t number = line.from;
    int sum = 0, best = 0;
    line.from = line.to = 0;
    for (int64_t n = 0, begin = 0; n < strips_; ++n) {
      sum += strip(n, line.slope)[number];
      if (sum <= 0) sum = 0, begin = n + 1;
      if (sum > best) best = sum, line.from = begin * kStrip, line.to = (n + 1) * kStrip;
    }
  }
  bool is_known(const Slanted& line) const {
    return std::any_of(lines.begin(), lines.end(), [&](const Slanted& other) {
      const int64_t common = std::min(line.to, other.to) - std::max(line.from, other.from);
      const double middle = static_cast<double>(line.from + line.to) / 2;
      return common * 2 > line.to - line.from && std::abs(other.x(middle) - line.x(middle)) < 2;
    });
  }
  void select() {
    const auto stronger = [](const Slanted& a, const Slanted& b) {
      return std::tie(b.score, a.at, a.slope) < std::tie(a.score, b.at, b.slope);
    };
    keep_first(raw_, kMaxRuns, stronger);
    for (Slanted& line : raw_) {
      if (lines.size() == kMaxLines) break;
      measure(line);
      if (line.to - line.from >= min_length_ && strength(line) >= kMinStrength && !is_known(line))
        lines.push_back(line);
    }
  }

  int64_t height_, strips_, pad_, count_, pitch_, min_length_;
  std::vector<int16_t> sums_;
  std::vector<Slanted> raw_;
};

struct Point {
  double x, y;
};

// Where x = v.at + v.slope * y, nearly vertical, meets y = h.at + h.slope * x, nearly horizontal.
template <class L>
Point crossing(const L& v, const L& h) {
  const double y = (h.at + h.slope * v.at) / (1 - h.slope * v.slope);
  return {v.at + v.slope * y, y};
}

double covered(const Slanted& line, double from, double to) {
  return (std::min<double>(line.to, to) - std::max<double>(line.from, from)) / (to - from);
}

// A side at full size: the coordinate across it is at + slope * the one along it. `agreement` is
// the share of samples that lie on it.
struct Side {
  double at, slope, agreement;
};

// Samples of a side: the sharpest step near the line across each of them.
class Samples {
 public:
  Samples(const Pixels& p, bool vertical, Point from, Point to, int64_t reach) {
    const auto [begin, at] = vertical ? Point{from.y, from.x} : from;
    const auto [end, at_end] = vertical ? Point{to.y, to.x} : to;
    coarse_.slope = (at_end - at) / (end - begin);
    coarse_.at = at - coarse_.slope * begin;
    tolerance_ = 2 * kSlopeStep + 4 * static_cast<double>(reach) / (end - begin);
    for (int n = 0; n < kCount; ++n) {
      const double along = begin + (end - begin) * (0.06 + 0.88 * (n + 0.5) / kCount);
      add(p, vertical, along, reach);
    }
  }
  // The line through two samples that most others agree with, and then the best through those.
  Side fit() const {
    Side best = coarse_;
    int most = 0;
    for (int i = 0; i < kCount / 2; ++i)
      for (int j = kCount / 2; j < kCount; j += 2) {
        if (!sharp_[i] || !sharp_[j]) continue;
        const double slope = (across_[j] - across_[i]) / (along_[j] - along_[i]);
        if (std::abs(slope - coarse_.slope) > tolerance_) continue;
        const Side side{across_[i] - slope * along_[i], slope, 0};
        int count = 0;
        for (int n = 0; n < kCount; ++n) count += agrees(side, n);
        if (count > most) most = count, best = side;
      }
    best.agreement = static_cast<double>(most) / kCount;
    return regress(best);
  }

 private:
  static constexpr int kCount = 40;
  static constexpr int kMinStep = 16;   // greys, of two pixels against two
  static constexpr double kNear = 1.5;  // pixels

  void add(const Pixels& p, bool vertical, double along, int64_t reach) {
    const int64_t place = std::llround(along),
                  centre = std::llround(coarse_.at + coarse_.slope * along);
    const auto grey = [&](int64_t at) {
      return static_cast<int>(vertical ? grey_near(p, place, at) : grey_near(p, at, place));
    };
    int best = 0;
    int64_t found = centre;
    for (int64_t c = centre - reach; c <= centre + reach; ++c) {
      const int step = std::abs(grey(c) + grey(c + 1) - grey(c - 1) - grey(c - 2));
      if (step > best) best = step, found = c;
    }
    along_[size_] = along, across_[size_] = static_cast<double>(found);
    sharp_[size_++] = best >= kMinStep;
  }
  bool agrees(const Side& side, int n) const {
    return sharp_[n] && std::abs(side.at + side.slope * along_[n] - across_[n]) <= kNear;
  }
  Side regress(const Side& side) const {
    double count = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (int n = 0; n < kCount; ++n) {
      if (!agrees(side, n)) continue;
      count += 1, x += along_[n], y += across_[n];
      xx += along_[n] * along_[n], xy += along_[n] * across_[n];
    }
    const double determinant = count * xx - x * x;
    if (count < 4 || determinant < 1e-6) return side;
    const double slope = (count * xy - x * y) / determinant;
    return {(y - slope * x) / count, slope, side.agreement};
  }

  Side coarse_{};
  double tolerance_ = 0;
  int size_ = 0;
  std::array<double, kCount> along_{}, across_{};
  std::array<bool, kCount> sharp_{};
};

// Two lines, the first of which is further left or up; `parted` if a third runs along one of them
// inside, as the edge of a photo does inside that of a screen.
struct Pair {
  const Slanted *first, *second;
  bool parted;
};

std::vector<Pair> pairs_of(const std::vector<Slanted>& lines, double least) {
  std::vector<Pair> pairs;
  for (const Slanted& a : lines)
    for (const Slanted& b : lines) {
      const auto from = static_cast<double>(std::max(a.from, b.from));
      const auto to = static_cast<double>(std::min(a.to, b.to));
      const double middle = (from + to) / 2;
      if (to - from < least / 2 || b.x(middle) - a.x(middle) < least ||
          std::abs(a.slope - b.slope) > kMaxSlope)
        continue;
      const bool parted = std::any_of(lines.begin(), lines.end(), [&](const Slanted& c) {
        const double left = c.x(middle) - a.x(middle), right = b.x(middle) - c.x(middle);
        return std::min(left, right) > 1 && std::min(left, right) * 4 < left + right &&
               std::abs(c.slope - (left < right ? a : b).slope) < 4.5 * kSlopeStep &&
               covered(c, from, to) >= 0.8;
      });
      pairs.push_back({&a, &b, parted});
    }
  return pairs;
}

// A part in the shrunk picture.
struct Quad {
  Point corner[4];  // from the upper left one clockwise
  double score;

  Box outer() const {
    return box(std::min(corner[0].x, corner[3].x), std::min(corner[0].y, corner[1].y),
               std::max(corner[1].x, corner[2].x), std::max(corner[2].y, corner[3].y));
  }
  Box inner() const {
    return box(std::max(corner[0].x, corner[3].x), std::max(corner[0].y, corner[1].y),
               std::min(corner[1].x, corner[2].x), std::min(corner[2].y, corner[3].y));
  }

 private:
  static Box box(double left, double top, double right, double bottom) {
    return {static_cast<int64_t>(left), static_cast<int64_t>(top), static_cast<int64_t>(right),
            static_cast<int64_t>(bottom), 0};
  }
};

// The quad between four lines, of a score of 0 if they do not meet.
Quad join(const Pair& across, const Pair& down) {
  const Slanted &l = *across.first, &r = *across.second, &t = *down.first, &b = *down.second;
  Quad quad{{crossing(l, t), crossing(r, t), crossing(r, b), crossing(l, b)}, 0};
  const double slopes[4] = {std::abs(l.slope), std::abs(r.slope), std::abs(t.slope),
                            std::abs(b.slope)};
  if (*std::max_element(slopes, slopes + 4) < kSlopeStep / 2) return quad;
  const Point* c = quad.corner;
  const double shares[4] = {covered(l, c[0].y, c[3].y), covered(r, c[1].y, c[2].y),
                            covered(t, c[0].x, c[1].x), covered(b, c[3].x, c[2].x)};
  if (!std::all_of(shares, shares + 4, [](double share) { return share >= kMinShare; }))
    return quad;
  quad.score = shares[0] * strength(l) + shares[1] * strength(r) + shares[2] * strength(t) +
               shares[3] * strength(b);
  if (quad.score < kMinQuadScore) quad.score = 0;
  for (const bool parted : {across.parted, down.parted})
    if (parted) quad.score *= 0.6;
  return quad;
}

std::vector<Quad> find_quads(const Small& s, int64_t min_side) {
  const int64_t least = std::max<int64_t>(kMinCells, min_side * 9 / 10 / s.factor);
  const std::vector<Slanted> vertical = SlantedLines(s, least * 6 / 10).lines;
  const std::vector<Pair> across = pairs_of(vertical, static_cast<double>(least));
  if (across.empty()) return {};  // as in most photos
  const std::vector<Slanted> horizontal = SlantedLines(transpose(s), least * 6 / 10).lines;
  const std::vector<Pair> down = pairs_of(horizontal, static_cast<double>(least));
  std::vector<Quad> quads;
  for (const Pair& a : across)
    for (const Pair& d : down) {
      const Quad quad = join(a, d);
      if (quad.score > 0) quads.push_back(quad);
    }
  keep_first(quads, kMaxQuadsRanked,
             [](const Quad& a, const Quad& b) { return a.score > b.score; });
  return quads;
}

// The part at full size, of a score of 0 if its edges are not straight there.
Inset refine(const Pixels& p, const Quad& quad, int64_t factor) {
  Point c[4];
  const auto k = static_cast<double>(factor);
  for (int n = 0; n < 4; ++n) c[n] = {quad.corner[n].x * k, quad.corner[n].y * k};
  const int64_t reach = factor * 3 / 2 + 1;
  const Side l = Samples(p, true, c[0], c[3], reach).fit(),
             r = Samples(p, true, c[1], c[2], reach).fit();
  const Side t = Samples(p, false, c[0], c[1], reach).fit(),
             b = Samples(p, false, c[3], c[2], reach).fit();
  const Point at[4] = {crossing(l, t), crossing(r, t), crossing(r, b), crossing(l, b)};
  Inset inset{};
  for (int n = 0; n < 4; ++n) {
    inset.x[n] = std::clamp(at[n].x, 0.0, static_cast<double>(p.width));
    inset.y[n] = std::clamp(at[n].y, 0.0, static_cast<double>(p.height));
  }
  const double lean[4] = {at[0].x - at[3].x, at[1].x - at[2].x, at[0].y - at[1].y,
                          at[3].y - at[2].y};
  const double agreement[4] = {l.agreement, r.agreement, t.agreement, b.agreement};
  if (std::any_of(lean, lean + 4, [](double shift) { return std::abs(shift) >= kMinLean; }) &&
      *std::min_element(agreement, agreement + 4) >= kMinAgreement)
    inset.score = quad.score * (l.agreement + r.agreement + t.agreement + b.agreement) / 4;
  return inset;
}

// The shorter side of a part, as the mean of the opposite ones.
double shorter_side(const Inset& inset) {
  double sides[4];
  for (int n = 0; n < 4; ++n)
    sides[n] = std::hypot(inset.x[(n + 1) % 4] - inset.x[n], inset.y[(n + 1) % 4] - inset.y[n]);
  return std::min(sides[0] + sides[2], sides[1] + sides[3]) / 2;
}

}  // namespace

std::vector<Inset> find_slanted_parts(const Pixels& pixels, const Small& whole, int64_t min_side) {
  const Small s = static_cast<int64_t>(whole.grey.size()) > kSlantedPixels ? halve(whole) : whole;
  std::vector<Inset> insets;
  if (s.shorter() < 2 * kMinCells || s.width > kMaxAspect * s.height ||
      s.height > kMaxAspect * s.width)
    return insets;
  std::vector<Box> seen;
  for (Quad& quad : find_quads(s, min_side)) {
    if (seen.size() == kMaxQuads) break;
    const Box outer = quad.outer(), inner = quad.inner();
    if (inner.left < 1 || inner.top < 1 || inner.right >= s.width || inner.bottom >= s.height ||
        std::any_of(
            seen.begin(), seen.end(),
            [&](const Box& other) { return overlap(outer, other) > kSameOverlap; }))
      continue;
    quad.score *= liveliness(s, inner);
    if (quad.score < kMinQuadScore) continue;
    seen.push_back(outer);
    const Inset inset = refine(pixels, quad, s.factor);
    if (inset.score >= kMinQuadScore && shorter_side(inset) >= static_cast<double>(min_side))
      insets.push_back(inset);
  }
  return insets;
}

}  // namespace screener::insets
