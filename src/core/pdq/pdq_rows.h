// The pixels of sixteen rows at a time as the boxes take them: each a column behind the row above
// it.
#pragma once
#include "pdq/pdq_kernel.h"
#include "pixels.h"

namespace screener {

class PdqRows {
 public:
  // The pixels must stay in place.
  PdqRows(const Pixels& pixels, const PdqKernel& kernel);

  // Goes to the rows from that one on. Below the picture they are anything; what comes of those is
  // not used.
  void start(int64_t first);

  // Points the lanes at their pixels from `step` on, for so many tiles as it returns: in place
  // where they lie without gaps, else copied, with zeros beside the picture.
  int64_t point(int64_t step, int64_t tiles, PdqStrip& strip);

 private:
  static constexpr int64_t kCopied = 16 * kTile;  // steps
  static constexpr int64_t kEdge = 2 * kTile;     // columns
  static constexpr int kMostChannels = 3;
  static constexpr int kOverwritten = 4;  // bytes that a kernel may write behind a row

  bool has_edges() const;
  void copy_edges();
  void aim(PdqStrip& strip, const uint8_t* first, int64_t row_stride, int64_t column) const;
  void copy(int64_t first, int64_t columns);

  const PdqKernel& kernel_;
  const Pixels pixels_;
  const bool dense_;
  bool in_place_ = false;
  int count_ = 0;  // of the rows that are in the picture
  const uint8_t* rows_[kTile];
  uint8_t copied_[kTile][(kTile + kCopied) * kMostChannels + kOverwritten] = {};
  // The last step is less than 32 beyond the picture.
  uint8_t edges_[2][kTile][2 * kEdge * kMostChannels] = {};
};

}  // namespace screener
