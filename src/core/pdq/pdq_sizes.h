// The sizes that all of PDQ is made in.
#pragma once
#include <cstdint>

#include "rounding.h"

namespace screener {

constexpr int kTile = 16;  // lines side by side, and steps at a time
constexpr int kGrid = 64;  // the filtered picture is 64×64
constexpr int kBand = 16;  // the DCT keeps 16×16 frequencies

// How many tiles so many lines or steps take.
constexpr int64_t tiles_for(int64_t count) { return (count + kTile - 1) / kTile; }

}  // namespace screener
