// The queries of a flat weighted scan, those together that the same sums are for.
//
// The hashes of a picture and of the same one mirrored differ, in whole half bytes (see weigh.h),
// in all bits or in none, and their weights are nearly the same. So with the least of their
// weights, four queries have a bound on their distances from four sums, and two from two.
// In tables they share nothing: the buckets near a chunk and near its opposite are others.
#pragma once
#include <array>
#include <vector>

#include "index/pages.h"
#include "index/planner.h"
#include "index/weighted_queries.h"

namespace screener {

struct QueryGroup {
  WeighedGroup weighed;
  std::array<std::uint32_t, kGrouped> queries;  // numbers among the prepared
  // The least weight of each bit, 0 where a query differs otherwise than in the class of its half.
  std::array<std::uint8_t, 4 * kMostHalves> weights;
  std::array<std::uint8_t, kMostHalves> classes;
};

// Keeps its memory from one block of queries to the next.
class QueryGroups {
 public:
  // Prepares the queries of a batch with these numbers, and groups those that have a budget.
  void begin(const WeightedBatch& batch, const std::uint32_t* numbers, std::size_t some,
             std::size_t bytes);
  // Sums up the weights of `size` bytes of the codes from byte `first` on. Groups whose bound would
  // be too weak are dissolved.
  void sum_up(std::size_t first, std::size_t size);
  // Searches the queries of a group one by one from now on.
  void dissolve(std::size_t group);

  const std::vector<WeighedQuery>& queries() const { return queries_; }
  const std::vector<QueryGroup>& groups() const { return groups_; }
  std::size_t active() const { return active_; }  // queries with a budget

 private:
  QueryGroup lone(std::uint32_t query) const;
  QueryGroup group_from(const std::vector<std::uint32_t>& waiting, std::size_t at,
                        std::vector<bool>& taken) const;
  bool sum_up(QueryGroup& group);

  std::size_t bytes_ = 0;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t active_ = 0;
  std::vector<WeighedQuery> queries_;
  std::vector<std::uint8_t> weights_;
  std::vector<QueryGroup> groups_;
  Pages sums_;
};

// Which of some prepared queries, those of a batch with these numbers, are better compared with all
// codes: those of groups whose tables cost more than `most`, all of a group together.
std::vector<bool> find_dear(const WeightedQueries& queries, const WeightedBatch& batch,
                            const std::uint32_t* numbers, const WeightedCosts& costs, double most);

}  // namespace screener
