// Parts of a picture that may be pictures of their own: the photo in a chat, a post, a collage, on
// a print (media/image/insets.py; docs/internals/insets.md states the rules).
#pragma once
#include <cstdint>
#include <vector>

#include "pixels.h"

namespace screener {

inline constexpr int64_t kMinInsetSide = 32;

// A part with straight edges. The corners, in pixels, run from the upper left one clockwise; those
// of an upright part are whole.
struct Inset {
  double x[4], y[4];
  double score;
};

// At most `limit` parts whose shorter side has at least `min_side` pixels, and kMinInsetSide, the
// likeliest first. The
// time is bounded by the pixels, whatever they show.
std::vector<Inset> find_insets(const Pixels& pixels, int64_t limit, int64_t min_side);

}  // namespace screener
