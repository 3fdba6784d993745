#include "index/join_table.h"

#include <algorithm>
#include <cstring>

namespace screener {
namespace {

constexpr std::size_t kRun = 1024;           // queries tested against a bucket at once
constexpr std::size_t kLong = 6 * kBuckets;  // queries in a block with lists of six and more
constexpr std::size_t kLanes = 128;          // read at once by a kernel, there or not
constexpr std::size_t kWaiting = 1024;       // postings whose next sketch is on its way
constexpr std::size_t kSteps = 512;          // steps that are followed together
constexpr std::size_t kCrowded = 1 << 20;    // pairs found, the same ones perhaps several times
constexpr std::uint32_t kNumber = (1u << kFlipsAt) - 1;

// Copies so many entries and a few more: most lists are short, and their ends hard to foretell.
template <std::uint32_t kCopied>
inline void copy_some(const QueryEntry* from, std::uint32_t some, QueryEntry* to) {
  std::uint32_t k = 0;
  do {
    std::memcpy(to + k, from + k, kCopied * sizeof(QueryEntry));
    k += kCopied;
  } while (k < some);
}

}  // namespace

void SortedQueries::sort(const QueryBlock& block, const std::vector<std::uint32_t>& all,
                         std::size_t table, std::size_t tables) {
  const std::uint16_t* keys = block.chunks + table;
  const std::uint16_t* sketches = block.chunks + (table + 1) % tables;
  const std::uint16_t* next = block.chunks + (table + 2) % tables;
  starts.assign(kDirectory, 0);
  for (const std::uint32_t number : all) ++starts[keys[number * tables] + 1u];
  for (std::size_t key = 0; key < kBuckets; ++key) starts[key + 1] += starts[key];
  std::vector<std::uint32_t> places(starts.begin(), starts.end() - 1);
  entries.resize(all.size() + kLanes);
  for (const std::uint32_t number : all)
    entries[places[keys[number * tables]]++] = {
        sketches[number * tables] | std::uint32_t{next[number * tables]} << 16, number};
}

TableJoin::TableJoin(const Ring& ring, const RingKernel& kernel, const QueryBlock& block,
                     std::size_t queries, const RadiusPlan& plan)
    : candidates(queries, 0),
      ring_(ring),
      kernel_(kernel),
      block_(block),
      thresholds_(plan.thresholds),
      most_candidates_(plan.most_candidates),
      crowded_(kCrowded),
      entries_(kRun + kLanes),
      masks_(kRun * kBucketLines + 16),
      passed_(kRun * kBucketLines + 16),
      hits_(kRun * kPlaces),
      waiting_(kWaiting) {
  links_.begin(ring, {ring, kernel, block, plan.thresholds, plan.radius});
}

void TableJoin::begin(std::size_t table) {
  table_ = table;
  flipped_.clear();
  for (int flips = 0; flips <= thresholds_.of[table]; ++flips) {
    const auto masks = masks_of(flips);
    flipped_.insert(flipped_.end(), masks.begin(), masks.end());
    levels_[static_cast<std::size_t>(flips)] = static_cast<std::uint32_t>(flipped_.size());
  }
  // Afterwards the starts of this table and of the next can be followed without a look.
  for (const std::size_t one : {table, (table + 1) % ring_.tables}) {
    const std::uint32_t* starts = ring_.directory + one * kDirectory;
    std::uint32_t falls = 0;
    for (std::size_t key = 0; key < kBuckets; ++key) falls |= starts[key] > starts[key + 1];
    if (falls != 0) refuse_damaged();
  }
}

// Copies the queries that visit this bucket into one run, and tests the run when it is full.
template <std::uint32_t kCopied>
void TableJoin::gather(std::uint32_t key) {
  std::size_t count = 0;
  std::uint32_t mask = 0;
  const auto levels = static_cast<std::uint32_t>(thresholds_.of[table_] + 1);
  for (std::uint32_t level = 0; level < levels; ++level) {
    for (; mask < levels_[level]; ++mask) {
      const std::uint32_t other = key ^ flipped_[mask];
      std::uint32_t at = sorted_.starts[other];
      std::uint32_t left = sorted_.starts[other + 1] - at;
      while (count + left > kRun) {
        const auto some = static_cast<std::uint32_t>(kRun - count);
        copy_some<kCopied>(&sorted_.entries[at], some, &entries_[count]);
        test(level, kRun);
        std::fill_n(ends_.begin(), level, 0);
        count = 0;
        at += some;
        left -= some;
      }
      copy_some<kCopied>(&sorted_.entries[at], left, &entries_[count]);
      count += left;
    }
    ends_[level] = static_cast<std::uint32_t>(count);
  }
  if (count != 0) test(levels - 1, count);
}

void TableJoin::run(std::size_t table, std::uint32_t key, std::uint32_t end,
                    const std::vector<std::uint32_t>& all) {
  if (table != table_) {
    begin(table);
    sorted_.sort(block_, all, table, ring_.tables);
  }
  const std::uint32_t* starts = ring_.directory + table * kDirectory;
  for (; key < end; ++key) {
    start_ = starts[key];
    end_ = starts[key + 1];
    if (start_ == end_) continue;
    if (all.size() < kLong)
      gather<8>(key);
    else
      gather<16>(key);
  }
  settle();
  finish();
}

// A run that ends in this level.
void TableJoin::test(std::uint32_t level, std::size_t count) {
  // In the levels that it does not reach are none: what stands there is of another run.
  std::fill(ends_.begin() + level, ends_.end(), static_cast<std::uint32_t>(count));
  const QueryRun run{entries_.data(), ends_.data(), level + 1,
                     static_cast<std::uint32_t>(thresholds_.bound(table_, 2))};
  const std::size_t first = start_ / kLine;
  const std::size_t end = first + lines_between(start_, end_);
  for (std::size_t line = first; line < end; line += kBucketLines) {
    BucketLines bucket{ring_.sketches + line * kLine, std::min(kBucketLines, end - line), ~0u, ~0u};
    if (line == first) bucket.first <<= start_ % kLine;
    if (line + bucket.lines == end) bucket.last >>= (kLine - end_ % kLine) % kLine;
    follow(line, kernel_.sieve_bucket(bucket, run, masks_.data(), passed_.data(), hits_.data()));
  }
}

void TableJoin::follow(std::size_t line, std::size_t count) {
  for (std::size_t from = 0; from < count;) {
    if (waiting_count_ == kWaiting) settle();
    const std::size_t some = std::min(count - from, kWaiting - waiting_count_);
    if (holds_rows(table_))
      follow_rows(line, hits_.data() + from, some);
    else
      follow_links(line, hits_.data() + from, some);
    from += some;
  }
}

void TableJoin::follow_links(std::size_t line, const std::uint32_t* hits, std::size_t count) {
  const auto* halves = static_cast<const std::uint16_t*>(ring_.links);
  if (ring_.weights != nullptr)
    follow_each<true>(halves, line, hits, count);
  else if (ring_.link_bytes == 1)
    follow_each<false>(static_cast<const std::uint8_t*>(ring_.links), line, hits, count);
  else if (ring_.link_bytes == 2)
    follow_each<false>(halves, line, hits, count);
  else
    follow_each<false>(static_cast<const std::uint32_t*>(ring_.links), line, hits, count);
}

// Links of large tables have a second half, the sketch of the posting that they lead to: what fails
// by that goes no further.
template <bool kTold, class Link>
void TableJoin::follow_each(const Link* links, std::size_t line, const std::uint32_t* hits,
                            std::size_t count) {
  constexpr std::size_t kHalves = kTold ? 2 : 1;
  const std::uint32_t* starts = ring_.directory + (table_ + 1) % ring_.tables * kDirectory;
  const std::uint64_t first = line * kLine;
  const std::uint64_t base = ring_.base[table_];
  const std::uint32_t* ends = ends_.data();
  const int most_flips = thresholds_.of[table_];
  const int limit = thresholds_.bound(table_, 3);
  Waiting* waiting = waiting_.data() + waiting_count_;
  std::uint32_t astray = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t at = hits[i] / kPlaces;
    const QueryEntry entry = entries_[at];
    std::uint32_t flips = 0;
    for (int level = 0; level < most_flips; ++level) flips += at >= ends[level];
    const std::uint64_t slot = first + hits[i] % kPlaces;
    const std::uint32_t sketch = ring_.sketches[slot];
    const std::uint32_t rest = entry.chunks ^ sketch;
    const Link* link = links + (slot - base) * kHalves;
    if constexpr (kTold) {
      const std::uint32_t next = link[1] ^ rest >> 16;
      if (static_cast<int>(flips + count_bits(rest & 0xffffu) + count_bits(next)) > limit) continue;
    }
    const std::uint64_t next = std::uint64_t{starts[sketch]} + *link;
    astray |= next >= starts[sketch + 1];
    prefetch_line(ring_.sketches + next);
    waiting[kept++] = {static_cast<std::uint32_t>(next), rest, entry.number | flips << kFlipsAt};
  }
  if (astray != 0) refuse_damaged();
  waiting_count_ += kept;
}

// A table with rows leads to the code itself.
void TableJoin::follow_rows(std::size_t line, const std::uint32_t* hits, std::size_t count) {
  const std::uint32_t* rows = ring_.rows + (line * kLine - ring_.base[table_]);
  for (std::size_t i = 0; i < count; ++i)
    links_.compare(rows[hits[i] % kPlaces], entries_[hits[i] / kPlaces].number);
  if (links_.comparing() >= kSteps) finish();
}

// Tests the sketches that have come from memory. What passes goes on along the links.
void TableJoin::settle() {
  const auto limit = static_cast<std::uint32_t>(thresholds_.bound(table_, 3));
  const std::size_t passed =
      kernel_.sieve_waiting(ring_.sketches, waiting_.data(), waiting_count_, limit, passed_.data());
  for (std::size_t i = 0; i < passed; ++i) {
    const Waiting& one = waiting_[passed_[i]];
    const std::uint32_t number = one.query & kNumber;
    if (candidates[number] > most_candidates_) continue;
    ++candidates[number];
    const std::uint32_t differs = one.rest ^ std::uint32_t{ring_.sketches[one.slot]} << 16;
    const std::uint32_t sum =
        (one.query >> kFlipsAt) + count_bits(differs & 0xffffu) + count_bits(differs >> 16);
    links_.add(
        {one.slot, number, static_cast<std::uint16_t>(sum), static_cast<std::uint8_t>(table_), 3});
    if (links_.waiting() >= kSteps) finish();
  }
  waiting_count_ = 0;
}

// A code is found by several tables: the duplicates must not pile up, nor what a query finds that
// will be compared with all codes anyway.
void TableJoin::finish() {
  std::size_t kept = found.size();
  links_.finish(found);
  for (std::size_t i = kept; i < found.size(); ++i)
    if (++candidates[found[i].query] <= most_candidates_) found[kept++] = found[i];
  found.resize(kept);
  if (found.size() < crowded_) return;
  sort_once(found);
  crowded_ = std::max(kCrowded, 2 * found.size());
}

}  // namespace screener
