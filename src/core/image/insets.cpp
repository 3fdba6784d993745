#include "image/insets.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "image/inset_lines.h"
#include "image/inset_parts.h"

namespace screener {
namespace insets {
namespace {

constexpr int64_t kMaxPairs = 120'000;  // of lines that are compared
constexpr double kMinStrength = 0.1;    // of each side
constexpr size_t kMaxParts = 8;         // boxes that begin at one line
constexpr size_t kMaxBoxes = 2048;      // that are compared with one another
constexpr double kBorderStrength = 0.5, kBorderSharpness = 0.3;  // of the picture's own border
constexpr double kMaxArea = 2.5;  // of all parts together, against the picture's
constexpr double kParted = 0.4;   // by which what a line parts counts less
constexpr double kMinBoxScore = 1.0, kMinScore = 0.6;  // before and after it is measured

// Whether a line runs along so many tenths of the way between two places.
bool covers(const Line& line, int64_t from, int64_t to, int64_t tenths) {
  return 10 * (std::min(line.to, to) - std::max(line.from, from)) >= tenths * (to - from);
}

// How strong a line is between two places, up to 1.
double strength(const Line& line, int64_t from, int64_t to) {
  if (line.border) return kBorderStrength;
  const auto last = static_cast<int64_t>(line.sums.size()) - 1;
  const int64_t first = std::clamp<int64_t>((from + kBlock / 2) / kBlock, 0, last - 1);
  const int64_t end = std::clamp<int64_t>((to + kBlock / 2) / kBlock, first + 1, last);
  return static_cast<double>(line.sums[end] - line.sums[first]) /
         static_cast<double>((end - first) * kBlock * (kClip - kBias));
}

// Whether one of the lines runs through a box, all along it, between two places.
bool is_parted(const std::vector<Line>& lines, int64_t first, int64_t second, int64_t from,
               int64_t to) {
  return std::any_of(lines.begin(), lines.end(), [&](const Line& line) {
    return line.at > first + 1 && line.at < second - 1 && covers(line, from, to, 9) &&
           strength(line, from, to) >= 0.5;
  });
}

// The boxes between two vertical and two horizontal lines, or the picture's border.
class Boxes {
 public:
  Boxes(const Small& s, int64_t min_side)
      : least_(min_side),
        vertical_(find_lines(s, true, min_side * 6 / 10)),
        horizontal_(find_lines(s, false, min_side * 6 / 10)) {
    add_border(vertical_, s.width, s.height);
    add_border(horizontal_, s.height, s.width);
    for (const size_t n : strongest_first())
      for (size_t other = n + 1, tried = 0; other < vertical_.size() && tried < kMaxParts;
           ++other) {
        if (pairs_ > kMaxPairs) break;
        tried += join(vertical_[n], vertical_[other]);
      }
    rank();
  }
  std::vector<Box> boxes;  // the likeliest first

 private:
  static void add_border(std::vector<Line>& lines, int64_t at, int64_t to) {
    lines.push_back({0, 0, to, 0, true});
    lines.push_back({at, 0, to, 0, true});
    std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.at < b.at; });
  }
  // The vertical lines in the order in which boxes begin at them: if there are too many pairs, weak
  // lines are left out, wherever they are.
  std::vector<size_t> strongest_first() const {
    std::vector<size_t> order(vertical_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return std::tie(vertical_[b].border, vertical_[b].score) <
             std::tie(vertical_[a].border, vertical_[a].score);
    });
    return order;
  }
  // Adds the boxes between two vertical lines; returns whether the second runs along the first.
  bool join(const Line& left, const Line& right) {
    const int64_t from = std::max(left.from, right.from), to = std::min(left.to, right.to);
    if (right.at - left.at < least_ || to - from < least_ * 6 / 10) return false;
    const int64_t slack = std::max<int64_t>(3, (to - from) / 4);
    between_.clear();
    for (const Line& line : horizontal_)
      if (line.at >= from - slack && line.at <= to + slack && covers(line, left.at, right.at, 7))
        between_.push_back(&line);
    pairs_ += static_cast<int64_t>(horizontal_.size());
    for (size_t n = 0; n < between_.size(); ++n)
      for (size_t other = n + 1, tried = 0; other < between_.size() && tried < kMaxParts; ++other) {
        const Line &top = *between_[n], &bottom = *between_[other];
        ++pairs_;
        if (bottom.at - top.at < least_) continue;
        ++tried;
        add(left, top, right, bottom);
      }
    return covers(right, left.from, left.to, 8);
  }
  void add(const Line& left, const Line& top, const Line& right, const Line& bottom) {
    if (left.border && top.border && right.border && bottom.border) return;
    if (!covers(left, top.at, bottom.at, 7) || !covers(right, top.at, bottom.at, 7)) return;
    double score = 0;
    for (const auto& [line, from, to] :
         {std::tuple{&left, top.at, bottom.at}, std::tuple{&right, top.at, bottom.at},
          std::tuple{&top, left.at, right.at}, std::tuple{&bottom, left.at, right.at}}) {
      const double own = strength(*line, from, to);
      if (own < kMinStrength) return;
      score += own;
    }
    if (score <= kMinBoxScore || score < least_score_) return;
    boxes.push_back({left.at, top.at, right.at, bottom.at, score});
    if (boxes.size() == 4 * kMaxBoxes) {
      keep_first(boxes, kMaxBoxes, likelier);
      least_score_ = boxes.back().score;
    }
  }
  static bool likelier(const Box& a, const Box& b) {
    return std::tie(b.score, a.left, a.top, a.right, a.bottom) <
           std::tie(a.score, b.left, b.top, b.right, b.bottom);
  }
  // What a line parts is rather two pictures than one.
  void rank() {
    keep_first(boxes, kMaxBoxes, likelier);
    for (Box& b : boxes)
      if (is_parted(vertical_, b.left, b.right, b.top, b.bottom) ||
          is_parted(horizontal_, b.top, b.bottom, b.left, b.right))
        b.score *= kParted;
    std::sort(boxes.begin(), boxes.end(), likelier);
  }

  int64_t least_, pairs_ = 0;
  double least_score_ = 0;  // of boxes that may be among the first
  std::vector<Line> vertical_, horizontal_;
  std::vector<const Line*> between_;
};

// A side of a part at full size: where its step is, and how sharp it is, from -1 to 1.
struct Side {
  int64_t at;
  double sharpness;
};

// The sides of a picture, or of its transpose, at full size.
class Sides {
 public:
  Sides(const Pixels& p, bool vertical, int64_t factor)
      : p_(p), vertical_(vertical), factor_(factor), length_(vertical ? p.width : p.height) {}

  // The sharpest step near a side; `inwards` is 1 if it is a left or upper one, otherwise -1.
  Side find(int64_t coarse, int64_t inwards, int64_t from, int64_t to) {
    const int64_t outermost = inwards > 0 ? 0 : length_ / factor_;
    if (coarse == outermost) return {inwards > 0 ? 0 : length_, kBorderSharpness};
    const int64_t begin = (coarse - 1) * factor_ - (inwards < 0 ? kGap : 0);
    const int64_t end = (coarse + 2) * factor_ + (inwards > 0 ? kGap : 0);
    first_ = std::max<int64_t>(1, begin);
    const int64_t count = std::min(length_ - 1, end) - first_ + 1;
    if (count <= 0) return {coarse * factor_, 0};
    const int64_t rows = measure(count, from, to);
    const int64_t best = find_innermost(inwards, rows);
    return {first_ + best, static_cast<double>(sharp_[best]) / static_cast<double>(rows * kClip)};
  }

 private:
  static constexpr int64_t kGap = 4;       // pixels of a thin gutter, or a hairline
  static constexpr int64_t kSamples = 32;  // of a side, in its middle three quarters

  // Adds up the steps before each of `count` places, and how far they exceed those beside them.
  int64_t measure(int64_t count, int64_t from, int64_t to) {
    const int64_t margin = (to - from) / 8;
    const int64_t every = std::max<int64_t>(1, (to - from - 2 * margin) / kSamples);
    steps_.assign(count, 0), sharp_.assign(count, 0), line_.resize(count + 8);
    int64_t rows = 0;
    for (int64_t m = from + margin; m < to - margin; m += every, ++rows) {
      for (int64_t n = 0; n < count + 8; ++n)
        line_[n] = vertical_ ? grey_near(p_, m, first_ - 4 + n) : grey_near(p_, first_ - 4 + n, m);
      for (int64_t n = 0; n < count; ++n) {
        const auto step = [&](int64_t d) { return apart(line_[n + 4 + d], line_[n + 3 + d]); };
        steps_[n] += std::min<int>(step(0), 2 * kClip);
        sharp_[n] += excess(step(0), step(-2), step(-3), step(2), step(3)) + kBias;
      }
    }
    return std::max<int64_t>(rows, 1);
  }
  // Of the two edges of a thin gutter the inner one: nothing but gutter lies between them.
  int64_t find_innermost(int64_t inwards, int64_t rows) const {
    const auto count = static_cast<int64_t>(sharp_.size());
    const auto weight = [&](int64_t n) { return 2 * sharp_[n] + steps_[n]; };
    int64_t outer = 0;
    for (int64_t n = 0; n < count; ++n)
      if (weight(n) > weight(outer)) outer = n;
    int64_t best = outer, n = outer + inwards;
    for (int64_t gap = 0; gap < kGap + 2 && n >= 0 && n < count; ++gap, n += inwards) {
      if (sharp_[n] > 0 && 10 * weight(n) >= 6 * weight(outer)) best = n;
      if (steps_[n] > 3 * rows && (best == outer || n != best)) break;
    }
    return best;
  }

  const Pixels& p_;
  bool vertical_;
  int64_t factor_, length_, first_ = 0;
  std::vector<uint8_t> line_;
  std::vector<int64_t> steps_, sharp_;
};

// The likeliest boxes at full size.
std::vector<Inset> find_upright_parts(const Pixels& p, const Small& s, int64_t limit,
                                      int64_t min_side) {
  const int64_t k = s.factor;
  std::vector<Box> kept;
  for (Box& b : Boxes(s, std::max(kMinCells, (min_side * 19 / 20 + k / 2) / k)).boxes) {
    if (b.score <= kMinBoxScore || static_cast<int64_t>(kept.size()) == 3 * limit) break;
    if (std::any_of(kept.begin(), kept.end(),
                    [&](const Box& other) { return overlap(b, other) > kSameOverlap; }))
      continue;
    b.score *= liveliness(s, b);
    if (b.score > kMinBoxScore) kept.push_back(b);
  }
  Sides columns(p, true, k), rows(p, false, k);
  std::vector<Inset> insets;
  for (const Box& b : kept) {
    const int64_t left = b.left * k, right = std::min(p.width, b.right * k);
    const int64_t top = b.top * k, bottom = std::min(p.height, b.bottom * k);
    const Side l = columns.find(b.left, 1, top, bottom), r = columns.find(b.right, -1, top, bottom);
    const Side t = rows.find(b.top, 1, left, right), u = rows.find(b.bottom, -1, left, right);
    const double score = (l.sharpness + r.sharpness + t.sharpness + u.sharpness) * b.score / 4;
    if (score < kMinScore || std::min(r.at - l.at, u.at - t.at) < min_side) continue;
    const auto x0 = static_cast<double>(l.at), x1 = static_cast<double>(r.at);
    const auto y0 = static_cast<double>(t.at), y1 = static_cast<double>(u.at);
    const Inset inset{{x0, x1, x1, x0}, {y0, y0, y1, y1}, score};
    if (std::none_of(insets.begin(), insets.end(), [&](const Inset& other) {
          return std::equal(inset.x, inset.x + 4, other.x) &&
                 std::equal(inset.y, inset.y + 4, other.y);
        }))
      insets.push_back(inset);
  }
  complete_grids(insets, s, p);
  return insets;
}

}  // namespace
}  // namespace insets

std::vector<Inset> find_insets(const Pixels& pixels, int64_t limit, int64_t min_side) {
  min_side = std::max(min_side, kMinInsetSide);
  if (limit <= 0 || std::min(pixels.width, pixels.height) < min_side) return {};
  const insets::Small s = insets::shrink_grey(pixels);
  if (s.shorter() < 2 * insets::kMinCells) return {};
  std::vector<Inset> found = insets::find_upright_parts(pixels, s, limit, min_side);
  for (const Inset& inset : insets::find_slanted_parts(pixels, s, min_side)) found.push_back(inset);
  std::stable_sort(found.begin(), found.end(),
                   [](const Inset& a, const Inset& b) { return a.score > b.score; });
  std::vector<Inset> likeliest;
  double room = insets::kMaxArea * static_cast<double>(pixels.width * pixels.height);
  for (const Inset& inset : found) {
    if (static_cast<int64_t>(likeliest.size()) == limit) break;
    const double area = (inset.x[1] - inset.x[0]) * (inset.y[2] - inset.y[0]);
    if (area > room) continue;
    room -= area;
    likeliest.push_back(inset);
  }
  return likeliest;
}

}  // namespace screener
