#include "index/search.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "bits.h"
#include "index/join.h"
#include "index/lookup.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kJoinQueries = 1 << 20;  // joined at once
constexpr std::size_t kCutQueries = 1 << 14;   // cut into chunks by one thread at a time
constexpr std::size_t kTaskQueries = 128;      // looked up by one thread at a time

using Numbers = std::vector<std::uint32_t>;  // of queries, ascending

// One search and what it found so far.
class Search {
 public:
  Search(const Index& index, const ScanKernel& scan_kernel, const RingKernel& ring_kernel,
         const std::uint8_t* queries, std::size_t count, std::uint32_t radius, std::size_t threads)
      : holding_(index.holding()),
        scan_kernel_(scan_kernel),
        ring_kernel_(ring_kernel),
        queries_(queries),
        count_(count),
        radius_(radius),
        threads_(std::max<std::size_t>(threads, 1)) {}

  ScanResult flat() const { return scan_all({holding_.codes, holding_.count}, queries_, count_); }

  // Of queries that find the same within a smaller radius, each is searched within that.
  void search_part(const Part& part, std::optional<Way> way) {
    if (!part.balanced) return search_some(part, radius_, all_numbers(), way);
    std::array<Numbers, 2> groups;  // the radius and the one below
    for (std::uint32_t i = 0; i < count_; ++i) {
      const auto radius = part.radius_of(weight_of(query(i), holding_.bytes), radius_);
      if (radius) groups[radius_ - *radius].push_back(i);
    }
    for (std::uint32_t below = 0; below < 2; ++below)
      if (!groups[below].empty()) search_some(part, radius_ - below, groups[below], way);
  }

  // The codes without tables: those whose weight is near enough to the query's.
  void search_few() {
    if (holding_.few.count == 0) return;
    std::vector<Numbers> of_weight(8 * holding_.bytes + 1);
    for (std::uint32_t i = 0; i < count_; ++i)
      of_weight[weight_of(query(i), holding_.bytes)].push_back(i);
    for (std::uint32_t weight = 0; weight < of_weight.size(); ++weight)
      if (!of_weight[weight].empty()) search_few_within(weight, of_weight[weight]);
  }

  // Rows ascending for each query, equal codes included, each pair once.
  ScanResult result() {
    add_repeats(holding_, found_);
    add_flat();
    if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
    ScanResult result;
    result.offsets.assign(count_ + 1, 0);
    for (const Found& one : found_) ++result.offsets[one.query + 1];
    for (std::size_t i = 0; i < count_; ++i) result.offsets[i + 1] += result.offsets[i];
    result.rows.reserve(found_.size());
    result.distances.reserve(found_.size());
    for (const Found& one : found_) {
      result.rows.push_back(one.row);
      result.distances.push_back(static_cast<std::uint16_t>(one.distance));
    }
    return result;
  }

 private:
  struct Codes {
    const std::uint8_t* first;
    std::uint64_t count;
  };

  struct Share {
    std::vector<Found> found;
    Numbers left;
  };

  const std::uint8_t* query(std::size_t number) const { return queries_ + number * holding_.bytes; }

  Numbers all_numbers() const {
    Numbers numbers(count_);
    std::iota(numbers.begin(), numbers.end(), 0u);
    return numbers;
  }

  // The queries with these numbers, one behind the other: where they stand, or copied.
  const std::uint8_t* side_by_side(std::span<const std::uint32_t> numbers,
                                   std::vector<std::uint8_t>& copies) const {
    const std::size_t bytes = holding_.bytes;
    if (numbers.back() - numbers.front() + 1 == numbers.size()) return query(numbers.front());
    copies.resize(numbers.size() * bytes);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      std::copy_n(query(numbers[i]), bytes, &copies[i * bytes]);
    return copies.data();
  }

  // Of the codes without tables, in order of their weights, the first that has at least this one.
  std::uint64_t first_of_weight(std::uint32_t weight) const {
    std::uint64_t low = 0;
    for (std::uint64_t high = holding_.few.count; low < high;) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (weight_of(holding_.few.codes + middle * holding_.bytes, holding_.bytes) < weight)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

  void search_few_within(std::uint32_t weight, const Numbers& numbers) {
    const Few& few = holding_.few;
    const std::uint64_t first = first_of_weight(weight - std::min(weight, radius_));
    const std::uint64_t end = first_of_weight(weight + radius_ + 1);
    if (first >= end) return;
    const Codes near{few.codes + first * holding_.bytes, end - first};
    scan_some(near, numbers, [&](std::uint64_t place) {
      const std::uint32_t row = few.rows[first + place];
      if (row >= holding_.count) refuse_damaged();
      return row;
    });
  }

  void search_some(const Part& part, std::uint32_t radius, const Numbers& numbers,
                   std::optional<Way> way) {
    const RadiusPlan& plan = part.planner.at(radius);
    if (!way) way = part.planner.choose(numbers.size(), radius).way;
    if (!plan.usable)
      left_.insert(left_.end(), numbers.begin(), numbers.end());
    else if (*way == Way::join)
      join_all(part.ring, plan, numbers);
    else
      look_up(part.ring, plan, numbers);
  }

  void look_up(const Ring& ring, const RadiusPlan& plan, const Numbers& numbers) {
    const std::size_t tasks = (numbers.size() + kTaskQueries - 1) / kTaskQueries;
    const std::size_t threads = std::max<std::size_t>(1, std::min(threads_, tasks));
    std::vector<Share> shares(threads);
    share_out(tasks, threads, [&](std::size_t task, std::size_t thread) {
      Share& share = shares[thread];
      thread_local Lookup lookup;
      lookup.begin(ring, ring_kernel_, plan);
      const std::size_t end = std::min(numbers.size(), (task + 1) * kTaskQueries);
      for (std::size_t i = task * kTaskQueries; i < end; i += kGroup)
        lookup.run(queries_, {numbers.data() + i, std::min(kGroup, end - i)}, share.found,
                   share.left);
    });
    for (const Share& share : shares) {
      found_.insert(found_.end(), share.found.begin(), share.found.end());
      left_.insert(left_.end(), share.left.begin(), share.left.end());
    }
  }

  void join_all(const Ring& ring, const RadiusPlan& plan, const Numbers& numbers) {
    std::vector<std::uint8_t> codes;
    std::vector<std::uint16_t> chunks;
    for (std::size_t first = 0; first < numbers.size(); first += kJoinQueries) {
      const std::size_t count = std::min(kJoinQueries, numbers.size() - first);
      const std::span<const std::uint32_t> some{numbers.data() + first, count};
      const std::uint8_t* queries = side_by_side(some, codes);
      chunks.resize(count * ring.tables);
      share_out((count + kCutQueries - 1) / kCutQueries, threads_,
                [&](std::size_t task, std::size_t) {
                  const std::size_t end = std::min(count, (task + 1) * kCutQueries);
                  for (std::size_t i = task * kCutQueries; i < end; ++i)
                    cut_chunks(queries + i * ring.bytes, ring.bytes, &chunks[i * ring.tables]);
                });
      join_block(ring, plan, {queries, chunks.data()}, some);
    }
  }

  void join_block(const Ring& ring, const RadiusPlan& plan, const QueryBlock& block,
                  std::span<const std::uint32_t> numbers) {
    const std::vector<bool> heavy = find_heavy(ring, block.chunks, numbers.size(), plan, threads_);
    Numbers light;
    Numbers others;
    for (std::uint32_t i = 0; i < numbers.size(); ++i)
      (heavy[i] ? others : light).push_back(heavy[i] ? numbers[i] : i);
    std::vector<Found> found;
    Numbers crowded;
    join(ring, ring_kernel_, block, numbers.size(), light, plan, threads_, found, crowded);
    for (const Found& one : found) found_.push_back({numbers[one.query], one.row, one.distance});
    for (const std::uint32_t at : crowded) left_.push_back(numbers[at]);
    look_up(ring, plan, others);
  }

  // Some codes against some queries. A thread is worth starting for a tenth of a millisecond.
  ScanResult scan_all(const Codes& codes, const std::uint8_t* queries, std::size_t count) const {
    const double work = flat_cost(codes.count, holding_.bytes, count) * static_cast<double>(count);
    const auto worth = static_cast<std::size_t>(std::clamp(work / 1e5, 1.0, 1e6));
    const std::size_t threads = std::min({threads_, std::max<std::size_t>(1, count / 8), worth});
    std::vector<ScanResult> parts(threads);
    share_out(threads, threads, [&](std::size_t task, std::size_t) {
      const std::size_t first = count * task / threads;
      parts[task] = scan(scan_kernel_, codes.first, codes.count, queries + first * holding_.bytes,
                         count * (task + 1) / threads - first, holding_.bytes, radius_);
    });
    return joined(parts);
  }

  // Adds what the queries with these numbers find in some codes, whose rows `row_of` tells.
  template <class RowOf>
  void scan_some(const Codes& codes, const Numbers& numbers, RowOf row_of) {
    std::vector<std::uint8_t> copies;
    const ScanResult result = scan_all(codes, side_by_side(numbers, copies), numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      for (auto k = static_cast<std::size_t>(result.offsets[i]);
           k < static_cast<std::size_t>(result.offsets[i + 1]); ++k)
        found_.push_back(
            {numbers[i], row_of(static_cast<std::uint64_t>(result.rows[k])), result.distances[k]});
  }

  static ScanResult joined(std::vector<ScanResult>& parts) {
    ScanResult whole = std::move(parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::int64_t before = whole.offsets.back();
      for (std::size_t k = 1; k < parts[i].offsets.size(); ++k)
        whole.offsets.push_back(before + parts[i].offsets[k]);
      whole.rows.insert(whole.rows.end(), parts[i].rows.begin(), parts[i].rows.end());
      whole.distances.insert(whole.distances.end(), parts[i].distances.begin(),
                             parts[i].distances.end());
    }
    return whole;
  }

  // Queries that the tables are no good for share one scan, which finds all of theirs.
  void add_flat() {
    if (left_.empty()) return;
    std::sort(left_.begin(), left_.end());
    left_.erase(std::unique(left_.begin(), left_.end()), left_.end());
    std::erase_if(found_, [this](const Found& one) {
      return std::binary_search(left_.begin(), left_.end(), one.query);
    });
    scan_some({holding_.codes, holding_.count}, left_,
              [](std::uint64_t row) { return static_cast<std::uint32_t>(row); });
  }

  const Holding& holding_;
  const ScanKernel& scan_kernel_;
  const RingKernel& ring_kernel_;
  const std::uint8_t* queries_;
  std::size_t count_;
  std::uint32_t radius_;
  std::size_t threads_;
  std::vector<Found> found_;
  Numbers left_;  // queries still to be compared with all codes
};

}  // namespace

ScanResult search(const Index& index, std::uint32_t radius, std::optional<Way> way,
                  const ScanKernel& scan_kernel, const RingKernel& ring_kernel,
                  const std::uint8_t* queries, std::size_t query_count, std::size_t threads) {
  if (query_count > UINT32_MAX) throw std::length_error("too many queries in one batch");
  Search state(index, scan_kernel, ring_kernel, queries, query_count, radius, threads);
  if (!way && index.choose(query_count, radius).way == Way::flat) way = Way::flat;
  if (way == Way::flat || index.parts().empty() || query_count == 0) return state.flat();
  for (const Part& part : index.parts()) state.search_part(part, way);
  state.search_few();
  return state.result();
}

}  // namespace screener
