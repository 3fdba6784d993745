#include "index/weighted_join.h"

namespace screener {

void join_weighted(const Ring& ring, const WeighKernel& kernel, const WeightedBatch& batch,
                   const std::vector<std::uint32_t>& numbers, std::size_t threads,
                   std::vector<Found>& found, std::vector<std::uint32_t>& others) {
  (void)ring;
  (void)kernel;
  (void)batch;
  (void)threads;
  (void)found;
  others = numbers;
}

}  // namespace screener
