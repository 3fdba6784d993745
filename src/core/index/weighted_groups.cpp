#include "index/weighted_groups.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>

namespace screener {
namespace {

constexpr std::size_t kReach = 15;         // queries behind one that may join it
constexpr std::uint32_t kMostSum = 254;    // below what a byte ends at
constexpr std::uint32_t kScaleBits = 16;   // sums are scaled to that: factors are of 2^-16
constexpr std::uint32_t kMostImpure = 40;  // of 64 half bytes that differ in a part of their bits
constexpr float kSpreads = 3.6f;           // between the sum of a random code and the limit

// Half bytes of the codes that are laid out, and what is known of each.
struct Halves {
  std::array<std::uint8_t, kMostHalves> classes;
  std::array<std::uint32_t, kMostHalves> sorted;  // sums of weights and numbers, heaviest first
  std::array<float, kMostHalves> variances;       // of what a random code adds
  std::size_t count;
};

// Whether about half of twice as many parts are some of them.
bool is_about_half(std::size_t some, std::size_t half) {
  return 4 * some >= 3 * half && 4 * some <= 5 * half;
}

// Whether most half bytes of two codes are equal or opposite, and neither by far the most.
bool look_alike(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  std::uint32_t impure = 0;
  std::uint32_t differing = 0;
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t x;
    std::uint64_t y;
    std::memcpy(&x, a + at, 8);
    std::memcpy(&y, b + at, 8);
    x ^= y;
    differing += static_cast<std::uint32_t>(std::popcount(x));
    // A bit at the end of each half if its neighbours in it differ.
    x ^= x >> 2;
    x &= 0x3f3f3f3f3f3f3f3f;
    x |= x >> 2;
    x |= x >> 2;
    impure += static_cast<std::uint32_t>(std::popcount(x & 0x0303030303030303));
  }
  return impure * 32 <= kMostImpure * bytes && is_about_half(differing, 4 * bytes);
}

// Lets a query join, not yet counted. Returns the sum of the weights that are left, or 0 if it is
// no mirror image.
std::uint32_t join(QueryGroup& group, const WeighedQuery& first, const WeighedQuery& query,
                   std::size_t bytes) {
  const std::size_t place = group.weighed.count;
  std::uint32_t left = 0;
  std::uint32_t halves = 0;  // that are turned
  std::uint32_t last = 0;    // that will be in the last query
  for (std::size_t b = 0; b < bytes; ++b) {
    const std::uint32_t differing = first.code[b] ^ query.code[b];
    std::uint32_t sums[2][2] = {};  // of each half: of its bits that are equal, that differ
    std::uint8_t* weights = group.weights.data() + 8 * b;
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      weights[bit] = std::min(weights[bit], query.weights[8 * b + bit]);
      sums[bit & 1][differing >> bit & 1] += weights[bit];
    }
    for (std::uint32_t half = 0; half < 2; ++half) {
      std::uint8_t& own = group.classes[2 * b + half];
      if (place < 3 && sums[half][1] > sums[half][0])
        own = static_cast<std::uint8_t>(own | 1u << (place - 1));
      const std::uint32_t turned = is_turned(place, own);
      for (std::uint32_t bit = half; bit < 8; bit += 2)
        if ((differing >> bit & 1) != turned) weights[bit] = 0;
      left += sums[half][turned];
      halves += turned;
      last += is_turned(3, own);
    }
  }
  const bool all = is_about_half(halves, bytes) && (place == 1 || is_about_half(last, bytes));
  return all ? left : 0;
}

// What half a byte adds for each of its sixteen values, scaled down: as a whole, or each bit, so
// that opposite values add up to the same total. Bit k has weights[2 * k].
void sum_half(const std::uint8_t* weights, std::uint32_t half, std::uint32_t scale, bool each,
              std::uint8_t* sums) {
  std::uint32_t found[16] = {};
  for (std::uint32_t k = 0; k < 4; ++k) {
    std::uint32_t weight = weights[2 * k] * scale;
    if (each) weight = weight >> kScaleBits << kScaleBits;
    for (std::uint32_t bits = 0; bits < 1u << k; ++bits)
      found[bits + (1u << k)] = found[bits] + weight;
  }
  for (std::uint32_t value = 0; value < 16; ++value)
    sums[value] = static_cast<std::uint8_t>(std::min(found[value ^ half] >> kScaleBits, 255u));
}

// The bits of half h of a code, the lowest first.
std::uint32_t half_of(const std::uint8_t* code, std::size_t h) {
  std::uint32_t x = code[h / 2] >> h % 2 & 0x55u;
  x = (x | x >> 1) & 0x33;
  return (x | x >> 2) & 0x0f;
}

// Writes down which halves to read first, the heaviest of each class, so that few random codes stay
// within the budget. A lone query has no classes, and those of two queries are read in turns.
// Returns the largest sum of a class; nothing if there are not enough of them.
std::optional<std::uint32_t> choose_halves(const Halves& halves, std::uint32_t budget,
                                           WeighedGroup& group) {
  std::array<std::uint32_t, kMostHalves> lists[kGrouped];
  std::size_t counts[kGrouped] = {};
  for (std::size_t i = 0; i < halves.count; ++i) {
    std::size_t c = i % kGrouped;
    if (group.count > 1) c = halves.classes[halves.sorted[i] % kMostHalves];
    if (group.count == 2 && counts[c] > counts[c + 2]) c += 2;
    lists[c][counts[c]++] = halves.sorted[i];
  }
  const std::size_t most = *std::min_element(counts, counts + kGrouped);
  std::uint32_t sums[kGrouped] = {};
  float mean = 0;
  float variance = 0;
  std::size_t first = 0;
  for (std::size_t round = 0; round < most; ++round) {
    if (mean < static_cast<float>(budget) + kSpreads * std::sqrt(variance)) first = round + 1;
    for (std::size_t c = 0; c < kGrouped; ++c) {
      const std::uint32_t half = lists[c][round] % kMostHalves;
      group.order[kGrouped * round + c] = static_cast<std::uint8_t>(half);
      if (round >= first) continue;
      sums[c] += lists[c][round] / kMostHalves;
      mean += static_cast<float>(lists[c][round] / kMostHalves) / 2;
      variance += halves.variances[half];
    }
  }
  group.rounds = static_cast<std::uint8_t>(first);
  group.size = static_cast<std::uint8_t>(kGrouped * most);
  if (first == most) return {};
  return *std::max_element(sums, sums + kGrouped);
}

}  // namespace

void QueryGroups::begin(const WeightedBatch& batch, const std::uint32_t* numbers, std::size_t some,
                        std::size_t bytes) {
  bytes_ = bytes;
  queries_.resize(some);
  weights_.resize(some * 8 * bytes);
  std::vector<std::uint32_t> waiting;
  for (std::uint32_t at = 0; at < some; ++at) {
    const std::size_t number = numbers[at];
    if (batch.budgets[number] < 0) continue;
    std::uint8_t* weights = weights_.data() + at * 8 * bytes;
    order_weights(batch, number, bytes, weights);
    queries_[at] = {batch.codes + number * bytes, weights, budget_of(batch, number, bytes)};
    waiting.push_back(at);
  }
  active_ = waiting.size();
  size_ = 0;
  groups_.clear();
  std::vector<bool> taken(active_, false);
  for (std::size_t at = 0; at < active_; ++at)
    if (!taken[at]) groups_.push_back(group_from(waiting, at, taken));
}

QueryGroup QueryGroups::lone(std::uint32_t query) const {
  QueryGroup group{};
  group.weighed.count = 1;
  group.queries[0] = query;
  std::copy_n(queries_[query].weights, 8 * bytes_, group.weights.begin());
  return group;
}

// One of those waiting, with three that stand behind it and are not taken yet if there are, or with
// one.
QueryGroup QueryGroups::group_from(const std::vector<std::uint32_t>& waiting, std::size_t at,
                                   std::vector<bool>& taken) const {
  QueryGroup group = lone(waiting[at]);
  QueryGroup pair;
  const WeighedQuery& first = queries_[waiting[at]];
  const std::uint32_t whole = std::accumulate(first.weights, first.weights + 8 * bytes_, 0u);
  std::array<std::size_t, kGrouped - 1> joined{};
  const std::size_t end = std::min(waiting.size(), at + 1 + kReach);
  for (std::size_t next = at + 1; next < end && group.weighed.count < kGrouped; ++next) {
    const WeighedQuery& query = queries_[waiting[next]];
    if (taken[next] || !look_alike(first.code, query.code, bytes_)) continue;
    QueryGroup grown = group;
    if (join(grown, first, query, bytes_) < whole - whole / 4) continue;
    grown.queries[grown.weighed.count++] = waiting[next];
    group = grown;
    joined[group.weighed.count - 2] = next;
    if (group.weighed.count == 2) pair = group;
  }
  if (group.weighed.count == 3) group = pair;
  for (std::size_t i = 0; i + 1 < group.weighed.count; ++i) taken[joined[i]] = true;
  return group;
}

void QueryGroups::dissolve(std::size_t at) {
  const QueryGroup group = groups_[at];
  groups_[at] = lone(group.queries[0]);
  sum_up(groups_[at]);
  for (std::size_t i = 1; i < group.weighed.count; ++i) {
    groups_.push_back(lone(group.queries[i]));
    sum_up(groups_.back());
  }
}

void QueryGroups::sum_up(std::size_t first, std::size_t size) {
  first_ = first;
  size_ = size;
  const std::size_t needed = queries_.size() * 32 * bytes_;
  if (sums_.bytes() < needed) sums_ = Pages(needed);
  for (std::size_t i = groups_.size(); i-- != 0;)
    if (!sum_up(groups_[i])) dissolve(i);
}

// False if the bound of several queries would let too much through.
bool QueryGroups::sum_up(QueryGroup& group) {
  WeighedGroup& weighed = group.weighed;
  std::uint32_t budget = 0;
  for (std::size_t i = 0; i < weighed.count; ++i)
    budget = std::max(budget, queries_[group.queries[i]].budget);
  Halves halves;
  halves.count = 2 * size_;
  for (std::uint32_t h = 0; h < halves.count; ++h) {
    const std::uint8_t* weights = group.weights.data() + 8 * (first_ + h / 2) + h % 2;
    std::uint32_t sum = 0;
    std::uint32_t squares = 0;
    for (std::size_t k = 0; k < 8; k += 2) {
      sum += weights[k];
      squares += std::uint32_t{weights[k]} * weights[k];
    }
    halves.classes[h] = group.classes[2 * first_ + h];
    halves.sorted[h] = sum * kMostHalves + h;
    halves.variances[h] = static_cast<float>(squares) / 4;
  }
  std::sort(halves.sorted.begin(),
            halves.sorted.begin() + static_cast<std::ptrdiff_t>(halves.count), std::greater<>());
  const bool several = weighed.count > 1;
  const std::optional<std::uint32_t> largest = choose_halves(halves, budget, weighed);
  if (several && !largest) return false;
  // What a class adds up to has to fit into a byte, too: sums that end there have no rest.
  const std::uint32_t most = std::max({budget, several ? *largest : 0, kMostSum});
  const std::uint32_t scale = (kMostSum << kScaleBits) / most;
  weighed.limit = static_cast<std::uint8_t>(budget * scale >> kScaleBits);
  std::uint8_t* sums = sums_.as<std::uint8_t>() + group.queries[0] * 32 * bytes_;
  weighed.sums = sums;
  const std::uint8_t* code = queries_[group.queries[0]].code + first_;
  for (std::uint32_t h = 0; h < halves.count; ++h)
    sum_half(group.weights.data() + 8 * (first_ + h / 2) + h % 2, half_of(code, h), scale, several,
             sums + 16 * h);
  std::fill_n(weighed.totals, kGrouped, std::uint8_t{0});
  for (std::size_t i = 0; several && i < kGrouped * weighed.rounds; ++i) {
    const std::size_t h = weighed.order[i];
    weighed.totals[i % kGrouped] = static_cast<std::uint8_t>(
        weighed.totals[i % kGrouped] + sums[16 * h + (half_of(code, h) ^ 15)]);
  }
  return true;
}

std::vector<bool> find_dear(const WeightedQueries& queries, const WeightedBatch& batch,
                            const std::uint32_t* numbers, const WeightedCosts& costs, double most) {
  const auto cost = [&](std::size_t at) { return costs.of(queries.spread(at).buckets); };
  std::vector<bool> dear(queries.count(), false);
  double dearest = 0;
  for (std::size_t at = 0; at < queries.count(); ++at) dearest = std::max(dearest, cost(at));
  if (static_cast<double>(std::min(kGrouped, queries.count())) * dearest <= most) return dear;
  QueryGroups groups;
  groups.begin(batch, numbers, queries.count(), queries.bytes());
  for (const QueryGroup& group : groups.groups()) {
    double sum = 0;
    for (std::size_t i = 0; i < group.weighed.count; ++i) sum += cost(group.queries[i]);
    if (sum <= most) continue;
    for (std::size_t i = 0; i < group.weighed.count; ++i) dear[group.queries[i]] = true;
  }
  return dear;
}

}  // namespace screener
