#include "index/index.h"

#include <algorithm>
#include <limits>

namespace screener {

std::optional<std::uint32_t> Part::radius_of(std::uint32_t weight, std::uint32_t radius) const {
  if (!balanced) return radius;
  const std::uint32_t half = 4 * ring.bytes;
  const std::uint32_t apart = weight > half ? weight - half : half - weight;
  if (apart > radius) return std::nullopt;
  return radius - (radius - apart) % 2;
}

void add_repeats(const Holding& holding, std::vector<Found>& found) {
  if (holding.head_count == 0) return;
  const std::size_t before = found.size();
  for (std::size_t i = 0; i < before; ++i) {
    const Found one = found[i];
    const std::uint32_t* end = holding.heads + holding.head_count;
    const std::uint32_t* head = std::lower_bound(holding.heads, end, one.row);
    if (head == end || *head != one.row) continue;
    const auto at = head - holding.heads;
    const std::uint64_t last = holding.repeat_starts[at + 1];
    if (last > holding.repeat_count || holding.repeat_starts[at] > last) refuse_damaged();
    for (std::uint64_t k = holding.repeat_starts[at]; k < last; ++k) {
      if (holding.repeats[k] >= holding.count) refuse_damaged();
      found.push_back({one.query, holding.repeats[k], one.distance});
    }
  }
}

Plan Index::choose(std::uint64_t queries, std::uint32_t radius) const {
  Plan plan{Way::flat, flat_cost(holding_.count, holding_.bytes, queries), 0};
  Way way = Way::lookup;
  for (const Part& part : parts_) {
    const Plan one = part.planner.choose(queries, radius);
    plan.tables += one.tables;
    if (one.way == Way::join) way = Way::join;
  }
  plan.tables += flat_cost(holding_.few.count, holding_.bytes, queries);
  if (parts_.empty()) plan.tables = std::numeric_limits<double>::infinity();
  if (plan.tables < plan.flat) plan.way = way;
  return plan;
}

}  // namespace screener
