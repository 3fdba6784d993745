#include "index/weighted_search.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "index/weighted_groups.h"
#include "index/weighted_join.h"
#include "index/weighted_lookup.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kTaskQueries = 32;  // looked up by one thread at a time
constexpr std::size_t kSample = 32;       // queries that tell what a batch costs

using Numbers = std::vector<std::uint32_t>;  // of queries, ascending

// The average of what the budgets of a few of these queries are spread over.
double buckets_of(const WeightedBatch& batch, const Numbers& numbers, std::size_t bytes) {
  WeightedQueries queries;
  queries.begin(1, bytes);
  const std::size_t some = std::min(kSample, numbers.size());
  double buckets = 0;
  for (std::size_t i = 0; i < some; ++i) {
    queries.set(0, batch, numbers[i * numbers.size() / some]);
    buckets += queries.spread(0).buckets;
  }
  return some == 0 ? 0 : buckets / static_cast<double>(some);
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
                 std::size_t threads)
      : holding_(index.holding()),
        batch_(batch),
        kernel_(kernel),
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

  void look_up(const Ring& ring, const Numbers& numbers) {
    const std::size_t tasks = (numbers.size() + kTaskQueries - 1) / kTaskQueries;
    std::vector<Share> shares(std::max<std::size_t>(1, std::min(threads_, tasks)));
    share_out(tasks, shares.size(), [&](std::size_t task, std::size_t thread) {
      thread_local WeightedLookup lookup;
      thread_local WeightedQueries queries;
      Share& share = shares[thread];
      lookup.begin(ring, kernel_);
      queries.begin(1, ring.bytes);
      const std::size_t end = std::min(numbers.size(), (task + 1) * kTaskQueries);
      for (std::size_t i = task * kTaskQueries; i < end; ++i) {
        queries.set(0, batch_, numbers[i]);
        const std::size_t before = share.found.size();
        if (!lookup.run(queries, 0, share.found)) share.left.push_back(numbers[i]);
        for (std::size_t k = before; k < share.found.size(); ++k) share.found[k].query = numbers[i];
      }
    });
    for (const Share& share : shares) {
      found_.insert(found_.end(), share.found.begin(), share.found.end());
      left_.insert(left_.end(), share.left.begin(), share.left.end());
    }
  }

  void join_all(const Ring& ring, const Numbers& numbers) {
    Numbers others;
    join_weighted(ring, kernel_, batch_, numbers, threads_, found_, others);
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
  std::size_t threads_;
  std::vector<Found> found_;
  Numbers left_;  // queries still to be compared with all codes
};

Plan plan_numbers(const Index& index, const WeightedBatch& batch, const Numbers& numbers) {
  const Holding& holding = index.holding();
  const double groups = groups_of(batch, numbers, holding.bytes);
  Plan plan{Way::flat, weighted_flat_cost(holding.count, holding.bytes, numbers.size(), groups),
            std::numeric_limits<double>::infinity()};
  if (index.parts().empty()) return plan;
  const double buckets = buckets_of(batch, numbers, holding.bytes);
  double looked_up = weighted_flat_cost(holding.few.count, holding.bytes, numbers.size(), groups);
  double joined = looked_up;
  for (const Part& part : index.parts()) {
    if (part.ring.slots == 0) continue;
    looked_up += WeightedCosts(part.ring).of(buckets);
    joined += weighted_join_cost(part.ring, buckets, numbers.size());
  }
  plan.tables = std::min(looked_up, joined);
  if (plan.tables < plan.flat) plan.way = joined < looked_up ? Way::join : Way::lookup;
  return plan;
}

}  // namespace

WeightedResult search_weighted(const Index& index, const WeightedBatch& batch,
                               std::optional<Way> way, const WeighKernel& kernel,
                               std::size_t threads) {
  if (batch.count > UINT32_MAX) throw std::length_error("too many queries in one batch");
  WeightedSearch state(index, batch, kernel, threads);
  const Numbers numbers = with_budget(batch);
  if (numbers.empty()) return state.result();
  if (index.parts().empty()) way = Way::flat;
  // A lone query finds out itself whether tables are any good.
  if (!way && batch.count == 1) way = Way::lookup;
  if (!way) way = plan_numbers(index, batch, numbers).way;
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
