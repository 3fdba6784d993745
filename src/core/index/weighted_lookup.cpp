#include "index/weighted_lookup.h"

#include <algorithm>

#include "bits.h"

namespace screener {
namespace {

constexpr std::size_t kBlock = 2048;  // lines tested at once: the masks stay in the first cache
constexpr std::uint32_t kMostWritten = 8;  // lines written for each bucket, there or not
constexpr std::size_t kEarly = 4096;       // lines that the second cache has room for
constexpr std::size_t kWaiting = 512;      // candidates that are followed together
constexpr std::size_t kSlack = kAhead + kMostWritten;
constexpr std::uint32_t kUnit = 16;  // what a bucket of usual length costs
constexpr double kLong = 3;          // times the usual number of lines

}  // namespace

WeightedLookup::WeightedLookup()
    : changes_(kChangesRoom), masks_(kBlock + 16), passed_(kBlock + 16) {}

void WeightedLookup::begin(const Ring& ring, const WeighKernel& kernel) {
  ring_ = &ring;
  kernel_ = &kernel;
}

bool WeightedLookup::run(WeightedQueries& queries, std::size_t at, std::vector<Found>& found) {
  const WeightedCosts costs(*ring_);
  const double buckets = queries.spread(at).buckets;
  const auto usual = static_cast<std::size_t>(kLong * buckets * costs.lines) + 1024;
  if (!list_lines(queries, at, std::min(usual, costs.most_lines))) {
    // Buckets far longer than usual: other thresholds may go round them.
    if (!spread_again(queries, at) || !list_lines(queries, at, costs.most_lines)) return false;
  }
  if (!sieve(queries, at)) return false;
  sort_once(found_);
  found.insert(found.end(), found_.begin(), found_.end());
  return true;
}

// Spreads the budget by the lines of the buckets that were found. False if it is hopeless.
bool WeightedLookup::spread_again(WeightedQueries& queries, std::size_t at) {
  std::array<std::uint32_t, kMostChunks> dear;
  const WeightedCosts costs(*ring_);
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    double lines = 1;
    for (std::size_t k = starts_[table]; k < starts_[table + 1]; ++k)
      lines += lines_between(ring_->directory[keys_[k]], ring_->directory[keys_[k] + 1]);
    const double usual = 1 + costs.lines * static_cast<double>(starts_[table + 1] - starts_[table]);
    dear[table] = static_cast<std::uint32_t>(std::clamp(kUnit * lines / usual, 1.0, 1e6));
  }
  queries.spread_again(at, dear.data());
  return costs.of(queries.spread(at).buckets) <= costs.flat;
}

// The keys of all buckets to visit, and how to test them.
void WeightedLookup::find_buckets(const WeightedQueries& queries, std::size_t at) {
  const Thresholds& thresholds = queries.spread(at).thresholds;
  const std::uint32_t shift = queries.shift(at);
  std::size_t count = 0;
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    starts_[table] = count;
    if (thresholds.of[table] < 0) continue;
    std::uint32_t bits[16];
    queries.list_bits(at, table, bits);
    const std::size_t some = kernel_->list_changes(
        bits, make_change(static_cast<std::uint32_t>(thresholds.of[table]) + 1, 0),
        changes_.data());
    keys_.resize(std::max(keys_.size(), count + some));
    bucket_tests_.resize(keys_.size());
    const auto base = static_cast<std::uint32_t>(table * kDirectory);
    const std::uint32_t chunk = queries.chunk(at, table);
    const auto bound = static_cast<std::uint32_t>(queries.bound(at, table, 2));
    const std::uint32_t test =
        make_weight_test(queries.sums_at(at, ring_->around(table + 1)), bound);
    const std::uint32_t* changes = changes_.data();
    std::uint32_t* __restrict keys = keys_.data() + count;
    std::uint32_t* __restrict tests = bucket_tests_.data() + count;
    for (std::size_t k = 0; k < some; ++k) {
      keys[k] = base + (chunk ^ (changes[k] & 0xffffu));
      tests[k] = test - (changes[k] >> 16 >> shift);
    }
    for (std::size_t k = 0; k < some; ++k) prefetch_line(ring_->directory + keys[k]);
    count += some;
  }
  starts_[ring_->tables] = count;
}

// Writes down the cache lines of a table's buckets, whose keys stand from `first` to `end`, and how
// to test them; kWritten for each bucket, whether it has them or not, so that no branch depends on
// how many there are unless they are more. False if they are more than `most` in all.
template <std::uint32_t kWritten>
bool WeightedLookup::list_table(std::size_t first, std::size_t end, std::size_t most) {
  const std::uint32_t* directory = ring_->directory;
  const std::uint32_t* keys = keys_.data();
  const std::uint32_t* tests = bucket_tests_.data();
  LineTest* __restrict lines = lines_.data();
  std::uint32_t* __restrict places = places_.data();
  std::size_t listed = listed_;
  std::uint32_t last = 0;
  for (std::size_t k = first; k < end; ++k) {
    const std::uint32_t bucket_start = directory[keys[k]];
    const std::uint32_t bucket_end = directory[keys[k] + 1];
    const std::uint32_t test = tests[k];
    const auto line = static_cast<std::uint32_t>(bucket_start / kLine);
    const std::uint32_t count = lines_between(bucket_start, bucket_end);
    if (count > most - listed) return false;  // or the bucket ends before it starts
    last = std::max(last, bucket_end);
    for (std::uint32_t l = 0; l < kWritten; ++l) {
      lines[listed + l] = {line + l, test};
      places[listed + l] = ~0u;
    }
    for (std::uint32_t l = kWritten; l < count; ++l) {
      lines[listed + l] = {line + l, test};
      places[listed + l] = ~0u;
    }
    // Buckets of less than a line share it with others.
    if constexpr (kWritten == 1)
      if (count == 1)
        places[listed] = ~0u << bucket_start % kLine & ~0u >> (kLine - bucket_end % kLine) % kLine;
    listed += count;
  }
  if (last > ring_->slots) refuse_damaged();
  // Memory works on these while the next table's are written down.
  for (std::size_t k = listed_; k < std::min(listed, kEarly); ++k)
    prefetch_line(ring_->sketches + lines[k].line * std::size_t{kLine});
  listed_ = listed;
  return true;
}

// Lists the lines of a query. False if they are more than `most`.
bool WeightedLookup::list_lines(const WeightedQueries& queries, std::size_t at, std::size_t most) {
  lines_.resize(std::max(lines_.size(), most + kSlack));
  places_.resize(lines_.size(), ~0u);
  find_buckets(queries, at);
  listed_ = 0;
  const bool one_line = ring_->slots < kLine * kBuckets * ring_->tables;  // in most buckets
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const bool listed = one_line
                            ? list_table<1>(starts_[table], starts_[table + 1], most)
                            : list_table<kMostWritten>(starts_[table], starts_[table + 1], most);
    if (!listed) return false;
    ends_[table] = listed_;
  }
  return true;
}

// Tests what is listed, and follows what passes. False if so much passes that comparing with all
// codes is cheaper.
bool WeightedLookup::sieve(const WeightedQueries& queries, std::size_t at) {
  std::fill_n(lines_.begin() + static_cast<std::ptrdiff_t>(listed_), kAhead,
              listed_ == 0 ? LineTest{0, 0} : lines_[listed_ - 1]);
  found_.clear();
  candidates_.clear();
  followed_ = 0;
  table_ = 0;
  links_.begin(*ring_, {*ring_, *kernel_, queries});
  const std::size_t most = WeightedCosts(*ring_).most_candidates;
  std::size_t count = 0;
  for (std::size_t block = 0; block < listed_; block += kBlock) {
    const std::size_t size = std::min(kBlock, listed_ - block);
    const std::size_t passed = kernel_->weigh_lines(ring_->sketches, lines_.data() + block, size,
                                                    queries.sums(), masks_.data(), passed_.data());
    for (std::size_t i = 0; i < passed; ++i) {
      const std::uint32_t mask = masks_[passed_[i]] & places_[block + passed_[i]];
      if (mask == 0) continue;
      candidates_.push_back({static_cast<std::uint32_t>(block) + passed_[i], mask});
      count += count_bits(mask & 0xffffu) + count_bits(mask >> 16);
    }
    if (count > most) return false;
    links_.advance();  // memory works on what these ask for while the next lines are tested
    follow(queries, at);
  }
  links_.finish(found_);
  return true;
}

// Begins to follow all that passed and was not followed yet.
void WeightedLookup::follow(const WeightedQueries& queries, std::size_t at) {
  for (; followed_ < candidates_.size(); ++followed_) {
    const Candidates& some = candidates_[followed_];
    while (some.line >= ends_[table_]) ++table_;
    const std::uint32_t* starts = ring_->directory + table_ * kDirectory;
    const std::uint64_t slot = lines_[some.line].line * std::uint64_t{kLine};
    if (slot < starts[0] || slot >= starts[kBuckets]) refuse_damaged();
    const int own =
        queries.bound(at, table_, 2) - static_cast<int>(limit_of_test(lines_[some.line].test));
    links_.add(table_, slot, some.mask, static_cast<std::uint32_t>(at),
               static_cast<std::uint32_t>(own));
    if (links_.waiting() >= kWaiting) links_.finish(found_);
  }
}

}  // namespace screener
