#include "lookup.h"

#include <algorithm>

namespace screener {
namespace {

constexpr std::size_t kBlock = 2048;  // lines tested at once: the masks stay in the first cache
constexpr std::size_t kWritten = 8;   // lines written for each bucket, whether it has them or not
constexpr std::size_t kEarly = 4096;  // lines that the second cache has room for
constexpr std::size_t kSlack = kAhead + kWritten;

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
  if (list_lines(plan_->thresholds, plan_->usual_lines)) {
    if (!sieve(plan_->thresholds)) return false;
  } else {
    // Buckets far longer than usual: other thresholds may go round them.
    const Thresholds fitted = fit_thresholds(*ring_, chunks_, plan_->radius);
    if (!list_lines(fitted, plan_->most_lines) || !sieve(fitted)) return false;
  }
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  for (const Found& one : found_) found.push_back({number, one.row, one.distance});
  return true;
}

// Writes down the cache lines of one bucket and how to test them. False if they are too many.
inline bool Lookup::list_bucket(std::size_t table, std::uint32_t key, std::uint32_t test,
                                std::size_t most) {
  const std::uint32_t* starts = ring_->directory + table * kDirectory;
  const std::uint32_t start = starts[key];
  const std::uint32_t end = starts[key + 1];
  if (start > end || start < starts[0] || end > starts[kBuckets]) refuse_damaged();
  const std::uint32_t first = start / kLine;
  const std::size_t count = lines_between(start, end);
  if (listed_ + count > most) return false;
  std::uint32_t* lines = lines_.data() + listed_;
  std::uint32_t* tests = tests_.data() + listed_;
  std::uint8_t* tables = tables_.data() + listed_;
  // Without a branch on how many lines there are, unless they are many.
  for (std::uint32_t k = 0; k < kWritten; ++k) {
    lines[k] = first + k;
    tests[k] = test;
    tables[k] = static_cast<std::uint8_t>(table);
  }
  for (std::uint32_t k = kWritten; k < count; ++k) {
    lines[k] = first + k;
    tests[k] = test;
    tables[k] = static_cast<std::uint8_t>(table);
  }
  listed_ += count;
  return true;
}

bool Lookup::list_lines(const Thresholds& thresholds, std::size_t most) {
  listed_ = 0;
  if (lines_.size() < most + kSlack) {
    lines_.resize(most + kSlack);
    tests_.resize(most + kSlack);
    tables_.resize(most + kSlack);
  }
  for (std::size_t table = 0; table < ring_->tables; ++table)
    for (int flips = 0; flips <= std::min(thresholds.of[table], 1); ++flips)
      for (const std::uint16_t mask : masks_of(flips))
        __builtin_prefetch(ring_->directory + table * kDirectory + (chunks_[table] ^ mask), 0, 2);
  for (std::size_t table = 0; table < ring_->tables; ++table) {
    const std::uint32_t sketch = chunks_[(table + 1) % ring_->tables];
    const std::size_t before = listed_;
    for (int flips = 0; flips <= thresholds.of[table]; ++flips) {
      const auto limit = static_cast<std::uint32_t>(thresholds.bound(table, 2) - flips);
      for (const std::uint16_t mask : masks_of(flips)) {
        const std::uint32_t key = static_cast<std::uint32_t>(chunks_[table]) ^ mask;
        if (!list_bucket(table, key, make_test(sketch, limit), most)) return false;
      }
    }
    // Memory works on these while the next table's are written down.
    for (std::size_t k = before; k < std::min(listed_, kEarly); ++k)
      __builtin_prefetch(ring_->sketches + lines_[k] * kLine, 0, 2);
  }
  std::fill_n(lines_.begin() + static_cast<std::ptrdiff_t>(listed_), kAhead,
              listed_ == 0 ? 0u : lines_[listed_ - 1]);
  return true;
}

// Tests what is listed and follows what passes. False if that became too much.
bool Lookup::sieve(const Thresholds& thresholds) {
  found_.clear();
  walk_.begin(*ring_, *kernel_, {query_, chunks_}, thresholds, plan_->radius);
  for (std::size_t first = 0; first < listed_; first += kBlock) {
    const std::size_t count = std::min(kBlock, listed_ - first);
    const std::size_t passed =
        kernel_->sieve_lines(ring_->sketches, lines_.data() + first, tests_.data() + first, count,
                             masks_.data(), passed_.data());
    for (std::size_t i = 0; i < passed; ++i) {
      const std::size_t k = passed_[i];
      walk_.add(tables_[first + k], lines_[first + k] * std::uint64_t{kLine}, masks_[k], 0,
                tests_[first + k]);
      if (walk_.followed() + walk_.waiting() > plan_->most_candidates) return false;
    }
    walk_.finish(found_);
  }
  return true;
}

}  // namespace screener
