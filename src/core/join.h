// Searches an index for many queries at once, bucket by bucket: every posting is read once for
// all queries that need it.
#pragma once
#include "planner.h"
#include "walk.h"

namespace screener {

// Appends what lies within the radius of the queries in no order, the same pair perhaps several
// times. `numbers` are the queries to search for, out of those in `block`.
void join(const Ring& ring, const RingKernel& kernel, const QueryBlock& block,
          const std::vector<std::uint32_t>& numbers, const RadiusPlan& plan, std::size_t threads,
          std::vector<Found>& found);

// For each query whether its buckets are so long that it is better searched on its own.
std::vector<bool> find_heavy(const Ring& ring, const std::uint16_t* chunks, std::size_t queries,
                             const RadiusPlan& plan, std::size_t threads);

}  // namespace screener
