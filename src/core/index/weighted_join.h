// Searches tables for many weighted queries at once, part of a table by part, so that what a query
// reads is in the caches for the others.
#pragma once
#include <vector>

#include "index/planner.h"
#include "index/weighted_distance.h"

namespace screener {

// Appends what lies within their budgets of the queries of a batch with these numbers, in order and
// each pair once. Those that are better searched otherwise, as find_dear tells with `most` or as
// they meet too much, come back in `others`, with nothing found for them.
void join_weighted(const Ring& ring, const WeighKernel& kernel, const WeightedBatch& batch,
                   const std::vector<std::uint32_t>& numbers, double most, std::size_t threads,
                   std::vector<Found>& found, std::vector<std::uint32_t>& others);

}  // namespace screener
