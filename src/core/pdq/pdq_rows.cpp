#include "pdq/pdq_rows.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace screener {

PdqRows::PdqRows(const Pixels& pixels, const PdqKernel& kernel)
    : kernel_(kernel), pixels_(pixels), dense_(pixels.dense()) {}

void PdqRows::start(int64_t first) {
  count_ = static_cast<int>(std::clamp<int64_t>(pixels_.height - first, 0, kTile));
  for (int i = 0; i < count_; ++i) rows_[i] = pixels_.data + (first + i) * pixels_.row_stride;
  in_place_ = dense_ && count_ == kTile;
  if (has_edges()) copy_edges();
}

int64_t PdqRows::point(int64_t step, int64_t tiles, PdqStrip& strip) {
  const bool inside = step >= kTile && step <= pixels_.width - kTile;
  if (inside && in_place_) {
    aim(strip, rows_[0], pixels_.row_stride, step);
    return std::min(tiles, (pixels_.width - step) / kTile);
  }
  if (!inside && has_edges()) {
    const int64_t first = step == 0 ? -kTile : pixels_.width - kEdge;
    aim(strip, edges_[step == 0 ? 0 : 1][0], sizeof edges_[0][0], step - first);
    return step == 0 ? std::min(tiles, kEdge / kTile) : tiles;
  }
  tiles = std::min(tiles, kCopied / kTile);
  copy(step - kTile, tiles * kTile + kTile);
  aim(strip, copied_[0], sizeof copied_[0], kTile);
  return tiles;
}

// Most pictures are copied in their first 32 columns and their last only, with zeros before them
// and behind, which stay.
bool PdqRows::has_edges() const { return dense_ && pixels_.width >= kEdge; }

void PdqRows::copy_edges() {
  const auto copy = [&](auto channels) {
    const int64_t last = (pixels_.width - kEdge) * static_cast<int64_t>(channels());
    for (int i = 0; i < count_; ++i) {
      std::memcpy(edges_[0][i] + kTile * channels(), rows_[i], kEdge * channels());
      std::memcpy(edges_[1][i], rows_[i] + last, kEdge * channels());
    }
  };
  // The compiler makes a few instructions of a copy whose size it knows.
  if (pixels_.channels == 1)
    copy(std::integral_constant<size_t, 1>());
  else
    copy(std::integral_constant<size_t, kMostChannels>());
}

// Lane n is row 15 − n, n columns after the last row's, at `column` of what is at `first`.
void PdqRows::aim(PdqStrip& strip, const uint8_t* first, int64_t row_stride, int64_t column) const {
  strip.pixels = first + kLastOfTile * row_stride + (column - kLastOfTile) * pixels_.channels;
  strip.apart = pixels_.channels - row_stride;
}

// Copies so many columns, of which those that are not in the picture are zeros. Rows below
// the picture hold anything.
void PdqRows::copy(int64_t first, int64_t columns) {
  const int64_t channels = pixels_.channels;
  const int64_t from = std::clamp<int64_t>(first, 0, pixels_.width);
  const int64_t count = std::clamp<int64_t>(first + columns, from, pixels_.width) - from;
  const int64_t before = (from - first) * channels, bytes = count * channels;
  if (count_ == 0) return;
  if (dense_) {
    for (int i = 0; i < count_; ++i)
      std::memcpy(copied_[i] + before, rows_[i] + from * channels, static_cast<size_t>(bytes));
  } else {
    PdqCopy all{{}, count_, pixels_.column_stride, count, pixels_.channels, pixels_.channel_stride};
    for (int i = 0; i < count_; ++i) all.from[i] = rows_[i] + from * pixels_.column_stride;
    kernel_.copy(all, copied_[0] + before, sizeof copied_[0]);
  }
  for (uint8_t (&row)[sizeof copied_[0]] : copied_) {
    std::fill(row, row + before, uint8_t{0});
    std::fill(row + before + bytes, row + columns * channels, uint8_t{0});
  }
}

}  // namespace screener
