#include "index/weighted_join.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "bits.h"
#include "index/weighted_groups.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kQueries = 1 << 13;  // joined at once: their sums stay in the second cache
constexpr std::size_t kSetQueries = 64;    // prepared by one thread at a time
constexpr std::size_t kVisits = 1 << 21;   // of queries to buckets, sorted at once
constexpr std::size_t kPartBits = 6;       // of a key: buckets that the first cache has room for
constexpr std::size_t kParts = kBuckets >> kPartBits;
constexpr std::size_t kBlock = 2048;   // lines tested at once: the masks stay in the first cache
constexpr std::size_t kWaiting = 512;  // candidates that are followed together
constexpr std::size_t kCrowded = 1 << 20;  // pairs found, the same ones perhaps several times

constexpr std::uint32_t kManyMore = 1u << 31;  // lines, or more

// A query comes to a bucket.
struct Visit {
  std::uint32_t key;
  std::uint32_t test;  // as in LineTest: it names the query too
};

// What a thread keeps between tables.
class TableVisits {
 public:
  TableVisits(const Ring& ring, const WeighKernel& kernel, const WeightedQueries& queries)
      : dropped(queries.count(), false),
        ring_(ring),
        kernel_(kernel),
        queries_(queries),
        costs_(ring),
        most_lines_(
            static_cast<std::uint32_t>(std::min<std::size_t>(costs_.most_lines, kManyMore - 1))),
        lines_of_(queries.count(), 0),
        candidates_of_(queries.count(), 0),
        changes_(kChangesRoom),
        visits_((kVisits + kMostChanges) * sizeof(Visit)),
        sorted_((kVisits + kMostChanges) * sizeof(Visit)),
        lines_(kBlock + kAhead),
        places_(kBlock),
        masks_(kBlock + 16),
        passed_(kBlock + 16) {
    links_.begin(ring, {ring, kernel, queries});
  }

  // Joins a table with all queries but those that are left out.
  void run(std::size_t table, const std::vector<bool>& left_out) {
    table_ = table;
    // Afterwards the starts of this table and of the next can be followed without a look.
    for (const std::size_t one : {table, ring_.around(table + 1)}) {
      const std::uint32_t* starts = ring_.directory + one * kDirectory;
      std::uint32_t falls = 0;
      for (std::size_t key = 0; key < kBuckets; ++key) falls |= starts[key] > starts[key + 1];
      if (falls != 0) refuse_damaged();
    }
    for (std::size_t at = 0; at < queries_.count(); ++at) {
      if (left_out[at] || dropped[at] || queries_.spread(at).thresholds.of[table] < 0) continue;
      list_visits(at);
      if (visit_count_ >= kVisits) visit();
    }
    visit();
  }

  std::vector<Found> found;   // in no order, some several times
  std::vector<bool> dropped;  // queries that met too many lines or candidates

 private:
  void list_visits(std::size_t at) {
    const Thresholds& thresholds = queries_.spread(at).thresholds;
    std::uint32_t bits[16];
    queries_.list_bits(at, table_, bits);
    const std::size_t some = kernel_.list_changes(
        bits, make_change(static_cast<std::uint32_t>(thresholds.of[table_]) + 1, 0),
        changes_.data());
    const std::uint32_t shift = queries_.shift(at);
    const std::uint32_t chunk = queries_.chunk(at, table_);
    const std::uint32_t test =
        make_weight_test(queries_.sums_at(at, ring_.around(table_ + 1)),
                         static_cast<std::uint32_t>(queries_.bound(at, table_, 2)));
    Visit* __restrict to = visits_.as<Visit>() + visit_count_;
    visit_count_ += some;
    for (std::size_t k = 0; k < some; ++k)
      to[k] = {chunk ^ (changes_[k] & 0xffffu), test - (changes_[k] >> 16 >> shift)};
  }

  // Sorts what was listed by parts of the table, and goes through them.
  void visit() {
    std::array<std::uint32_t, kParts + 1> starts{};
    const std::span<const Visit> visits{visits_.as<Visit>(), visit_count_};
    for (const Visit& one : visits) ++starts[(one.key >> kPartBits) + 1];
    for (std::size_t part = 0; part < kParts; ++part) starts[part + 1] += starts[part];
    auto* sorted = sorted_.as<Visit>();
    for (const Visit& one : visits) sorted[starts[one.key >> kPartBits]++] = one;
    list_lines();
    visit_count_ = 0;
    settle();
    links_.finish(found);
    keep();
  }

  std::size_t query_of(std::uint32_t test) const {
    return sums_of(test) - queries_.sums_at(0, ring_.around(table_ + 1));
  }

  void list_lines() {
    const std::uint32_t* starts = ring_.directory + table_ * kDirectory;
    std::size_t listed = 0;
    for (const Visit& one : std::span<const Visit>{sorted_.as<Visit>(), visit_count_}) {
      const std::uint32_t start = starts[one.key];
      const std::uint32_t end = starts[one.key + 1];
      const std::uint32_t count = lines_between(start, end);
      std::uint32_t& lines = lines_of_[query_of(one.test)];
      lines = std::min(lines + std::min(count, kManyMore), kManyMore);
      if (lines > most_lines_) continue;
      for (std::uint32_t l = 0; l < count; ++l) {
        lines_[listed] = {static_cast<std::uint32_t>(start / kLine) + l, one.test};
        // The first line and the last may be shared with other buckets.
        places_[listed++] = (l == 0 ? ~0u << start % kLine : ~0u) &
                            (l + 1 == count ? ~0u >> (kLine - end % kLine) % kLine : ~0u);
        if (listed == kBlock) test_lines(std::exchange(listed, 0));
      }
    }
    test_lines(listed);
  }

  void test_lines(std::size_t count) {
    if (count == 0) return;
    std::fill_n(lines_.begin() + static_cast<std::ptrdiff_t>(count), kAhead, lines_[count - 1]);
    const std::size_t passed = kernel_.weigh_lines(ring_.sketches, lines_.data(), count,
                                                   queries_.sums(), masks_.data(), passed_.data());
    for (std::size_t i = 0; i < passed; ++i) {
      const LineTest& line = lines_[passed_[i]];
      const std::size_t at = query_of(line.test);
      const std::uint32_t mask = masks_[passed_[i]] & places_[passed_[i]];
      if (mask == 0) continue;
      candidates_of_[at] += count_bits(mask & 0xffffu) + count_bits(mask >> 16);
      if (candidates_of_[at] > costs_.most_candidates) continue;
      if (holds_rows(table_))
        follow_rows(line, mask, static_cast<std::uint32_t>(at));
      else
        follow_links(line, mask, static_cast<std::uint32_t>(at));
    }
  }

  // A table with rows leads to the code itself.
  void follow_rows(const LineTest& line, std::uint32_t mask, std::uint32_t at) {
    const std::uint32_t* rows =
        ring_.rows + (line.line * std::uint64_t{kLine} - ring_.base[table_]);
    for (; mask != 0; mask &= mask - 1) links_.compare(rows[__builtin_ctz(mask)], at);
    if (links_.comparing() >= kWaiting) links_.finish(found);
  }

  // The others to the posting of the same code in the next table, whose sketch is asked for.
  void follow_links(const LineTest& line, std::uint32_t mask, std::uint32_t at) {
    const std::size_t next = ring_.around(table_ + 1);
    const std::uint32_t own =
        static_cast<std::uint32_t>(queries_.bound(at, table_, 2)) - limit_of_test(line.test);
    for (; mask != 0; mask &= mask - 1) {
      const std::uint64_t slot =
          line.line * std::uint64_t{kLine} + static_cast<std::uint32_t>(__builtin_ctz(mask));
      const std::uint32_t sketch = ring_.sketches[slot];
      const std::uint32_t after = next_slot(ring_, table_, slot);
      prefetch_line(ring_.sketches + after);
      prefetch_line(queries_.sums() + queries_.sums_at(at, ring_.around(next + 1)) * kSums);
      waiting_.push_back({after, at,
                          static_cast<std::uint16_t>(own + queries_.weight(at, next, sketch)),
                          static_cast<std::uint8_t>(table_), 3});
    }
    if (waiting_.size() >= kWaiting) settle();
  }

  // Tests the sketches that have come from memory. What passes goes on along the links.
  void settle() {
    const std::size_t after = ring_.around(table_ + 2);
    std::size_t kept = 0;
    for (Step step : waiting_) {
      step.sum = static_cast<std::uint16_t>(
          step.sum + queries_.weight(step.query, after, ring_.sketches[step.slot]));
      waiting_[kept] = step;
      kept += step.sum <= queries_.bound(step.query, table_, 3);
    }
    for (std::size_t i = 0; i < kept; ++i) links_.add(waiting_[i]);
    waiting_.clear();
    if (links_.waiting() >= kWaiting) links_.finish(found);
  }

  // A code is found by several tables: the duplicates must not pile up.
  void keep() {
    for (std::size_t at = 0; at < queries_.count(); ++at)
      if (lines_of_[at] > most_lines_ || candidates_of_[at] > costs_.most_candidates)
        dropped[at] = true;
    std::erase_if(found, [this](const Found& one) { return dropped[one.query]; });
    if (found.size() < crowded_) return;
    sort_once(found);
    crowded_ = std::max(kCrowded, 2 * found.size());
  }

  const Ring& ring_;
  const WeighKernel& kernel_;
  const WeightedQueries& queries_;
  const WeightedCosts costs_;
  std::size_t table_ = 0;
  std::size_t crowded_ = kCrowded;
  std::vector<Step> waiting_;  // for their third sketch
  const std::uint32_t most_lines_;
  std::vector<std::uint32_t> lines_of_;  // of each query, or enough to be too many
  std::vector<std::uint32_t> candidates_of_;
  std::vector<std::uint32_t> changes_;
  std::size_t visit_count_ = 0;
  Pages visits_;  // large pages, as sorting goes to many places at once
  Pages sorted_;
  std::vector<LineTest> lines_;
  std::vector<std::uint32_t> places_;  // of the bucket in each line
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
  LinkFollower<WeightedDistance> links_;
};

// Prepares some queries. Returns those for which tables are no good.
std::vector<bool> prepare(const Ring& ring, const WeightedBatch& batch,
                          const std::uint32_t* numbers, std::size_t count, double most,
                          std::size_t threads, WeightedQueries& queries) {
  queries.begin(count, ring.bytes);
  share_out((count + kSetQueries - 1) / kSetQueries, threads, [&](std::size_t task, std::size_t) {
    const std::size_t end = std::min(count, (task + 1) * kSetQueries);
    for (std::size_t at = task * kSetQueries; at < end; ++at) queries.set(at, batch, numbers[at]);
  });
  return find_dear(queries, batch, numbers, WeightedCosts(ring), most);
}

}  // namespace

void join_weighted(const Ring& ring, const WeighKernel& kernel, const WeightedBatch& batch,
                   const std::vector<std::uint32_t>& numbers, double most, std::size_t threads,
                   std::vector<Found>& found, std::vector<std::uint32_t>& others) {
  WeightedQueries queries;
  for (std::size_t first = 0; first < numbers.size(); first += kQueries) {
    const std::size_t count = std::min(kQueries, numbers.size() - first);
    std::vector<bool> left_out =
        prepare(ring, batch, numbers.data() + first, count, most, threads, queries);
    std::vector<TableVisits> shares;
    shares.reserve(std::min<std::size_t>(threads, ring.tables));
    for (std::size_t i = 0; i < std::min<std::size_t>(threads, ring.tables); ++i)
      shares.emplace_back(ring, kernel, queries);
    share_out(ring.tables, shares.size(),
              [&](std::size_t table, std::size_t thread) { shares[thread].run(table, left_out); });
    for (const TableVisits& share : shares)
      for (std::size_t at = 0; at < count; ++at)
        if (share.dropped[at]) left_out[at] = true;
    std::vector<Found> some;
    for (const TableVisits& share : shares)
      for (const Found& one : share.found)
        if (!left_out[one.query]) some.push_back(one);
    sort_once(some);
    for (const Found& one : some)
      found.push_back({numbers[first + one.query], one.row, one.distance});
    for (std::size_t at = 0; at < count; ++at)
      if (left_out[at]) others.push_back(numbers[first + at]);
  }
}

}  // namespace screener
