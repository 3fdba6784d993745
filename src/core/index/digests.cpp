#include "index/digests.h"

#include <algorithm>
#include <stdexcept>

namespace screener {
namespace {

constexpr std::size_t kBlock = 16;  // queries that wait for memory together
// Each guess brings the error down to about its root: of ten million values 1600, 40, 6, 3.
constexpr int kGuesses = 3;
constexpr std::size_t kWindow = 8;  // how far off the place may be after the last guess

std::uint64_t prefix_of(const std::uint8_t* value, std::size_t size) {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < size ? value[i] : 0);
  return prefix;
}

// Finds the first prefix that is not below the wanted one. Digests are like random numbers, so the
// place can be guessed from the value; other values take a binary search.
class Place {
 public:
  void begin(const Digests& digests, std::uint64_t wanted) {
    prefixes_ = digests.prefixes;
    wanted_ = wanted;
    low_ = 0;
    high_ = digests.count;
    density_ = static_cast<double>(digests.count) / 18446744073709551616.0;  // 2^64
    aim(static_cast<double>(wanted) * density_);
  }

  void guess() {
    if (low_ == high_) return;
    const std::uint64_t there = prefixes_[guess_];
    const double off = wanted_ > there ? static_cast<double>(wanted_ - there)
                                       : -static_cast<double>(there - wanted_);
    const double place = static_cast<double>(guess_) + off * density_;
    if (there < wanted_)
      low_ = guess_ + 1;
    else
      high_ = guess_;
    aim(place);
  }

  std::size_t find() const {
    std::size_t low = low_, high = high_;
    if (high - low > 2 * kWindow) {
      const std::size_t from = guess_ - std::min(guess_ - low, kWindow);
      const std::size_t to = guess_ + std::min(high - guess_, kWindow);
      if (from > low && prefixes_[from - 1] >= wanted_)
        high = from - 1;
      else if (to < high && prefixes_[to] < wanted_)
        low = to + 1;
      else
        low = from, high = to;
    }
    return static_cast<std::size_t>(std::lower_bound(prefixes_ + low, prefixes_ + high, wanted_) -
                                    prefixes_);
  }

 private:
  void aim(double place) {
    if (low_ == high_) return;
    const double first = static_cast<double>(low_), last = static_cast<double>(high_ - 1);
    guess_ = static_cast<std::size_t>(std::clamp(place, first, last));
    __builtin_prefetch(prefixes_ + guess_);
  }

  const std::uint64_t* prefixes_;
  std::uint64_t wanted_;
  std::size_t low_, high_;  // the place is from `low_` to `high_`, which may be the end
  std::size_t guess_;       // below `high_`
  double density_;
};

void add_equal(const Digests& digests, const std::uint8_t* query, std::uint64_t prefix,
               std::size_t at, std::vector<std::int64_t>& rows) {
  for (; at < digests.count && digests.prefixes[at] == prefix; ++at) {
    const std::size_t row = digests.order[at];
    if (row >= digests.count)
      throw std::domain_error("the index is damaged: a row beyond its values");
    if (std::equal(query, query + digests.size, digests.values + row * digests.size))
      rows.push_back(static_cast<std::int64_t>(row));
  }
}

}  // namespace

EqualRows find_equal(const Digests& digests, const std::uint8_t* queries, std::size_t query_count) {
  EqualRows found;
  found.offsets.reserve(query_count + 1);
  found.offsets.push_back(0);
  for (std::size_t start = 0; start < query_count; start += kBlock) {
    const std::size_t count = std::min(kBlock, query_count - start);
    const std::uint8_t* block = queries + start * digests.size;
    Place places[kBlock];
    std::uint64_t prefixes[kBlock];
    for (std::size_t i = 0; i < count; ++i) {
      prefixes[i] = prefix_of(block + i * digests.size, digests.size);
      places[i].begin(digests, prefixes[i]);
    }
    for (int guess = 0; guess < kGuesses; ++guess)
      for (std::size_t i = 0; i < count; ++i) places[i].guess();
    for (std::size_t i = 0; i < count; ++i) {
      add_equal(digests, block + i * digests.size, prefixes[i], places[i].find(), found.rows);
      found.offsets.push_back(static_cast<std::int64_t>(found.rows.size()));
    }
  }
  return found;
}

}  // namespace screener
