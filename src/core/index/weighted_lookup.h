// Searches tables for one weighted query at a time: as Lookup, with buckets and tests by weight.
#pragma once
#include <array>
#include <vector>

#include "index/planner.h"
#include "index/weighted_distance.h"

namespace screener {

// Keeps its memory from one search to the next; one for each thread.
class WeightedLookup {
 public:
  WeightedLookup();

  // What the queries that follow are looked up in.
  void begin(const Ring& ring, const WeighKernel& kernel);

  // Appends the codes within the budget of query `at`, in order and each once, by the number of the
  // query among `queries`. False if comparing with all codes is cheaper: then nothing is appended.
  bool run(WeightedQueries& queries, std::size_t at, std::vector<Found>& found);

 private:
  bool list_lines(const WeightedQueries& queries, std::size_t at, std::size_t most);
  void find_buckets(const WeightedQueries& queries, std::size_t at);
  template <std::uint32_t kWritten>
  bool list_table(std::size_t first, std::size_t end, std::size_t most);
  bool spread_again(WeightedQueries& queries, std::size_t at);
  bool sieve(const WeightedQueries& queries, std::size_t at);
  void follow(const WeightedQueries& queries, std::size_t at);

  const Ring* ring_ = nullptr;
  const WeighKernel* kernel_ = nullptr;
  LinkFollower<WeightedDistance> links_;
  std::vector<std::uint32_t> changes_;
  std::vector<std::uint32_t> keys_;  // of each bucket to visit, counted through all tables
  std::vector<std::uint32_t> bucket_tests_;
  std::array<std::size_t, kMostChunks + 1> starts_;  // of the buckets of each table
  std::size_t listed_ = 0;
  std::array<std::size_t, kMostChunks> ends_;  // of what each table listed
  std::vector<LineTest> lines_;
  std::vector<std::uint32_t> places_;  // of the bucket in each line, where it shares that
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
  struct Candidates {
    std::uint32_t line;  // of the list
    std::uint32_t mask;
  };
  std::vector<Candidates> candidates_;
  std::size_t followed_ = 0;  // of them
  std::size_t table_ = 0;     // of the next to follow
  std::vector<Found> found_;
};

}  // namespace screener
