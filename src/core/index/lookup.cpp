#include "index/lookup.h"

#include <algorithm>
#include <bit>

#include "bits.h"

namespace screener {
namespace {

constexpr std::size_t kBlock = 2048;  // lines tested at once: the masks stay in the first cache
constexpr std::uint32_t kMostWritten = 8;  // lines written for each bucket, there or not
constexpr std::size_t kEarly = 4096;       // lines that the second cache has room for
constexpr std::size_t kForetold = 16;      // the part of the lines that tells how much will pass
constexpr std::size_t kFewPassed = 64;
constexpr std::size_t kWaiting = 512;  // candidates that are followed together
constexpr std::size_t kNone = SIZE_MAX;
constexpr std::size_t kSlack = kAhead + kMostWritten;

struct Lines {
  std::uint32_t first;
  std::uint32_t count;
};

// Of a bucket of a large table only the lines where sketches may have few enough bits more or fewer
// than the query's, by where the weights of its sketches start.
inline Lines lines_near(Lines bucket, const std::uint8_t* starts, std::uint32_t test) {
  const std::uint32_t weight = count_bits(test & 0xffffu);
  const std::uint32_t limit = test >> 16;
  std::uint32_t before = 0;
  if (weight + limit < kWeights && starts[weight + limit] != kManyLines)
    bucket.count = std::min<std::uint32_t>(bucket.count, starts[weight + limit] + 1u);
  if (weight > limit) before = std::min<std::uint32_t>(bucket.count, starts[weight - limit - 1]);
  return {bucket.first + before, bucket.count - before};
}

}  // namespace

Lookup::Lookup() : masks_(kBlock + 16), passed_(kBlock + 16) {}

void Lookup::begin(const Ring& ring, const RingKernel& kernel, const RadiusPlan& plan) {
  ring_ = &ring;
  kernel_ = &kernel;
  plan_ = &plan;
}

void Lookup::run(const std::uint8_t* queries, std::span<const std::uint32_t> numbers,
                 std::vector<Found>& found, std::vector<std::uint32_t>& left) {
  size_ = numbers.size();
  for (std::size_t i = 0; i < size_; ++i) {
    std::uint8_t* code = codes_.data() + i * ring_->bytes;
    std::copy_n(queries + std::size_t{numbers[i]} * ring_->bytes, ring_->bytes, code);
    cut_chunks(code, ring_->bytes, chunks_.data() + i * ring_->tables);
  }
  if (size_ > 1 && run_together()) return give(numbers, found);
  for (std::size_t i = 0; i < size_; ++i) {
    const Thresholds* thresholds = list_alone(i);
    if (thresholds != nullptr && sieve(i, *thresholds))
      give(numbers, found);
    else
      left.push_back(numbers[i]);
  }
}

// Hands over what was found, in order and each once.
void Lookup::give(std::span<const std::uint32_t> numbers, std::vector<Found>& found) {
  sort_once(found_);
  for (const Found& one : found_) found.push_back({numbers[one.query], one.row, one.distance});
}

// False where one of the queries needs a closer look.
bool Lookup::run_together() {
  listed_ = 0;
  for (std::size_t i = 0; i < size_; ++i)
    if (!list_lines(i, plan_->probes, plan_->usual_lines)) return false;
  return sieve(0, plan_->thresholds);
}

// Lists the lines of one query. Returns the thresholds that they are by, or nullptr where they are
// too many by any.
const Thresholds* Lookup::list_alone(std::size_t query) {
  listed_ = 0;
  if (list_lines(query, plan_->probes, plan_->usual_lines)) return &plan_->thresholds;
  // Buckets far longer than usual: other thresholds may go round them.
  fitted_ = fit_thresholds(*ring_, chunks(query), plan_->radius);
  listed_ = 0;
  const Probes probes = make_probes(fitted_, ring_->tables);
  return list_lines(query, probes, plan_->most_lines) ? &fitted_ : nullptr;
}

std::vector<std::uint32_t> Lookup::lines(const std::uint8_t* query) {
  cut_chunks(query, ring_->bytes, chunks_.data());
  if (list_alone(0) == nullptr) return {};
  return {lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(listed_)};
}

// The keys of all buckets to visit, and how to test them.
void Lookup::find_buckets(std::size_t query, const Probes& probes) {
  const std::size_t count = probes.masks.size();
  keys_.resize(std::max(keys_.size(), count));
  bucket_tests_.resize(std::max(bucket_tests_.size(), count));
  std::uint32_t* keys = keys_.data();
  std::uint32_t* tests = bucket_tests_.data();
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const auto base = static_cast<std::uint32_t>(table * kDirectory);
    const std::uint32_t chunk = chunks(query)[table];
    const std::uint32_t sketch = chunks(query)[(table + 1) % ring_->tables];
    for (std::size_t k = probes.starts[table]; k < probes.starts[table + 1]; ++k) {
      keys[k] = base + (chunk ^ probes.masks[k]);
      tests[k] = sketch | probes.limits[k];
    }
  }
  for (std::size_t k = 0; k < std::min(count, kEarly); ++k)
    prefetch_line(ring_->directory + keys[k]);
  if (ring_->weights == nullptr) return;
  for (std::size_t table = 0; table < ring_->tables; ++table)
    for (std::size_t k = probes.starts[table]; k < probes.starts[table + 1]; ++k)
      prefetch_line(ring_->weights + (keys[k] - table) * kWeights);
}

// Writes down the cache lines of a table's buckets, whose keys stand from `first` to `end`, and how
// to test them; kWritten for each bucket, whether it has them or not, so that no branch depends on
// how many there are unless they are more. False if they are more than `most` in all.
template <std::uint32_t kWritten, bool kLarge>
bool Lookup::list_table(std::size_t table, std::size_t first, std::size_t end, std::size_t most) {
  // All in locals: what is written could be a member for all that the compiler knows.
  const std::uint32_t* directory = ring_->directory;
  const std::uint8_t* weights = ring_->weights;
  const std::uint32_t* keys = keys_.data();
  const std::uint32_t* bucket_tests = bucket_tests_.data();
  std::uint32_t* __restrict lines = lines_.data();
  std::uint32_t* __restrict tests = tests_.data();
  std::size_t listed = listed_;
  std::uint32_t last = 0;
  for (std::size_t k = first; k < end; ++k) {
    const std::uint32_t bucket_start = directory[keys[k]];
    const std::uint32_t bucket_end = directory[keys[k] + 1];
    const std::uint32_t test = bucket_tests[k];
    Lines bucket{static_cast<std::uint32_t>(bucket_start / kLine),
                 lines_between(bucket_start, bucket_end)};
    if constexpr (kLarge) {
      if (bucket_start > bucket_end) refuse_damaged();
      bucket = lines_near(bucket, weights + (keys[k] - table) * kWeights, test);
    }
    if (bucket.count > most - listed) return false;  // or the bucket ends before it starts
    last = std::max(last, bucket_end);
    for (std::uint32_t l = 0; l < kWritten; ++l) {
      lines[listed + l] = bucket.first + l;
      tests[listed + l] = test;
    }
    for (std::uint32_t l = kWritten; l < bucket.count; ++l) {
      lines[listed + l] = bucket.first + l;
      tests[listed + l] = test;
    }
    listed += bucket.count;
  }
  if (last > ring_->slots) refuse_damaged();
  // Memory works on these while the next table's are written down.
  for (std::size_t k = listed_; k < std::min(listed, kEarly); ++k)
    prefetch_line(ring_->sketches + lines[k] * std::size_t{kLine});
  listed_ = listed;
  return true;
}

// Adds the lines of one query to the list. False if they are more than `most`.
bool Lookup::list_lines(std::size_t query, const Probes& probes, std::size_t most) {
  most += listed_;
  lines_.resize(std::max(lines_.size(), most + kSlack));
  tests_.resize(std::max(tests_.size(), most + kSlack));
  find_buckets(query, probes);
  const bool large = ring_->weights != nullptr;
  const bool one_line = ring_->slots < kLine * kBuckets * ring_->tables;  // in most buckets
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const std::uint32_t start = probes.starts[table];
    const std::uint32_t end = probes.starts[table + 1];
    const bool listed = large      ? list_table<1, true>(table, start, end, most)
                        : one_line ? list_table<1, false>(table, start, end, most)
                                   : list_table<kMostWritten, false>(table, start, end, most);
    if (!listed) return false;
    ends_[query * ring_->tables + table] = listed_;
  }
  return true;
}

// Tests what is listed, of the queries from `first` on, and follows what passes. False if so much
// passes that comparing with all codes is cheaper, as soon as a part of the lines lets expect it
// and before more than usual was followed, so that little is lost on it.
bool Lookup::sieve(std::size_t first, const Thresholds& thresholds) {
  std::fill_n(lines_.begin() + static_cast<std::ptrdiff_t>(listed_), kAhead,
              listed_ == 0 ? 0u : lines_[listed_ - 1]);
  found_.clear();
  candidates_.clear();
  followed_ = 0;
  at_ = first * ring_->tables;
  links_.begin(*ring_,
               {*ring_, *kernel_, {codes_.data(), chunks_.data()}, thresholds, plan_->radius});
  const std::size_t most = plan_->most_candidates;
  std::size_t count = 0;
  for (std::size_t block = 0; block < listed_; block += kBlock) {
    const std::size_t size = std::min(kBlock, listed_ - block);
    const std::size_t passed =
        kernel_->sieve_lines(ring_->sketches, lines_.data() + block, tests_.data() + block, size,
                             masks_.data(), passed_.data());
    for (std::size_t i = 0; i < passed; ++i) {
      const std::uint32_t mask = masks_[passed_[i]];
      candidates_.push_back({static_cast<std::uint32_t>(block) + passed_[i], mask});
      count += static_cast<std::size_t>(std::popcount(mask));
    }
    const std::size_t done = block + size;
    if (count > most || (done >= listed_ / kForetold && count > most * done / listed_ + kFewPassed))
      return false;
    if (count > plan_->usual_candidates) continue;
    links_.advance();  // memory works on what these ask for while the next lines are tested
    follow(thresholds);
  }
  follow(thresholds);
  links_.finish(found_);
  return true;
}

// Begins to follow all that passed and was not followed yet.
void Lookup::follow(const Thresholds& thresholds) {
  std::uint64_t first_slot = 0;
  std::uint64_t slots = 0;
  for (std::size_t table_at = kNone; followed_ < candidates_.size(); ++followed_) {
    const Candidates& some = candidates_[followed_];
    while (some.line >= ends_[at_]) ++at_;
    const std::size_t table = ring_->around(at_);
    if (at_ != table_at) {
      const std::uint32_t* starts = ring_->directory + table * kDirectory;
      first_slot = starts[0];
      slots = starts[kBuckets] - first_slot;
      table_at = at_;
    }
    const std::uint64_t slot = lines_[some.line] * std::uint64_t{kLine};
    if (slot - first_slot >= slots) refuse_damaged();
    const auto query = static_cast<std::uint32_t>(at_ / ring_->tables);
    const int own = thresholds.bound(table, 2) - static_cast<int>(tests_[some.line] >> 16);
    links_.add(table, slot, some.mask, query, static_cast<std::uint32_t>(own));
    if (links_.waiting() >= kWaiting) links_.finish(found_);
  }
}

}  // namespace screener
