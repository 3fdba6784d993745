#include <algorithm>
#include <cmath>
#include <numeric>

#include "image/inset_parts.h"

namespace screener::insets {
namespace {

constexpr size_t kMaxSeeds = 64;         // parts among which grids are looked for
constexpr size_t kMinCellsFound = 3;     // of a grid
constexpr double kMinShareFound = 0.15;  // of a grid's cells
constexpr double kMaxPitch = 1.3;        // against the side of a cell

// By how many pixels the cells of a grid may differ.
double slack(double side) { return std::max(2.0, side / 80); }

double left(const Inset& part) { return part.x[0]; }
double top(const Inset& part) { return part.y[0]; }
double width(const Inset& part) { return part.x[1] - part.x[0]; }
double height(const Inset& part) { return part.y[2] - part.y[0]; }

using Parts = std::vector<const Inset*>;
using Measure = double (*)(const Inset&);

double mean(const Parts& parts, Measure measure) {
  const auto add = [&](double sum, const Inset* part) { return sum + measure(*part); };
  return std::accumulate(parts.begin(), parts.end(), 0.0, add) / static_cast<double>(parts.size());
}

// The columns, or rows, of a grid: cells of a side begin at first + n * pitch. A pitch of 0 is that
// of a single one.
class Axis {
 public:
  // The pitch that most parts agree with, seen from one of them.
  Axis(const Inset& seed, const Parts& parts, Measure begin, Measure side)
      : begin_(begin), first_(begin(seed)), side_(side(seed)), slack_(slack(side_)) {
    size_t most = count(parts);
    for (const Inset* part : parts) {
      const double apart = std::abs(begin(*part) - first_);
      const double least = std::max(1.0, std::ceil(apart / (kMaxPitch * side_)));
      for (double steps = least; apart >= steps * (side_ - slack_); ++steps) {
        Axis other = *this;
        other.pitch_ = apart / steps;
        const size_t agreeing = other.count(parts);
        if (agreeing > most) most = agreeing, pitch_ = other.pitch_;
      }
    }
  }
  bool has(const Inset& part) const {
    return std::abs(begin_(part) - first_ - number(part) * pitch_) <= slack_;
  }
  // Fits the axis to its parts.
  void fit(const Parts& parts, Measure side) {
    const auto before = [&](const Inset* a, const Inset* b) { return number(*a) < number(*b); };
    const auto [one, other] = std::minmax_element(parts.begin(), parts.end(), before);
    const double steps = number(**other) - number(**one);
    double sum = 0, numbers = 0;
    for (const Inset* part : parts) sum += begin_(*part), numbers += number(*part);
    if (steps > 0) pitch_ = (begin_(**other) - begin_(**one)) / steps;
    first_ = (sum - numbers * pitch_) / static_cast<double>(parts.size());
    side_ = mean(parts, side);
  }
  // Where the cells within a length begin.
  std::vector<double> places(double length) const {
    const auto inside = [&](double at) {
      return std::clamp(std::round(at), 0.0, length - std::round(side_));
    };
    if (pitch_ == 0) return {inside(first_)};
    std::vector<double> found;
    for (double at = first_ - std::floor((first_ + slack_) / pitch_) * pitch_;
         at + side_ <= length + slack_; at += pitch_)
      found.push_back(inside(at));
    return found;
  }
  double side() const { return std::round(side_); }

 private:
  double number(const Inset& part) const {
    return pitch_ == 0 ? 0 : std::round((begin_(part) - first_) / pitch_);
  }
  size_t count(const Parts& parts) const {
    const auto is_on = [this](const Inset* part) { return has(*part); };
    return static_cast<size_t>(std::count_if(parts.begin(), parts.end(), is_on));
  }

  Measure begin_;
  double first_, side_, slack_, pitch_ = 0;
};

bool is_alike(const Inset& a, const Inset& b) {
  return std::abs(width(a) - width(b)) <= slack(width(b)) &&
         std::abs(height(a) - height(b)) <= slack(height(b));
}

bool is_near(const Inset& a, const Inset& b) {
  const double across = slack(width(a)), down = slack(height(a));
  return std::abs(a.x[0] - b.x[0]) <= across && std::abs(a.x[1] - b.x[1]) <= across &&
         std::abs(a.y[0] - b.y[0]) <= down && std::abs(a.y[2] - b.y[2]) <= down;
}

// The cells of a grid. The more of them were found before, the likelier are the others, also plain
// ones.
std::vector<Inset> cells_of(const Axis& across, const Axis& down, const Parts& found,
                            const Small& s, const Pixels& p) {
  const auto columns = across.places(static_cast<double>(p.width));
  const auto rows = down.places(static_cast<double>(p.height));
  const double share =
      static_cast<double>(found.size()) / static_cast<double>(columns.size() * rows.size());
  std::vector<Inset> cells;
  if (share < kMinShareFound) return cells;
  const double score = std::sqrt(share) * mean(found, [](const Inset& part) { return part.score; });
  for (const double y : rows)
    for (const double x : columns) {
      const double right = x + across.side(), bottom = y + down.side();
      const auto shrunk = [&](double at) { return static_cast<int64_t>(at) / s.factor; };
      const Box box{shrunk(x), shrunk(y), shrunk(right), shrunk(bottom), 0};
      cells.push_back({{x, right, right, x},
                       {y, y, bottom, bottom},
                       score * std::max(share, liveliness(s, box))});
    }
  return cells;
}

}  // namespace

void complete_grids(std::vector<Inset>& parts, const Small& s, const Pixels& p) {
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Inset& a, const Inset& b) { return a.score > b.score; });
  std::vector<bool> is_free(std::min(parts.size(), kMaxSeeds), true);
  std::vector<Inset> cells;
  for (size_t seed = 0; seed < is_free.size(); ++seed) {
    if (!is_free[seed]) continue;
    Parts alike;
    for (size_t n = 0; n < is_free.size(); ++n)
      if (is_free[n] && is_alike(parts[n], parts[seed])) alike.push_back(&parts[n]);
    Axis across(parts[seed], alike, left, width), down(parts[seed], alike, top, height);
    const auto is_off = [&](const Inset* part) { return !across.has(*part) || !down.has(*part); };
    alike.erase(std::remove_if(alike.begin(), alike.end(), is_off), alike.end());
    if (alike.size() < kMinCellsFound) continue;
    for (const Inset* part : alike) is_free[part - parts.data()] = false;
    across.fit(alike, width), down.fit(alike, height);
    const std::vector<Inset> grid = cells_of(across, down, alike, s, p);
    cells.insert(cells.end(), grid.begin(), grid.end());
  }
  for (const Inset& cell : cells) {
    const auto known = std::find_if(parts.begin(), parts.end(),
                                    [&](const Inset& part) { return is_near(cell, part); });
    if (known != parts.end())
      known->score = std::max(known->score, cell.score);
    else
      parts.push_back(cell);
  }
}

}  // namespace screener::insets
