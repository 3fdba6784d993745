// What a search costs, and so which way it goes.
#pragma once
#include <mutex>
#include <vector>

#include "index/thresholds.h"

namespace screener {

// What a search through the tables takes for one query if codes and query are random.
struct Cost {
  double nanoseconds;
  double lines;
  double candidates;
};

// What all searches within one radius share.
struct RadiusPlan {
  std::uint32_t radius;
  Thresholds thresholds;
  Probes probes;
  bool usable;  // whether tables are any good at this radius
  Cost cost;
  std::size_t usual_lines;       // more than these: look for other thresholds
  std::size_t most_lines;        // more than these: compare with all codes
  std::size_t usual_candidates;  // as many as these are followed while others are looked for
  std::size_t most_candidates;   // so many cost as much as comparing with all codes
};

enum class Way { flat, lookup, join };  // all codes; query by query; bucket by bucket

struct Plan {
  Way way;
  double flat;          // nanoseconds expected for each query if all codes are compared
  double tables;        // the same with tables, infinite where they are no good
  bool splits = false;  // whether weighted queries that cost less so share a flat scan
};

// What comparing with `count` codes takes for each query of a batch, in nanoseconds.
double flat_cost(std::uint64_t count, std::size_t bytes, std::uint64_t queries);

// What weighted queries cost that search the tables of an index one by one. Nanoseconds.
struct WeightedCosts {
  explicit WeightedCosts(const Ring& ring);

  double of(double buckets) const { return query + buckets * (bucket + buckets * passed); }
  double query;
  double bucket;  // finding one and reading it
  double passed;  // following what passes of one: the more the wider the thresholds are
  double lines;   // of a bucket
  double flat;    // comparing with all codes, alone
  double group;   // the same for a group that shares a scan with others
  // More lines or candidates than these: compare with all codes.
  std::size_t most_lines;
  std::size_t most_candidates;
};

// The same for each query of a batch that is joined with the tables.
double weighted_join_cost(const Ring& ring, double buckets, std::uint64_t queries);

// What comparing with `count` codes by weight takes for each query of a batch, in nanoseconds, if
// there are so many groups for each query (weighted_groups.h).
double weighted_flat_cost(std::uint64_t count, std::size_t bytes, std::uint64_t queries,
                          double groups = 1);

// What one more group takes of a flat scan that there is anyway.
double weighted_group_cost(std::uint64_t count, std::size_t bytes);

// Makes the plans of the tables of an index, each when it is first asked for. Threads may share it.
class Planner {
 public:
  explicit Planner(const Ring& ring) : ring_(ring), slots_(8 * ring.bytes + 1) {}

  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  const RadiusPlan& at(std::uint32_t radius) const;

  // What is cheapest for a batch, as far as it can be told without seeing it.
  Plan choose(std::uint64_t queries, std::uint32_t radius) const;

 private:
  struct Slot {
    std::once_flag once;
    RadiusPlan plan;
  };
  RadiusPlan make(std::uint32_t radius) const;

  const Ring& ring_;
  mutable std::vector<Slot> slots_;
};

}  // namespace screener
