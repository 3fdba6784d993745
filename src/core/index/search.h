// Exact search with an index, by whichever way is cheapest.
//
// How a query goes from Python to a kernel:
//   bindings/index.cpp   takes the arrays and lets go of the GIL
//   search.cpp           chooses the way for each Part of the Index (planner.cpp), and makes one
//                        answer of what the parts, the codes without tables and equal codes give
//   scan.cpp             Way::flat: all codes, tile by tile: ScanKernel::sieve_eight, then confirm
//   lookup.cpp           Way::lookup: few queries; lines of sketches: RingKernel::sieve_lines
//   join.cpp             Way::join: many queries, bucket by bucket (join_table.cpp):
//                        RingKernel::sieve_bucket, then sieve_waiting
//   follow_links.cpp             what passed, along the links to the codes: RingKernel::distances
// ring.h says why that is exact, thresholds.h which buckets it takes; each kernel is in a file of
// its own, as scan_avx2.cpp and ring_avx2.cpp.
#pragma once
#include "index/index.h"
#include "index/ring.h"
#include "index/scan.h"

namespace screener {

// All codes within the radius of each of `query_count` queries, rows ascending; the same result
// for any number of threads and each way. The cheapest way unless one is given. Throws
// std::domain_error where the index is damaged.
ScanResult search(const Index& index, std::uint32_t radius, std::optional<Way> way,
                  const ScanKernel& scan_kernel, const RingKernel& ring_kernel,
                  const std::uint8_t* queries, std::size_t query_count, std::size_t threads);

}  // namespace screener
