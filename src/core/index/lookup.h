// Searches tables for a few queries at a time: one list of cache lines, then one pass over it.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "index/follow_links.h"
#include "index/planner.h"

namespace screener {

constexpr std::size_t kGroup = 8;  // queries whose lines make one list: a picture's orientations

// Keeps its memory from one search to the next; one for each thread.
class Lookup {
 public:
  Lookup();

  // What the queries that follow are looked up in, and within which radius.
  void begin(const Ring& ring, const RingKernel& kernel, const RadiusPlan& plan);

  // Looks up the queries with these numbers, ascending and at most kGroup. Appends to `found` what
  // lies within the radius, in order and each once; to `left` the queries for which comparing with
  // all codes is cheaper, of which it finds nothing.
  void run(const std::uint8_t* queries, std::span<const std::uint32_t> numbers,
           std::vector<Found>& found, std::vector<std::uint32_t>& left);

  // The lines of sketches that `run` would read; none where it would leave the query alone.
  std::vector<std::uint32_t> lines(const std::uint8_t* query);

 private:
  bool run_together();
  const Thresholds* list_alone(std::size_t query);
  bool list_lines(std::size_t query, const Probes& probes, std::size_t most);
  void find_buckets(std::size_t query, const Probes& probes);
  template <std::uint32_t kWritten, bool kLarge>
  bool list_table(std::size_t table, std::size_t first, std::size_t end, std::size_t most);
  bool sieve(std::size_t first, const Thresholds& thresholds);
  void follow(const Thresholds& thresholds);
  void give(std::span<const std::uint32_t> numbers, std::vector<Found>& found);

  const std::uint16_t* chunks(std::size_t query) const {
    return chunks_.data() + query * ring_->tables;
  }
  const Ring* ring_ = nullptr;
  const RingKernel* kernel_ = nullptr;
  const RadiusPlan* plan_ = nullptr;
  Thresholds fitted_;
  LinkFollower<BitDistance> links_;
  std::size_t size_ = 0;  // queries of the group, which are numbered from 0 here
  std::array<std::uint8_t, kGroup * 2 * kMostChunks> codes_;
  std::array<std::uint16_t, kGroup * kMostChunks> chunks_;
  std::vector<std::uint32_t> keys_;  // of each probe, counted through all tables
  std::vector<std::uint32_t> bucket_tests_;
  std::size_t listed_ = 0;
  std::array<std::size_t, kGroup * kMostChunks> ends_;  // of what each query and table listed
  std::vector<std::uint32_t> lines_;
  std::vector<std::uint32_t> tests_;
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
  struct Candidates {
    std::uint32_t line;  // of the list
    std::uint32_t mask;
  };
  std::vector<Candidates> candidates_;
  std::size_t followed_ = 0;  // of them
  std::size_t at_ = 0;        // the query and table of the next to follow
  std::vector<Found> found_;
};

}  // namespace screener
