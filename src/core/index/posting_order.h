// In what order the postings of a bucket stand.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "bits.h"
#include "index/ring.h"

namespace screener {

using Counts = std::vector<std::uint32_t>;

// Deals the places of a bucket to a table's postings, which ask in order of their rows: one after
// the other or, in large tables, those of each sketch's weight after those of smaller ones.
class PostingOrder {
 public:
  PostingOrder(bool large, const std::uint16_t* keys, const std::uint16_t* sketches,
               std::uint64_t count, const std::vector<bool>& left_out)
      : groups_(large ? kWeights + 1 : 1), next_(kBuckets * groups_, 0) {
    for (std::uint64_t row = 0; row < count; ++row)
      if (left_out.empty() || !left_out[row]) ++next_[group(keys[row], sketches[row])];
    for (std::size_t key = 0; key < kBuckets; ++key) {
      std::uint32_t before = 0;
      for (std::size_t k = key * groups_; k < (key + 1) * groups_; ++k)
        before += std::exchange(next_[k], before);
    }
  }

  std::uint32_t deal(std::uint32_t key, std::uint32_t sketch) {
    return next_[group(key, sketch)]++;
  }

  // In which line of its bucket each weight but 0 starts, before any place was dealt.
  void write_lines(std::uint8_t* lines) const {
    for (std::size_t key = 0; key < kBuckets; ++key)
      for (std::size_t weight = 1; weight <= kWeights; ++weight)
        *lines++ = static_cast<std::uint8_t>(
            std::min<std::size_t>(next_[key * groups_ + weight] / kLine, kManyLines));
  }

 private:
  std::size_t group(std::uint32_t key, std::uint32_t sketch) const {
    return groups_ == 1 ? key : key * groups_ + count_bits(sketch);
  }

  std::size_t groups_;  // of a bucket
  Counts next_;
};

}  // namespace screener
