// Exact search by weighted distance: as search.h, with the kernels of weigh.h.
//
//   weighted_queries.cpp  deals each budget to the chunks, and sums up the weights for the tests
//   weighted_groups.cpp   finds queries that can share a flat scan, and those that should
//   weighted_scan.cpp     Way::flat
//   weighted_lookup.cpp   Way::lookup: one query at a time
//   weighted_join.cpp     Way::join: many queries, part of a table by part
//
// Why that is exact: ring.h uses of distances only that they add up over the chunks and are not
// negative, which weighted ones are too. A budget is dealt as a radius is, in weight; a chunk is
// within its threshold where the weights of the bits in which it differs add up to no more.
#pragma once
#include <optional>

#include "index/index.h"
#include "index/weighted_scan.h"

namespace screener {

// All codes within its budget of each query of a batch, rows ascending; the same result for any
// number of threads and each way. The cheapest way unless one is given. Throws std::domain_error
// where the index is damaged.
WeightedResult search_weighted(const Index& index, const WeightedBatch& batch,
                               std::optional<Way> way, const WeighKernel& kernel,
                               std::size_t threads);

// How a batch is searched, from the buckets that its queries visit.
Plan plan_weighted(const Index& index, const WeightedBatch& batch);

}  // namespace screener
