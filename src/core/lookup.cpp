#include "lookup.h"

#include <algorithm>
#include <bit>

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
    if (run_alone(i))
      give(numbers, found);
    else
      left.push_back(numbers[i]);
  }
}

// Hands over what was found, in order and each once.
void Lookup::give(std::span<const std::uint32_t> numbers, std::vector<Found>& found) {
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  for (const Found& one : found_) found.push_back({numbers[one.query], one.row, one.distance});
}

// False where one of the queries needs a closer look.
bool Lookup::run_together() {
  listed_ = 0;
  for (std::size_t i = 0; i < size_; ++i)
    if (!list_lines(i, plan_->probes, plan_->usual_lines)) return false;
  return sieve(0, plan_->thresholds);
}

bool Lookup::run_alone(std::size_t query) {
  listed_ = 0;
  if (list_lines(query, plan_->probes, plan_->usual_lines)) return sieve(query, plan_->thresholds);
  // Buckets far longer than usual: other thresholds may go round them.
  const Thresholds fitted = fit_thresholds(*ring_, chunks(query), plan_->radius);
  listed_ = 0;
  return list_lines(query, make_probes(fitted, ring_->tables), plan_->most_lines) &&
         sieve(query, fitted);
}

std::vector<std::uint32_t> Lookup::lines(const std::uint8_t* query) {
  cut_chunks(query, ring_->bytes, chunks_.data());
  listed_ = 0;
  if (!list_lines(0, plan_->probes, plan_->usual_lines)) {
    const Thresholds fitted = fit_thresholds(*ring_, chunks(0), plan_->radius);
    listed_ = 0;
    if (!list_lines(0, make_probes(fitted, ring_->tables), plan_->most_lines)) return {};
  }
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
    __builtin_prefetch(ring_->directory + keys[k], 0, 2);
  if (ring_->weights == nullptr) return;
  for (std::size_t table = 0; table < ring_->tables; ++table)
    for (std::size_t k = probes.starts[table]; k < probes.starts[table + 1]; ++k)
      __builtin_prefetch(ring_->weights + (keys[k] - table) * kWeights, 0, 2);
}

// Memory works on these while the next table's are written down.
void Lookup::prefetch_lines(std::size_t first, std::size_t end) const {
  for (std::size_t k = first; k < std::min(end, kEarly); ++k)
    __builtin_prefetch(ring_->sketches + lines_[k] * std::size_t{kLine}, 0, 2);
}

// Writes down the cache lines of the buckets from `first` to `end`, and how to test them; kWritten
// for each bucket, whether it has them or not, so that no branch depends on how many there are
// unless they are more. False if they are more than `most` in all.
template <std::uint32_t kWritten>
bool Lookup::list_table(std::size_t first, std::size_t end, std::size_t most) {
  // All in locals: what is written could be a member for all that the compiler knows.
  const std::uint32_t* directory = ring_->directory;
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
    const std::uint32_t line = bucket_start / kLine;
    const std::uint32_t count = lines_between(bucket_start, bucket_end);
    if (count > most - listed) return false;  // so it is, too, where a bucket ends before it starts
    last = std::max(last, bucket_end);
    for (std::uint32_t l = 0; l < kWritten; ++l) {
      lines[listed + l] = line + l;
      tests[listed + l] = test;
    }
    for (std::uint32_t l = kWritten; l < count; ++l) {
      lines[listed + l] = line + l;
      tests[listed + l] = test;
    }
    listed += count;
  }
  if (last > ring_->slots) refuse_damaged();
  prefetch_lines(listed_, listed);
  listed_ = listed;
  return true;
}

// The same of large tables: of each bucket only the lines where sketches may have few enough bits
// more or fewer than the query's.
bool Lookup::list_large(std::size_t table, std::size_t first, std::size_t end, std::size_t most) {
  const std::uint32_t* directory = ring_->directory;
  const std::uint8_t* weights = ring_->weights;
  std::uint32_t* __restrict lines = lines_.data();
  std::uint32_t* __restrict tests = tests_.data();
  std::size_t listed = listed_;
  std::uint32_t last = 0;
  for (std::size_t k = first; k < end; ++k) {
    const std::uint32_t key = keys_[k];
    const std::uint32_t bucket_start = directory[key];
    const std::uint32_t bucket_end = directory[key + 1];
    if (bucket_start > bucket_end) refuse_damaged();
    const std::uint32_t test = bucket_tests_[k];
    const std::uint32_t weight = count_bits(test & 0xffffu);
    const std::uint32_t limit = test >> 16;
    const std::uint8_t* starts = weights + (key - table) * kWeights;
    std::uint32_t line = bucket_start / kLine;
    std::uint32_t count = lines_between(bucket_start, bucket_end);
    if (weight + limit < kWeights && starts[weight + limit] != kManyLines)
      count = std::min<std::uint32_t>(count, starts[weight + limit] + 1u);
    if (weight > limit) {
      const std::uint32_t before = std::min<std::uint32_t>(count, starts[weight - limit - 1]);
      line += before;
      count -= before;
    }
    if (count > most - listed) return false;
    last = std::max(last, bucket_end);
    for (std::uint32_t l = 0; l < count; ++l) {
      lines[listed + l] = line + l;
      tests[listed + l] = test;
    }
    listed += count;
  }
  if (last > ring_->slots) refuse_damaged();
  prefetch_lines(listed_, listed);
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
    const bool listed = large      ? list_large(table, start, end, most)
                        : one_line ? list_table<1>(start, end, most)
                                   : list_table<kMostWritten>(start, end, most);
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
  walk_.begin(*ring_, *kernel_, {codes_.data(), chunks_.data()}, thresholds, plan_->radius);
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
    walk_.advance();  // memory works on what these ask for while the next lines are tested
    follow();
  }
  follow();
  walk_.finish(found_);
  return true;
}

// Begins to follow all that passed and was not followed yet.
void Lookup::follow() {
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
    walk_.add(table, slot, some.mask, query, tests_[some.line]);
    if (walk_.waiting() >= kWaiting) walk_.finish(found_);
  }
}

}  // namespace screener
