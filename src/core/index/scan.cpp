#include "index/scan.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace screener {
namespace {

constexpr std::size_t kBlockQueries = 4096;  // scanned in one pass over all codes
constexpr std::size_t kReplanTiles = 256;

// What confirming one pair costs, in units of one more sieve word for one pair; timed.
constexpr double kConfirmCost = 256;

struct FoundRow {
  std::int64_t row;
  std::uint32_t query;
  std::uint16_t distance;
};

// The share of random codes that differ in at most `radius` of `bits` bits.
double share_within(std::uint32_t bits, std::uint32_t radius) {
  if (radius >= bits) return 1;
  double term = 1;
  for (std::uint32_t i = 0; i < bits; ++i) term /= 2;
  double sum = term;
  for (std::uint32_t k = 0; k < radius; ++k) {
    term *= static_cast<double>(bits - k) / (k + 1);
    sum += term;
  }
  return sum;
}

// The number of sieve words that is cheapest on random codes.
std::uint32_t plan_sieve(std::uint32_t words, std::uint32_t radius) {
  std::uint32_t best = words;
  double least = words;
  for (std::uint32_t w = 1; w < words; ++w) {
    const double cost = w + kConfirmCost * share_within(32 * w, radius);
    if (cost < least) {
      least = cost;
      best = w;
    }
  }
  return best;
}

// One scan's constant parts and its scratch memory.
class Scan {
 public:
  Scan(const ScanKernel& kernel, const std::uint8_t* codes, std::size_t count, std::size_t bytes,
       std::uint32_t radius)
      : kernel_(kernel),
        codes_(codes),
        count_(count),
        bytes_(bytes),
        words_(static_cast<std::uint32_t>(bytes / 4)),
        radius_(radius),
        planned_(plan_sieve(words_, radius)),
        scratch_(std::make_unique_for_overwrite<Scratch>()) {}

  void run(const std::uint8_t* queries, std::size_t query_count, ScanResult& result) {
    pack(queries, query_count);
    found_.clear();
    std::uint32_t sieve_words = planned_;
    for (std::size_t first = 0, tiles = 0; first < count_; first += kTileRows, ++tiles) {
      if (tiles % kReplanTiles == 0) sieve_words = planned_;
      const Tile tile = lay_out(first, sieve_words);
      const std::size_t rejected = scan_tile(tile, first, queries, query_count);
      // Real codes are less even than random ones. Where the sieve lets through more than
      // another word would cost, widen it; at worst the whole code is compared at once.
      const double pairs = static_cast<double>(tile.count) * static_cast<double>(query_count);
      const double excess = kConfirmCost * static_cast<double>(rejected) / pairs;
      if (excess > words_) sieve_words = words_;
      if (excess > 1 && sieve_words < words_) ++sieve_words;
    }
    append(query_count, result);
  }

 private:
  struct Scratch {
    alignas(64) std::uint32_t columns[kMaxWords * kColumnStride];
    Hit hits[kTileRows * kTileQueries];
  };

  // Groups of eight queries word by word, then the rest one by one.
  void pack(const std::uint8_t* queries, std::size_t query_count) {
    packed_.resize(query_count * words_);
    std::uint32_t* out = packed_.data();
    for (std::size_t first = 0; first < query_count;) {
      const std::size_t group = group_at(first, query_count);
      for (std::size_t w = 0; w < words_; ++w)
        for (std::size_t j = 0; j < group; ++j)
          std::memcpy(out++, queries + (first + j) * bytes_ + 4 * w, 4);
      first += group;
    }
  }

  static std::size_t group_at(std::size_t first, std::size_t query_count) {
    return query_count - first >= kTileQueries ? kTileQueries : 1;
  }

  Tile lay_out(std::size_t first, std::uint32_t sieve_words) {
    const std::size_t count = std::min(kTileRows, count_ - first);
    const std::uint8_t* codes = codes_ + first * bytes_;
    lay_out_columns(codes, count, words_, sieve_words, scratch_->columns);
    return {codes, scratch_->columns, static_cast<std::uint32_t>(count), words_, sieve_words};
  }

  // Returns how many pairs passed the sieve and were no hits.
  std::size_t scan_tile(const Tile& tile, std::size_t first_row, const std::uint8_t* queries,
                        std::size_t query_count) {
    std::size_t rejected = 0;
    Hit* hits = scratch_->hits;
    for (std::size_t first = 0; first < query_count;) {
      const std::size_t group = group_at(first, query_count);
      const Queries some = {queries + first * bytes_, packed_.data() + first * words_};
      const auto sieve = group == 1 ? kernel_.sieve_one : kernel_.sieve_eight;
      const std::size_t passed = sieve(tile, some, radius_, hits);
      if (passed != 0) {
        const std::size_t kept = kernel_.confirm(tile, some, radius_, hits, passed);
        rejected += passed - kept;
        for (std::size_t i = 0; i < kept; ++i)
          found_.push_back({static_cast<std::int64_t>(first_row + hits[i].row),
                            static_cast<std::uint32_t>(first + hits[i].query), hits[i].distance});
      }
      first += group;
    }
    return rejected;
  }

  // What was found stands in order of rows; a counting sort by query keeps that order.
  void append(std::size_t query_count, ScanResult& result) {
    const std::size_t before = result.rows.size();
    std::vector<std::size_t> next(query_count + 1, 0);
    for (const FoundRow& found : found_) ++next[found.query + 1];
    next[0] = before;
    for (std::size_t i = 1; i <= query_count; ++i) {
      next[i] += next[i - 1];
      result.offsets.push_back(static_cast<std::int64_t>(next[i]));
    }
    result.rows.resize(before + found_.size());
    result.distances.resize(before + found_.size());
    for (const FoundRow& found : found_) {
      const std::size_t at = next[found.query]++;
      result.rows[at] = found.row;
      result.distances[at] = found.distance;
    }
  }

  const ScanKernel& kernel_;
  const std::uint8_t* codes_;
  std::size_t count_;
  std::size_t bytes_;
  std::uint32_t words_;
  std::uint32_t radius_;
  std::uint32_t planned_;
  std::unique_ptr<Scratch> scratch_;
  std::vector<std::uint32_t> packed_;
  std::vector<FoundRow> found_;
};

}  // namespace

void check_width(std::size_t bytes) {
  if (bytes != 8 && bytes != 16 && bytes != 32 && bytes != 64)
    throw std::invalid_argument("codes have 8, 16, 32 or 64 bytes");
}

ScanResult scan(const ScanKernel& kernel, const std::uint8_t* codes, std::size_t count,
                const std::uint8_t* queries, std::size_t query_count, std::size_t bytes,
                std::uint32_t radius) {
  check_width(bytes);
  ScanResult result;
  result.offsets.reserve(query_count + 1);
  result.offsets.push_back(0);
  const auto bits = static_cast<std::uint32_t>(8 * bytes);
  Scan state(kernel, codes, count, bytes, std::min(radius, bits));
  for (std::size_t first = 0; first < query_count; first += kBlockQueries)
    state.run(queries + first * bytes, std::min(kBlockQueries, query_count - first), result);
  return result;
}

}  // namespace screener
