// Searches an index for one query at a time: one list of cache lines, then one pass over it.
#pragma once
#include "planner.h"
#include "walk.h"

namespace screener {

// Keeps its memory from one search to the next; one for each thread.
class Lookup {
 public:
  Lookup();

  // What the queries that follow are looked up in, and within which radius.
  void begin(const Ring& ring, const RingKernel& kernel, const RadiusPlan& plan);

  // Appends what lies within the radius, rows ascending and each once; false, and nothing
  // appended, where comparing with all codes is cheaper.
  bool run(const std::uint8_t* query, std::uint32_t number, std::vector<Found>& found);

 private:
  bool list_lines(const Probes& probes, std::size_t most);
  void find_buckets(const Probes& probes);
  template <std::uint32_t kWritten>
  bool list_table(std::size_t first, std::size_t end, std::size_t most);
  bool sieve(const Thresholds& thresholds);

  const Ring* ring_ = nullptr;
  const RingKernel* kernel_ = nullptr;
  const RadiusPlan* plan_ = nullptr;
  Walk walk_;
  const std::uint8_t* query_ = nullptr;
  std::uint16_t chunks_[kMostChunks] = {};
  std::vector<std::uint32_t> keys_;  // of each probe, counted through all tables
  std::vector<std::uint32_t> bucket_tests_;
  std::size_t listed_ = 0;
  std::array<std::size_t, kMostChunks + 1> ends_{};  // of what each table listed
  std::vector<std::uint32_t> lines_;
  std::vector<std::uint32_t> tests_;
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
  std::vector<Found> found_;
};

}  // namespace screener
