// How a radius is dealt to the tables of an index.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "index/ring.h"

namespace screener {

constexpr int kMostFlips = 4;  // the widest threshold that tables are searched with

// For each table the most bits in which a bucket's key may differ; -1 leaves the table out.
struct Thresholds {
  std::array<int, kMostChunks> of{};
  std::array<int, 2 * kMostChunks + 1> sums{};  // of `of` + 1, along the ring twice round
  int widest = -1;

  // The bound on the distance of `length` chunks from `start`.
  int bound(std::size_t start, std::size_t length) const {
    return sums[start + length] - sums[start] - 1;
  }
};

// Thresholds from values whose sum, each with one added, is the radius and one.
Thresholds make_thresholds(std::span<const int> values);

// As even as can be, the larger ones spread round the ring.
Thresholds spread_radius(std::size_t tables, std::uint32_t radius);

// The buckets that a search visits, in terms of the chunks of a query that it will meet.
struct Probes {
  std::vector<std::uint16_t> masks;   // what to change in the chunk to have the key, by table
  std::vector<std::uint32_t> limits;  // the test of each bucket, all but its sketch
  std::array<std::uint32_t, kMostChunks + 1> starts{};  // where those of each table start
};

Probes make_probes(const Thresholds& thresholds, std::size_t tables);

// The 16-bit masks with exactly `flips` bits set, 0 to kMostFlips.
std::span<const std::uint16_t> masks_of(int flips);

// The thresholds that are cheapest for one query, by the buckets that it would really visit.
Thresholds fit_thresholds(const Ring& ring, const std::uint16_t* chunks, std::uint32_t radius);

}  // namespace screener
