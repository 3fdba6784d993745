// Weighted distances along the links of an index.
#pragma once
#include "index/follow_links.h"
#include "index/weighted_queries.h"

namespace screener {

// As BitDistance, from queries that each have weights and a budget of their own.
class WeightedDistance {
 public:
  WeightedDistance() = default;
  WeightedDistance(const Ring& ring, const WeighKernel& kernel, const WeightedQueries& queries)
      : ring_(&ring), kernel_(&kernel), queries_(&queries) {}

  std::uint32_t of_chunk(std::uint32_t query, std::size_t chunk, std::uint32_t sketch) const {
    return queries_->weight(query, chunk, sketch);
  }
  int bound(std::uint32_t query, std::size_t start, std::size_t length) const {
    return queries_->bound(query, start, length);
  }
  void prefetch_chunk(std::uint32_t query, std::size_t chunk) const {
    prefetch_line(queries_->sums() + queries_->sums_at(query, chunk) * kSums);
  }
  void prefetch_code(std::uint32_t query) const {
    prefetch_line(queries_->queries()[query].code);
    prefetch_line(queries_->queries()[query].weights);
  }
  using Value = std::uint32_t;
  void compare(const std::vector<Pair>& pairs, std::vector<Value>& distances,
               std::vector<Found>& found) const;

 private:
  const Ring* ring_ = nullptr;
  const WeighKernel* kernel_ = nullptr;
  const WeightedQueries* queries_ = nullptr;
};

}  // namespace screener
