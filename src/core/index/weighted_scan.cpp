#include "index/weighted_scan.h"

#include <algorithm>
#include <memory>

#include "index/weighted_groups.h"

namespace screener {
namespace {

constexpr std::size_t kBlockQueries = 1024;  // scanned in one pass over all codes
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
    groups_.begin(batch, numbers, some, bytes_);
    found_.clear();
    choose_half();
    for (std::size_t row = 0; row < count_ && groups_.active() != 0; row += kWeighedRows) {
      const std::size_t rows = std::min(kWeighedRows, count_ - row);
      lay_out_bytes(codes_ + row * bytes_, rows, bytes_, first_, size_, scratch_->columns);
      kernel_.split_columns(scratch_->columns, rows, size_);
      std::size_t left = 0;
      for (std::size_t i = groups_.groups().size(); i-- != 0;) left += scan_tile(row, rows, i);
      if (size_ < bytes_ && left * kManyLeft > rows * groups_.active()) lay_out(0, bytes_);
    }
    append(some, result);
  }

 private:
  struct Scratch {
    alignas(64) std::uint8_t columns[2 * kMostBytes * kHalfStride];
    std::uint16_t rows[kGrouped * kWeighedRows];
    Pair pairs[kGrouped * kWeighedRows];
    std::uint32_t distances[kGrouped * kWeighedRows];
  };
  struct FoundRow {
    std::int64_t row;
    std::uint32_t query;
    std::uint32_t distance;
  };

  // Of few queries half of the codes is laid out, that which weighs more; all of short ones.
  void choose_half() {
    if (bytes_ < 32 || groups_.active() >= kManyQueries) return lay_out(0, bytes_);
    std::uint64_t halves[2] = {};
    for (const QueryGroup& group : groups_.groups())
      for (std::size_t i = 0; i < 8 * bytes_; ++i) halves[i / (4 * bytes_)] += group.weights[i];
    lay_out(halves[1] > halves[0] ? bytes_ / 2 : 0, bytes_ / 2);
  }

  void lay_out(std::size_t first, std::size_t size) {
    first_ = first;
    size_ = size;
    groups_.sum_up(first, size);
  }

  // Returns how many codes were left that lie beyond the budget.
  std::size_t scan_tile(std::size_t first_row, std::size_t rows, std::size_t number) {
    const QueryGroup& group = groups_.groups()[number];
    const std::size_t passed =
        kernel_.weigh_tile(scratch_->columns, rows, group.weighed, scratch_->rows);
    for (std::size_t i = 0; i < passed; ++i)
      scratch_->pairs[i] = {static_cast<std::uint32_t>(scratch_->rows[i] % kWeighedRows),
                            group.queries[scratch_->rows[i] / kWeighedRows]};
    const std::vector<WeighedQuery>& queries = groups_.queries();
    kernel_.distances(codes_ + first_row * bytes_, bytes_, queries.data(), scratch_->pairs, passed,
                      scratch_->distances);
    std::size_t beyond = passed;
    for (std::size_t i = 0; i < passed; ++i) {
      const Pair& pair = scratch_->pairs[i];
      if (scratch_->distances[i] > queries[pair.query].budget) continue;
      found_.push_back(
          {static_cast<std::int64_t>(first_row + pair.row), pair.query, scratch_->distances[i]});
      --beyond;
    }
    if (group.weighed.count > 1 && beyond * kManyLeft > rows) groups_.dissolve(number);
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
  QueryGroups groups_;
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
