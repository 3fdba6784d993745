// Searches an index for many queries at once, bucket by bucket: every posting is read once for
// all queries that need it.
#pragma once
#include <vector>

#include "index/follow_links.h"
#include "index/planner.h"

namespace screener {

// Appends what lies within the radius of the queries, in order and each pair once. `numbers` are
// the queries to search for, out of `count` in `block`; those that met too many candidates come
// back in `left`, with nothing found for them.
void join(const Ring& ring, const RingKernel& kernel, const QueryBlock& block, std::size_t count,
          const std::vector<std::uint32_t>& numbers, const RadiusPlan& plan, std::size_t threads,
          std::vector<Found>& found, std::vector<std::uint32_t>& left);

// For each query whether its buckets are so long that it is better searched on its own.
std::vector<bool> find_heavy(const Ring& ring, const std::uint16_t* chunks, std::size_t queries,
                             const RadiusPlan& plan, std::size_t threads);

}  // namespace screener
