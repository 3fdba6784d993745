// Exact search with an index, by whichever way is cheapest.
#pragma once
#include "planner.h"
#include "scan.h"

namespace screener {

struct Kernels {
  const ScanKernel& scan;
  const RingKernel& ring;
};

// All codes within the radius of each of `query_count` queries, rows ascending; the same result
// for any number of threads and each way that the radius allows. Throws std::domain_error where the
// index is damaged.
ScanResult search(const Ring& ring, const RadiusPlan& plan, Way way, const Kernels& kernels,
                  const std::uint8_t* queries, std::size_t query_count, std::size_t threads);

}  // namespace screener
