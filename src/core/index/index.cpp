#include "index/index.h"

#include <limits>

namespace screener {

std::optional<std::uint32_t> Part::radius_of(std::uint32_t weight, std::uint32_t radius) const {
  if (!balanced) return radius;
  const std::uint32_t half = 4 * ring.bytes;
  const std::uint32_t apart = weight > half ? weight - half : half - weight;
  if (apart > radius) return std::nullopt;
  return radius - (radius - apart) % 2;
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
