#include "index/weighted_search.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "index/weighted_groups.h"
#include "index/weighted_join.h"
#include "index/weighted_lookup.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kTaskQueries = 32;  // looked up by one thread at a time
constexpr std::size_t kSample = 32;       // queries at least that tell what a batch costs
constexpr std::size_t kSampled = 32;      // one pair in so many queries does

using Numbers = std::vector<std::uint32_t>;  // of queries, ascending

// What the budgets of a few of these queries are spread over, each with the next, as mirror images
// stand side by side.
std::vector<std::array<double, 2>> sample_buckets(const WeightedBatch& batch,
                                                  const Numbers& numbers, std::size_t bytes) {
  WeightedQueries queries;
  queries.begin(1, bytes);
  std::vector<std::array<double, 2>> buckets(
      std::min(std::max(kSample / 2, numbers.size() / kSampled), numbers.size()));
  for (std::size_t i = 0; i < buckets.size(); ++i)
    for (std::size_t k = 0; k < 2; ++k) {
      const std::size_t at = i * numbers.size() / buckets.size() + k;
      queries.set(0, batch, numbers[std::min(at, numbers.size() - 1)]);
      buckets[i][k] = queries.spread(0).buckets;
    }
  return buckets;
}

// How many groups a flat scan makes of the first queries, for each of them.
double groups_of(const WeightedBatch& batch, const Numbers& numbers, std::size_t bytes) {
  QueryGroups groups;
  const std::size_t some = std::min(kSample, numbers.size());
  if (some < 2) return 1;
  groups.begin(batch, numbers.data(), some, bytes);
  return static_cast<double>(groups.groups().size()) / static_cast<double>(some);
}

// The queries that can find anything.
Numbers with_budget(const WeightedBatch& batch) {
  Numbers numbers;
  for (std::uint32_t i = 0; i < batch.count; ++i)
    if (batch.budgets[i] >= 0) numbers.push_back(i);
  return numbers;
}

// One search and what it found so far.
class WeightedSearch {
 public:
  WeightedSearch(const Index& index, const WeightedBatch& batch, const WeighKernel& kernel,
                 bool splits, std::size_t threads)
      : holding_(index.holding()),
        batch_(batch),
        kernel_(kernel),
        splits_(splits),
        threads_(std::max<std::size_t>(threads, 1)) {}

  void search_part(const Part& part, const Numbers& numbers, Way way) {
    if (part.ring.slots == 0) return;
    if (way == Way::join)
      join_all(part.ring, numbers);
    else
      look_up(part.ring, numbers);
  }

  // The codes without tables.
  void search_few(const Numbers& numbers) {
    const Few& few = holding_.few;
    if (few.count == 0) return;
    scan_some(few.codes, few.count, numbers, [&](std::uint64_t place) {
      const std::uint32_t row = few.rows[place];
      if (row >= holding_.count) refuse_damaged();
      return row;
    });
  }

  // Queries that the tables are no good for share one scan, which finds all of theirs.
  void search_left() {
    if (left_.empty()) return;
    std::sort(left_.begin(), left_.end());
    left_.erase(std::unique(left_.begin(), left_.end()), left_.end());
    std::erase_if(found_, [this](const Found& one) {
      return std::binary_search(left_.begin(), left_.end(), one.query);
    });
    search_flat(left_);
  }

  void search_flat(const Numbers& numbers) {
    scan_some(holding_.codes, holding_.count, numbers,
              [](std::uint64_t row) { return static_cast<std::uint32_t>(row); });
  }

  void repeat() { add_repeats(holding_, found_); }

  // Rows ascending for each query, each once.
  WeightedResult result() {
    if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
    WeightedResult result;
    result.offsets.assign(batch_.count + 1, 0);
    for (const Found& one : found_) ++result.offsets[one.query + 1];
    for (std::size_t i = 0; i < batch_.count; ++i) result.offsets[i + 1] += result.offsets[i];
    result.rows.reserve(found_.size());
    result.distances.reserve(found_.size());
    for (const Found& one : found_) {
      result.rows.push_back(one.row);
      result.distances.push_back(one.distance);
    }
    return result;
  }

 private:
  struct Share {
    std::vector<Found> found;
    Numbers left;
  };

  // What a group of queries may cost in tables.
  double most(const Ring& ring) const {
    const WeightedCosts costs(ring);
    return splits_ ? costs.group : costs.flat;
  }

  void look_up(const Ring& ring, const Numbers& numbers) {
    const std::size_t tasks = (numbers.size() + kTaskQueries - 1) / kTaskQueries;
    std::vector<Share> shares(std::max<std::size_t>(1, std::min(threads_, tasks)));
    share_out(tasks, shares.size(), [&](std::size_t task, std::size_t thread) {
      thread_local WeightedLookup lookup;
      thread_local WeightedQueries queries;
      Share& share = shares[thread];
      lookup.begin(ring, kernel_);
      const std::uint32_t* own = numbers.data() + task * kTaskQueries;
      queries.begin(std::min(kTaskQueries, numbers.size() - task * kTaskQueries), ring.bytes);
      for (std::size_t at = 0; at < queries.count(); ++at) queries.set(at, batch_, own[at]);
      const std::vector<bool> dear =
          find_dear(queries, batch_, own, WeightedCosts(ring), most(ring));
      for (std::size_t at = 0; at < queries.count(); ++at) {
        const std::size_t before = share.found.size();
        if (dear[at] || !lookup.run(queries, at, share.found)) share.left.push_back(own[at]);
        for (std::size_t k = before; k < share.found.size(); ++k) share.found[k].query = own[at];
      }
    });
    for (const Share& share : shares) {
      found_.insert(found_.end(), share.found.begin(), share.found.end());
      left_.insert(left_.end(), share.left.begin(), share.left.end());
    }
  }

  void join_all(const Ring& ring, const Numbers& numbers) {
    Numbers others;
    join_weighted(ring, kernel_, batch_, numbers, most(ring), threads_, found_, others);
    look_up(ring, others);
  }

  // Adds what queries find in some codes, whose rows `row_of` tells. A thread is worth starting for
  // a tenth of a millisecond.
  template <class RowOf>
  void scan_some(const std::uint8_t* codes, std::uint64_t count, const Numbers& numbers,
                 RowOf row_of) {
    const std::size_t size = numbers.size();
    const double work = weighted_flat_cost(count, holding_.bytes, size) * static_cast<double>(size);
    const auto worth = static_cast<std::size_t>(std::clamp(work / 1e5, 1.0, 1e6));
    const std::size_t tiles = (count + kWeighedRows - 1) / kWeighedRows;
    const std::size_t threads = std::min({threads_, std::max<std::size_t>(1, tiles / 8), worth});
    // Each takes a part of the codes for all queries, so that no code is laid out twice.
    const auto first_of = [&](std::size_t task) {
      return std::min<std::size_t>(count, tiles * task / threads * kWeighedRows);
    };
    std::vector<WeightedResult> parts(threads);
    share_out(threads, threads, [&](std::size_t task, std::size_t) {
      const std::size_t first = first_of(task);
      parts[task] =
          weighted_scan(kernel_, codes + first * holding_.bytes, first_of(task + 1) - first,
                        holding_.bytes, batch_, numbers.data(), size);
    });
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t task = 0; task < threads; ++task) {
        const WeightedResult& part = parts[task];
        for (auto k = static_cast<std::size_t>(part.offsets[i]);
             k < static_cast<std::size_t>(part.offsets[i + 1]); ++k)
          found_.push_back({numbers[i],
                            row_of(first_of(task) + static_cast<std::uint64_t>(part.rows[k])),
                            part.distances[k]});
      }
  }

  const Holding& holding_;
  const WeightedBatch& batch_;
  const WeighKernel& kernel_;
  const bool splits_;
  std::size_t threads_;
  std::vector<Found> found_;
  Numbers left_;  // queries still to be compared with all codes
};

// A pair that costs more in tables than flat, alone or with others, is counted as if it were
// searched so.
Plan plan_numbers(const Index& index, const WeightedBatch& batch, const Numbers& numbers) {
  const Holding& holding = index.holding();
  const std::size_t size = numbers.size();
  const double groups = groups_of(batch, numbers, holding.bytes);
  Plan plan{Way::flat, weighted_flat_cost(holding.count, holding.bytes, size, groups),
            std::numeric_limits<double>::infinity()};
  if (index.parts().empty() || plan.flat < WeightedCosts(index.parts()[0].ring).query) return plan;
  const double lone = weighted_flat_cost(holding.count, holding.bytes, 1);
  const double shared = weighted_flat_cost(holding.count, holding.bytes, UINT64_MAX, groups);
  const double few = weighted_flat_cost(holding.few.count, holding.bytes, size, groups);
  const auto sample = sample_buckets(batch, numbers, holding.bytes);
  Way tables = Way::lookup;
  for (const Way way : {Way::lookup, Way::join})
    for (const bool splits : {false, true}) {
      double cost = splits ? weighted_flat_cost(holding.count, holding.bytes, size, 0) : 0;
      for (const std::array<double, 2>& pair : sample) {
        double own = few;
        for (const double buckets : pair)
          for (const Part& part : index.parts()) {
            if (part.ring.slots == 0) continue;
            own += (way == Way::join ? weighted_join_cost(part.ring, buckets, size)
                                     : WeightedCosts(part.ring).of(buckets)) /
                   2;
          }
        cost += std::min(own, splits ? shared : lone) / static_cast<double>(sample.size());
      }
      if (cost >= plan.tables) continue;
      plan.tables = cost;
      plan.splits = splits;
      tables = way;
    }
  if (plan.tables < plan.flat) plan.way = tables;
  return plan;
}

}  // namespace

WeightedResult search_weighted(const Index& index, const WeightedBatch& batch,
                               std::optional<Way> way, const WeighKernel& kernel,
                               std::size_t threads) {
  if (batch.count > UINT32_MAX) throw std::length_error("too many queries in one batch");
  const Numbers numbers = with_budget(batch);
  bool splits = false;
  if (index.parts().empty()) way = Way::flat;
  // A lone query finds out itself whether tables are any good.
  if (!way && batch.count == 1) way = Way::lookup;
  if (!way) {
    const Plan plan = plan_numbers(index, batch, numbers);
    way = plan.way;
    splits = plan.splits;
  }
  WeightedSearch state(index, batch, kernel, splits, threads);
  if (numbers.empty()) return state.result();
  if (way == Way::flat) {
    state.search_flat(numbers);
    return state.result();
  }
  for (const Part& part : index.parts()) state.search_part(part, numbers, *way);
  state.search_few(numbers);
  state.repeat();
  state.search_left();
  return state.result();
}

Plan plan_weighted(const Index& index, const WeightedBatch& batch) {
  return plan_numbers(index, batch, with_budget(batch));
}

}  // namespace screener
