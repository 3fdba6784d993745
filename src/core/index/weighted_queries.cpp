#include "index/weighted_queries.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace screener {
namespace {

constexpr std::size_t kGrid = 64;          // steps of a threshold
constexpr std::size_t kWidest = 3;         // times its even share that a threshold may reach
constexpr std::uint32_t kMostBound = 360;  // of two chunks in a kernel's test

// How many changes of a chunk weigh about so many steps.
using Counts = std::array<std::uint32_t, kGrid>;

Counts count_changes(const std::uint8_t* weights, std::uint32_t step) {
  // Twice in turn, zeros before each, so that what is not there needs no test.
  std::array<std::uint32_t, 2 * kGrid> counts[2] = {};
  counts[0][kGrid] = 1;
  std::size_t now = 0;
  for (std::size_t bit = 0; bit < 16; ++bit) {
    const std::size_t steps = (weights[bit] + step / 2) / step;
    if (steps >= kGrid) continue;
    const std::uint32_t* from = counts[now].data() + kGrid;
    std::uint32_t* to = counts[1 - now].data() + kGrid;
    for (std::size_t k = 0; k < kGrid; ++k) to[k] = from[k] + (from - steps)[k];
    now = 1 - now;
  }
  Counts found;
  std::copy_n(counts[now].begin() + kGrid, kGrid, found.begin());
  return found;
}

// What half a byte adds for each of its sixteen values.
inline void sum_half(const std::uint8_t* weights, std::uint32_t half, std::uint32_t shift,
                     std::uint8_t* sums) {
  const std::uint32_t w0 = weights[0];
  const std::uint32_t w1 = weights[1];
  const std::uint32_t w2 = weights[2];
  const std::uint32_t w3 = weights[3];
  for (std::uint32_t value = 0; value < 16; ++value) {
    const std::uint32_t x = value ^ half;
    const std::uint32_t sum = (x & 1) * w0 + (x >> 1 & 1) * w1 + (x >> 2 & 1) * w2 + (x >> 3) * w3;
    sums[value] = static_cast<std::uint8_t>(std::min(sum >> shift, 255u));
  }
}

// For each bit of each chunk where a batch has its weight.
const std::vector<std::uint16_t>& places_of(std::size_t bytes) {
  const auto places = [](std::size_t width) {
    std::vector<std::uint16_t> bits = chunk_bits(width);
    for (std::uint16_t& bit : bits) bit = static_cast<std::uint16_t>(bit ^ 7);
    return bits;
  };
  static const std::vector<std::uint16_t> of[4] = {places(8), places(16), places(32), places(64)};
  return of[bytes == 8 ? 0 : bytes == 16 ? 1 : bytes == 32 ? 2 : 3];
}

}  // namespace

Spread spread_budget(const std::uint8_t* weights, std::size_t tables, std::uint32_t budget,
                     const std::uint32_t* dear) {
  const std::uint32_t all = budget + 1;  // of the thresholds, each with one added
  const auto room = static_cast<std::uint32_t>(tables * kGrid);
  const std::uint32_t step = (kWidest * all + room - 1) / room;
  std::array<Counts, kMostChunks> counts;
  for (std::size_t i = 0; i < tables; ++i) counts[i] = count_changes(weights + 16 * i, step);
  std::array<std::uint32_t, kMostChunks> steps{};
  std::uint32_t left = all / step;
  double buckets = 0;
  for (std::uint64_t most = 1; left != 0; most += most / 4 + 1)
    for (std::size_t i = 0; i < tables && left != 0; ++i) {
      const std::uint64_t cost = dear == nullptr ? 1 : dear[i];
      for (; left != 0 && steps[i] < kGrid && counts[i][steps[i]] * cost <= most; --left)
        buckets += counts[i][steps[i]++];
    }
  std::array<int, kMostChunks> values{};
  for (std::size_t i = 0; i < tables; ++i) values[i] = static_cast<int>(steps[i] * step) - 1;
  // What is less than a step goes to the widest, where it adds the least.
  *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(tables)) +=
      static_cast<int>(all % step);
  return {make_thresholds({values.data(), tables}), buckets};
}

std::uint32_t budget_of(const WeightedBatch& batch, std::size_t number, std::size_t bytes) {
  const std::uint8_t* weights = batch.weights + number * 8 * bytes;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 8 * bytes; ++i) sum += weights[i];
  return static_cast<std::uint32_t>(std::min<std::int64_t>(batch.budgets[number], sum));
}

void order_weights(const WeightedBatch& batch, std::size_t number, std::size_t bytes,
                   std::uint8_t* weights) {
  for (std::size_t at = 0; at < bytes; ++at) {
    std::uint64_t eight;
    std::memcpy(&eight, batch.weights + (number * bytes + at) * 8, 8);
    eight = __builtin_bswap64(eight);
    std::memcpy(weights + 8 * at, &eight, 8);
  }
}

void WeightedQueries::begin(std::size_t count, std::size_t bytes) {
  count_ = count;
  bytes_ = bytes;
  tables_ = bytes / 2;
  queries_.resize(count);
  weights_.resize(count * 8 * bytes);
  chunk_weights_.resize(count * 8 * bytes);
  chunks_.resize(count * tables_);
  spreads_.resize(count);
  shifts_.resize(count);
  bounds_.resize(count * tables_ * kLengths);
  if (sums_.bytes() < count * tables_ * kSums) sums_ = Pages(count * tables_ * kSums);
}

void WeightedQueries::set(std::size_t at, const WeightedBatch& batch, std::size_t number) {
  std::uint8_t* weights = weights_.data() + at * 8 * bytes_;
  order_weights(batch, number, bytes_, weights);
  queries_[at] = {batch.codes + number * bytes_, weights, budget_of(batch, number, bytes_)};
  cut_chunks(queries_[at].code, bytes_, chunks_.data() + at * tables_);
  const std::vector<std::uint16_t>& places = places_of(bytes_);
  const std::uint8_t* given = batch.weights + number * 8 * bytes_;
  std::uint8_t* chunk_weights = chunk_weights_.data() + at * 8 * bytes_;
  for (std::size_t i = 0; i < 8 * bytes_; ++i) chunk_weights[i] = given[places[i]];
  spreads_[at] = spread_budget(chunk_weights, tables_, queries_[at].budget);
  sum_up(at);
}

void WeightedQueries::spread_again(std::size_t at, const std::uint32_t* dear) {
  spreads_[at] =
      spread_budget(chunk_weights_.data() + at * 8 * bytes_, tables_, queries_[at].budget, dear);
  sum_up(at);
}

void WeightedQueries::sum_up(std::size_t at) {
  int most = 0;
  for (std::size_t i = 0; i < tables_; ++i)
    most = std::max(most, spreads_[at].thresholds.bound(i, 2));
  std::uint32_t shift = 0;
  while (most >> shift > static_cast<int>(kMostBound)) ++shift;
  shifts_[at] = shift;
  for (std::size_t i = 0; i < tables_; ++i) {
    for (std::size_t length = 2; length <= kMostLength; ++length)
      bounds_[sums_at(at, i) * kLengths + length - 2] =
          spreads_[at].thresholds.bound(i, length) >> shift;
    const std::uint8_t* weights = chunk_weights_.data() + at * 8 * bytes_ + 16 * i;
    std::uint8_t* sums = sums_.as<std::uint8_t>() + sums_at(at, i) * kSums;
    for (std::uint32_t half = 0; half < 4; ++half)
      sum_half(weights + 4 * half, chunk(at, i) >> 4 * half & 15, shift, sums + 16 * half);
  }
}

void WeightedQueries::list_bits(std::size_t at, std::size_t table, std::uint32_t* changes) const {
  const std::uint8_t* weights = chunk_weights_.data() + at * 8 * bytes_ + 16 * table;
  std::uint32_t bits[16];
  for (std::uint32_t bit = 0; bit < 16; ++bit) bits[bit] = make_change(weights[bit], 1u << bit);
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint32_t heavier = 0;
    for (std::size_t j = 0; j < 16; ++j) heavier += bits[j] > bits[i];
    changes[heavier] = bits[i];
  }
}

}  // namespace screener
