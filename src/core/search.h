// Exact search with an index, by whichever way is cheapest.
#pragma once
#include "index.h"
#include "kernels.h"

namespace screener {

// All codes within the radius of each of `query_count` queries, rows ascending; the same result
// for any number of threads and each way. The cheapest way unless one is given. Throws
// std::domain_error where the index is damaged.
ScanResult search(const Index& index, std::uint32_t radius, std::optional<Way> way,
                  const Kernels& kernels, const std::uint8_t* queries, std::size_t query_count,
                  std::size_t threads);

}  // namespace screener
