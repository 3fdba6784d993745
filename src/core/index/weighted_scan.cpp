#include "index/weighted_scan.h"

#include <algorithm>
#include <memory>
#include <numeric>

namespace screener {
namespace {

constexpr std::size_t kBlockQueries = 1024;  // scanned in one pass over all codes
constexpr std::uint32_t kMostSum = 254;      // below what a byte ends at
constexpr std::size_t kManyQueries = 8;      // for which all of a code is laid out
constexpr std::size_t kManyLeft = 16;        // one code in so many is left: look at whole codes
constexpr std::size_t kMostBytes = 2 * kMostChunks;

// Some queries, one scan, and its scratch memory.
class WeightedScan {
 public:
  WeightedScan(const WeighKernel& kernel, const std::uint8_t* codes, std::size_t count,
               std::size_t bytes)
      : kernel_(kernel),
        codes_(codes),
        count_(count),
        bytes_(bytes),
        scratch_(std::make_unique_for_overwrite<Scratch>()) {}

  void run(const WeightedBatch& batch, const std::uint32_t* numbers, std::size_t some,
           WeightedResult& result) {
    prepare(batch, numbers, some);
    found_.clear();
    choose_half();
    for (std::size_t row = 0; row < count_ && !active_.empty(); row += kWeighedRows) {
      const std::size_t rows = std::min(kWeighedRows, count_ - row);
      lay_out_bytes(codes_ + row * bytes_, rows, bytes_, first_, size_, scratch_->columns);
      std::size_t left = 0;
      for (const std::uint32_t at : active_) left += scan_tile(row, rows, at);
      if (size_ < bytes_ && left * kManyLeft > rows * active_.size()) {
        first_ = 0, size_ = bytes_;
        order_bytes();
      }
    }
    append(some, result);
  }

 private:
  struct Scratch {
    alignas(64) std::uint8_t columns[kMostBytes * kByteStride];
    std::uint16_t rows[kWeighedRows];
    Pair pairs[kWeighedRows];
    std::uint32_t distances[kWeighedRows];
  };
  struct FoundRow {
    std::int64_t row;
    std::uint32_t query;
    std::uint32_t distance;
  };
  std::size_t sums_size() const { return 32 * bytes_; }

  void prepare(const WeightedBatch& batch, const std::uint32_t* numbers, std::size_t some) {
    queries_.resize(some);
    limits_.resize(some);
    weights_.resize(some * 8 * bytes_);
    if (sums_.bytes() < some * sums_size()) sums_ = Pages(some * sums_size());
    active_.clear();
    for (std::uint32_t at = 0; at < some; ++at) {
      const std::size_t number = numbers[at];
      if (batch.budgets[number] < 0) continue;
      active_.push_back(at);
      std::uint8_t* weights = weights_.data() + at * 8 * bytes_;
      order_weights(batch, number, bytes_, weights);
      queries_[at] = {batch.codes + number * bytes_, weights, budget_of(batch, number, bytes_)};
      std::uint32_t shift = 0;
      while (queries_[at].budget >> shift > kMostSum) ++shift;
      limits_[at] = queries_[at].budget >> shift;
      sum_bytes(queries_[at], bytes_, shift, sums_.as<std::uint8_t>() + at * sums_size());
    }
  }

  // Of few queries half of the codes is laid out, that which weighs more; all of short ones.
  void choose_half() {
    first_ = 0;
    size_ = bytes_;
    if (bytes_ < 32 || active_.size() >= kManyQueries) return order_bytes();
    size_ = bytes_ / 2;
    std::uint64_t halves[2] = {};
    for (const std::uint32_t at : active_)
      for (std::size_t i = 0; i < 8 * bytes_; ++i)
        halves[i / (4 * bytes_)] += weights_[at * 8 * bytes_ + i];
    if (halves[1] > halves[0]) first_ = size_;
    order_bytes();
  }

  // Of what is laid out, each query reads its heaviest bytes first.
  void order_bytes() {
    orders_.resize(queries_.size() * bytes_);
    for (const std::uint32_t at : active_) {
      std::uint32_t totals[kMostBytes] = {};
      for (std::size_t i = 0; i < 8 * size_; ++i)
        totals[i / 8] += weights_[(at * bytes_ + first_) * 8 + i];
      std::uint8_t* order = orders_.data() + at * bytes_;
      std::iota(order, order + size_, std::uint8_t{0});
      std::stable_sort(order, order + size_,
                       [&](std::uint8_t a, std::uint8_t b) { return totals[a] > totals[b]; });
    }
  }

  // Returns how many codes were left that lie beyond the budget.
  std::size_t scan_tile(std::size_t first_row, std::size_t rows, std::uint32_t at) {
    const std::size_t passed = kernel_.weigh_tile(
        scratch_->columns, orders_.data() + at * bytes_, rows, size_,
        sums_.as<std::uint8_t>() + at * sums_size() + 32 * first_, limits_[at], scratch_->rows);
    for (std::size_t i = 0; i < passed; ++i) scratch_->pairs[i] = {scratch_->rows[i], at};
    kernel_.distances(codes_ + first_row * bytes_, bytes_, queries_.data(), scratch_->pairs, passed,
                      scratch_->distances);
    std::size_t beyond = passed;
    for (std::size_t i = 0; i < passed; ++i) {
      if (scratch_->distances[i] > queries_[at].budget) continue;
      found_.push_back(
          {static_cast<std::int64_t>(first_row + scratch_->rows[i]), at, scratch_->distances[i]});
      --beyond;
    }
    return beyond;
  }

  // What was found stands in order of rows; a counting sort by query keeps that order.
  void append(std::size_t some, WeightedResult& result) {
    const std::size_t before = result.rows.size();
    std::vector<std::size_t> next(some + 1, 0);
    for (const FoundRow& one : found_) ++next[one.query + 1];
    next[0] = before;
    for (std::size_t i = 1; i <= some; ++i) {
      next[i] += next[i - 1];
      result.offsets.push_back(static_cast<std::int64_t>(next[i]));
    }
    result.rows.resize(before + found_.size());
    result.distances.resize(before + found_.size());
    for (const FoundRow& one : found_) {
      const std::size_t to = next[one.query]++;
      result.rows[to] = one.row;
      result.distances[to] = one.distance;
    }
  }

  const WeighKernel& kernel_;
  const std::uint8_t* codes_;
  std::size_t count_;
  std::size_t bytes_;
  std::size_t first_ = 0;  // what is laid out of each code
  std::size_t size_ = 0;
  std::unique_ptr<Scratch> scratch_;
  std::vector<WeighedQuery> queries_;
  std::vector<std::uint32_t> active_;  // those with a budget
  std::vector<std::uint32_t> limits_;
  std::vector<std::uint8_t> weights_;
  std::vector<std::uint8_t> orders_;  // numbers of bytes, from the first that is laid out
  Pages sums_;
  std::vector<FoundRow> found_;
};

}  // namespace

WeightedResult weighted_scan(const WeighKernel& kernel, const std::uint8_t* codes,
                             std::size_t count, std::size_t bytes, const WeightedBatch& batch,
                             const std::uint32_t* numbers, std::size_t number_count) {
  check_width(bytes);
  WeightedResult result;
  result.offsets.reserve(number_count + 1);
  result.offsets.push_back(0);
  WeightedScan state(kernel, codes, count, bytes);
  for (std::size_t first = 0; first < number_count; first += kBlockQueries)
    state.run(batch, numbers + first, std::min(kBlockQueries, number_count - first), result);
  return result;
}

}  // namespace screener
