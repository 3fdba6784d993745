// What the search for parts with upright edges and that for parts with slanted ones share.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/insets.h"
#include "pixels.h"

namespace screener::insets {

// A step counts as far as it exceeds those beside it by so many levels, and only beyond a bias: so
// a run of values adds up to less than 0 if there is no edge.
inline constexpr int kClip = 24;
inline constexpr int kBias = 5;
inline constexpr int64_t kMinCells = 10;     // least side of a part in the shrunk picture
inline constexpr double kSameOverlap = 0.9;  // of two parts of which one is enough
inline constexpr int16_t kMaxSum = 30'000;   // at which sums of 16 bits stop

// The first `most` in this order, sorted.
template <class T, class Order>
void keep_first(std::vector<T>& values, size_t most, Order order) {
  if (values.size() > most) {
    std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(most), values.end(),
                     order);
    values.resize(most);
  }
  std::sort(values.begin(), values.end(), order);
}

// A picture shrunk by a whole factor, in grey.
struct Small {
  int64_t factor, width, height;
  std::vector<uint8_t> grey;
  const uint8_t* row(int64_t y) const { return grey.data() + y * width; }
  int64_t shorter() const { return std::min(width, height); }
};
Small shrink_grey(const Pixels& pixels);

inline uint8_t apart(uint8_t a, uint8_t b) {
  return static_cast<uint8_t>(std::max(a, b) - std::min(a, b));
}

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
                   int8_t* __restrict out);

// A box in the shrunk picture: the pixels through which its edges run.
struct Box {
  int64_t left, top, right, bottom;
  double score;
};
double overlap(const Box& a, const Box& b);

// How much a box looks like a photo, from 0 to 1: buttons are plain, texts mostly of one grey.
double liveliness(const Small& s, const Box& b);

// The grey at a place of a picture, or at the next one inside it.
inline uint8_t grey_near(const Pixels& p, int64_t y, int64_t x) {
  const uint8_t* q = p.data + std::clamp<int64_t>(y, 0, p.height - 1) * p.row_stride +
                     std::clamp<int64_t>(x, 0, p.width - 1) * p.column_stride;
  if (p.channels == 1) return *q;
  return static_cast<uint8_t>((q[0] + 2 * q[p.channel_stride] + q[2 * p.channel_stride]) >> 2);
}

// Adds the other cells of grids of which some are among upright parts: the edge of a cell is hidden
// where two photos have one colour.
void complete_grids(std::vector<Inset>& parts, const Small& s, const Pixels& p);

// Parts whose edges lean by at most 8 degrees; `s` is the shrunk picture.
std::vector<Inset> find_slanted_parts(const Pixels& pixels, const Small& s, int64_t min_side);

}  // namespace screener::insets
