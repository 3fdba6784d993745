#include "lookup.h"

#include <algorithm>

namespace screener {
namespace {

constexpr std::size_t kBlock = 2048;  // lines tested at once: the masks stay in the first cache
constexpr std::uint32_t kMostWritten = 8;  // lines written for each bucket, there or not
constexpr std::size_t kEarly = 4096;       // lines that the second cache has room for
constexpr std::size_t kSlack = kAhead + kMostWritten;

}  // namespace

Lookup::Lookup() : masks_(kBlock + 16), passed_(kBlock + 16) {}

void Lookup::begin(const Ring& ring, const RingKernel& kernel, const RadiusPlan& plan) {
  ring_ = &ring;
  kernel_ = &kernel;
  plan_ = &plan;
}

bool Lookup::run(const std::uint8_t* query, std::uint32_t number, std::vector<Found>& found) {
  query_ = query;
  cut_chunks(query, ring_->bytes, chunks_);
  if (list_lines(plan_->probes, plan_->usual_lines)) {
    if (!sieve(plan_->thresholds)) return false;
  } else {
    // Buckets far longer than usual: other thresholds may go round them.
    const Thresholds fitted = fit_thresholds(*ring_, chunks_, plan_->radius);
    if (!list_lines(make_probes(fitted, ring_->tables), plan_->most_lines) || !sieve(fitted))
      return false;
  }
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  for (const Found& one : found_) found.push_back({number, one.row, one.distance});
  return true;
}

// The keys of all buckets to visit, and how to test them.
void Lookup::find_buckets(const Probes& probes) {
  const std::size_t count = probes.masks.size();
  if (keys_.size() < count) {
    keys_.resize(count);
    bucket_tests_.resize(count);
  }
  std::uint32_t* keys = keys_.data();
  std::uint32_t* tests = bucket_tests_.data();
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const auto base = static_cast<std::uint32_t>(table * kDirectory);
    const std::uint32_t chunk = chunks_[table];
    const std::uint32_t sketch = chunks_[(table + 1) % ring_->tables];
    for (std::size_t k = probes.starts[table]; k < probes.starts[table + 1]; ++k) {
      keys[k] = base + (chunk ^ probes.masks[k]);
      tests[k] = sketch | probes.limits[k];
    }
  }
  for (std::size_t k = 0; k < std::min(count, kEarly); ++k)
    __builtin_prefetch(ring_->directory + keys[k], 0, 2);
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
  // Memory works on these while the next table's are written down.
  for (std::size_t k = listed_; k < std::min(listed, kEarly); ++k)
    __builtin_prefetch(ring_->sketches + lines[k] * std::size_t{kLine}, 0, 2);
  listed_ = listed;
  return true;
}

bool Lookup::list_lines(const Probes& probes, std::size_t most) {
  listed_ = 0;
  if (lines_.size() < most + kSlack) {
    lines_.resize(most + kSlack);
    tests_.resize(most + kSlack);
  }
  find_buckets(probes);
  const bool one_line = ring_->slots < kLine * kBuckets * ring_->tables;  // in most buckets
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const std::uint32_t start = probes.starts[table];
    const std::uint32_t end = probes.starts[table + 1];
    if (!(one_line ? list_table<1>(start, end, most) : list_table<kMostWritten>(start, end, most)))
      return false;
    ends_[table] = listed_;
  }
  std::fill_n(lines_.begin() + static_cast<std::ptrdiff_t>(listed_), kAhead,
              listed_ == 0 ? 0u : lines_[listed_ - 1]);
  return true;
}

// Tests what is listed and follows what passes. False if that became too much.
bool Lookup::sieve(const Thresholds& thresholds) {
  found_.clear();
  walk_.begin(*ring_, *kernel_, {query_, chunks_}, thresholds, plan_->radius);
  std::size_t table = 0;
  for (std::size_t first = 0; first < listed_; first += kBlock) {
    const std::size_t count = std::min(kBlock, listed_ - first);
    const std::size_t passed =
        kernel_->sieve_lines(ring_->sketches, lines_.data() + first, tests_.data() + first, count,
                             masks_.data(), passed_.data());
    for (std::size_t i = 0; i < passed; ++i) {
      const std::size_t k = first + passed_[i];
      while (k >= ends_[table]) ++table;
      const std::uint64_t slot = lines_[k] * std::uint64_t{kLine};
      const std::uint32_t* starts = ring_->directory + table * kDirectory;
      if (slot < starts[0] || slot >= starts[kBuckets]) refuse_damaged();
      walk_.add(table, slot, masks_[passed_[i]], 0, tests_[k]);
      if (walk_.followed() + walk_.waiting() > plan_->most_candidates) return false;
    }
    walk_.finish(found_);
  }
  return true;
}

}  // namespace screener
