#include "index/planner.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace screener {
namespace {

// Nanoseconds, timed on a machine of 2022; only their proportions matter.
constexpr double kKeyCost = 1.5;       // finding a bucket
constexpr double kLineCost = 6;        // a cache line of sketches
constexpr double kCandidateCost = 14;  // following a posting to the code or to its rejection
constexpr double kQueryCost = 150;

// The share of a flat scan that may go into long buckets of which too much may pass all the same.
constexpr double kWaste = 0.08;

// What a candidate costs where they are many: most are followed far, to a code that lies within
// the radius or just beyond.
constexpr double kManyCost = 150;

constexpr double kFlatCost = 0.035;    // a byte of codes that streams from memory
constexpr double kFlatShared = 0.003;  // the same for a query that shares the stream
constexpr double kStreamCost = 0.018;  // the stream itself, once for a block of queries
constexpr double kJoinBucket = 10;     // visiting a bucket in a join, whatever the queries
constexpr double kJoinNear = 2.05;     // looking for queries at each key within its flips
constexpr double kJoinSlot = 0.65;     // and each slot in it
// Each bucket of each query in a join, times one and the square root of what a bucket holds, which
// fits what was timed from one to a hundred and fifty codes a bucket.
constexpr double kJoinPair = 0.6;

// The same of weighted searches.
constexpr double kWeightedQuery = 5000;
constexpr double kWeightedKey = 3;
constexpr double kWeightedLine = 12;
constexpr double kWeightedPassed = 1.6e-4;  // following it, for each posting and bucket
constexpr double kWeightedLayOut = 0.033;   // a byte of codes, once for a batch
constexpr double kWeightedShared = 0.010;   // for each group of queries that it is laid out for
constexpr double kWeightedJoinLine = 4;     // and a query that visits it
constexpr double kWeightedJoinKey = 30;
constexpr double kWeightedJoinSlot = 0.2;  // of all tables, once a block

// The share of a large bucket whose sketches weigh about as much as the query's.
constexpr double kNearWeights = 0.62;

double choose_bits(int n, int k) {
  double value = 1;
  for (int i = 0; i < k; ++i) value = value * (n - i) / (i + 1);
  return value;
}

// How many 16-bit values lie within `flips` bits of one.
double ball(int flips) {
  double size = 0;
  for (int k = 0; k <= std::min(flips, 16); ++k) size += choose_bits(16, k);
  return size;
}

double slots_in_bucket(const Ring& ring) {
  return static_cast<double>(ring.slots) / ring.tables / kBuckets;
}

// About how many lines a bucket has.
double lines_in_bucket(double slots) { return std::max(std::min(1.0, slots), slots / kLine); }

Cost expected_cost(const Ring& ring, const Thresholds& thresholds) {
  const double in_bucket = slots_in_bucket(ring);
  const double all_lines = lines_in_bucket(in_bucket);
  const double lines_each =
      ring.weights == nullptr ? all_lines : std::min(all_lines, 1 + kNearWeights * all_lines);
  const double tested = std::max(in_bucket, kLine * lines_each);
  Cost cost{kQueryCost, 0, 0};
  for (std::size_t i = 0; i < ring.tables; ++i) {
    const int next = thresholds.of[(i + 1) % ring.tables];
    for (int flips = 0; flips <= thresholds.of[i]; ++flips) {
      const double keys = choose_bits(16, flips);
      cost.nanoseconds += kKeyCost * keys;
      cost.lines += keys * lines_each;
      cost.candidates +=
          keys * tested * ball(thresholds.of[i] + next + 1 - flips) / static_cast<double>(kBuckets);
    }
  }
  cost.nanoseconds += kLineCost * cost.lines + kCandidateCost * cost.candidates;
  return cost;
}

// For each query of a batch. The buckets are visited once for all of them, with as many keys round
// each as the thresholds allow flips: wide radii make a join dear for all but large batches.
double join_cost(const Ring& ring, const Thresholds& thresholds, std::uint64_t queries) {
  const double slots = static_cast<double>(ring.slots);
  double keys = 0;
  for (std::size_t i = 0; i < ring.tables; ++i) keys += ball(thresholds.of[i]);
  const double visits = kBuckets * (kJoinBucket * ring.tables + kJoinNear * keys);
  const double each = kJoinPair * keys * (1 + std::sqrt(slots / ring.tables / kBuckets));
  return each +
         (visits + kJoinSlot * slots) / static_cast<double>(std::max<std::uint64_t>(queries, 1));
}

}  // namespace

double flat_cost(std::uint64_t count, std::size_t bytes, std::uint64_t queries) {
  const double all = static_cast<double>(count) * static_cast<double>(bytes);
  if (count == 0) return 0;
  if (queries < 8) return all * kFlatCost + 100;
  return all *
         (kFlatShared + kStreamCost / static_cast<double>(std::min<std::uint64_t>(queries, 4096)));
}

WeightedCosts::WeightedCosts(const Ring& ring) {
  const double slots = slots_in_bucket(ring);
  // Whole lines, as a bucket of few slots has one, and begins in one if it has more.
  lines = slots <= kLine ? lines_in_bucket(slots) : slots / kLine + 0.5;
  query = kWeightedQuery;
  bucket = kWeightedKey + lines * kWeightedLine;
  passed = slots * kWeightedPassed;
  flat = weighted_flat_cost(ring.count, ring.bytes, 1);
  group = weighted_group_cost(ring.count, ring.bytes);
  most_lines = static_cast<std::size_t>(flat / kWeightedLine) + 1024;
  most_candidates = static_cast<std::size_t>(flat / kManyCost) + 1024;
}

double weighted_join_cost(const Ring& ring, double buckets, std::uint64_t queries) {
  const WeightedCosts costs(ring);
  const double each = kWeightedJoinKey + costs.lines * kWeightedJoinLine + buckets * costs.passed;
  return kWeightedQuery + buckets * each +
         kWeightedJoinSlot * static_cast<double>(ring.slots) /
             static_cast<double>(std::max<std::uint64_t>(queries, 1));
}

double weighted_flat_cost(std::uint64_t count, std::size_t bytes, std::uint64_t queries,
                          double groups) {
  const double all = static_cast<double>(count) * static_cast<double>(bytes);
  return groups * weighted_group_cost(count, bytes) +
         all * kWeightedLayOut / static_cast<double>(std::max<std::uint64_t>(queries, 1)) +
         kWeightedQuery / 2;
}

double weighted_group_cost(std::uint64_t count, std::size_t bytes) {
  return static_cast<double>(count) * static_cast<double>(bytes) * kWeightedShared;
}

RadiusPlan Planner::make(std::uint32_t radius) const {
  RadiusPlan plan{radius, spread_radius(ring_.tables, radius), {}, false, {}, 0, 0, 0, 0};
  plan.usable = ring_.slots != 0 && plan.thresholds.widest <= kMostFlips;
  if (!plan.usable) return plan;
  plan.probes = make_probes(plan.thresholds, ring_.tables);
  plan.cost = expected_cost(ring_, plan.thresholds);
  const double flat = flat_cost(ring_.count, ring_.bytes, 1);
  plan.usual_lines = static_cast<std::size_t>(3 * plan.cost.lines) + 1024;
  plan.most_lines = std::max(static_cast<std::size_t>(kWaste * flat / kLineCost), plan.usual_lines);
  plan.usual_candidates = static_cast<std::size_t>(3 * plan.cost.candidates) + 64;
  plan.most_candidates =
      std::max(static_cast<std::size_t>(flat / kManyCost) + 64, plan.usual_candidates);
  return plan;
}

const RadiusPlan& Planner::at(std::uint32_t radius) const {
  Slot& slot = slots_[std::min<std::size_t>(radius, slots_.size() - 1)];
  std::call_once(slot.once, [&] { slot.plan = make(radius); });
  return slot.plan;
}

Plan Planner::choose(std::uint64_t queries, std::uint32_t radius) const {
  Plan plan{Way::flat, flat_cost(ring_.count, ring_.bytes, queries),
            std::numeric_limits<double>::infinity()};
  const RadiusPlan& tables = at(radius);
  if (!tables.usable) return plan;
  const double lookup = tables.cost.nanoseconds;
  const double joined = join_cost(ring_, tables.thresholds, queries);
  plan.tables = std::min(lookup, joined);
  if (plan.tables < plan.flat) plan.way = joined < lookup ? Way::join : Way::lookup;
  return plan;
}

}  // namespace screener
