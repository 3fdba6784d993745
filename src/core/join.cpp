#include "join.h"

#include <algorithm>
#include <cstring>

#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kRun = 1024;         // queries tested against a bucket at once
constexpr std::size_t kWaiting = 512;      // steps that are followed together
constexpr std::size_t kCopied = 4;         // queries copied from a list, there or not
constexpr std::size_t kCrowded = 1 << 20;  // pairs found, the same ones perhaps several times
constexpr double kHeavy = 8;               // times the usual number of lines

// The queries of one table in order of their chunks.
struct Sorted {
  std::vector<std::uint32_t> starts;
  std::vector<std::uint32_t> numbers;
  std::vector<std::uint32_t> sketches;

  void sort(const QueryBlock& block, const std::vector<std::uint32_t>& all, std::size_t table,
            std::size_t tables) {
    const std::uint16_t* keys = block.chunks + table;
    const std::uint16_t* next = block.chunks + (table + 1) % tables;
    starts.assign(kDirectory, 0);
    for (const std::uint32_t number : all) ++starts[keys[number * tables] + 1u];
    for (std::size_t key = 0; key < kBuckets; ++key) starts[key + 1] += starts[key];
    std::vector<std::uint32_t> places(starts.begin(), starts.end() - 1);
    numbers.resize(all.size() + kCopied);
    sketches.resize(all.size() + kCopied);
    for (const std::uint32_t number : all) {
      const std::uint32_t at = places[keys[number * tables]]++;
      numbers[at] = number;
      sketches[at] = next[number * tables];
    }
  }
};

// In order, each once.
void sort_once(std::vector<Found>& found) {
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

// One table's part of the join, and what a thread keeps between tables.
class TableJoin {
 public:
  TableJoin(const Ring& ring, const RingKernel& kernel, const QueryBlock& block,
            std::size_t queries, const RadiusPlan& plan)
      : candidates(queries, 0),
        ring_(ring),
        kernel_(kernel),
        block_(block),
        thresholds_(plan.thresholds),
        most_candidates_(plan.most_candidates),
        tests_(kRun + kCopied),
        numbers_(kRun + kCopied),
        masks_(kRun * kBucketLines + 16),
        passed_(kRun * kBucketLines + 16) {
    walk_.begin(ring, kernel, block, plan.thresholds, plan.radius);
  }

  void run(std::size_t table, const std::vector<std::uint32_t>& all) {
    table_ = table;
    sorted_.sort(block_, all, table, ring_.tables);
    const std::uint32_t* starts = ring_.directory + table * kDirectory;
    for (std::uint32_t key = 0; key < kBuckets; ++key) {
      start_ = starts[key];
      end_ = starts[key + 1];
      if (start_ > end_ || start_ < starts[0] || end_ > starts[kBuckets]) refuse_damaged();
      if (start_ != end_) gather(key);
    }
    finish();
  }

  std::vector<Found> found;
  std::vector<std::uint32_t> candidates;  // how many each query met, or enough to be too many

 private:
  // A code is found by several tables: the duplicates must not pile up.
  void finish() {
    walk_.finish(found);
    if (found.size() < crowded_) return;
    sort_once(found);
    crowded_ = std::max(kCrowded, 2 * found.size());
  }

  // Copies the queries that visit this bucket into one run, and tests the run when it is full.
  void gather(std::uint32_t key) {
    std::size_t count = 0;
    for (int flips = 0; flips <= thresholds_.of[table_]; ++flips) {
      const auto limit = static_cast<std::uint32_t>(thresholds_.bound(table_, 2) - flips);
      for (const std::uint16_t mask : masks_of(flips)) {
        std::uint32_t at = sorted_.starts[key ^ mask];
        std::uint32_t left = sorted_.starts[(key ^ mask) + 1] - at;
        while (count + left > kRun) {
          const auto some = static_cast<std::uint32_t>(kRun - count);
          copy(at, some, limit, count);
          test(kRun);
          count = 0;
          at += some;
          left -= some;
        }
        copy(at, left, limit, count);
        count += left;
      }
    }
    if (count != 0) test(count);
  }

  // Most lists are short: a few entries are copied whether they are there or not.
  void copy(std::uint32_t from, std::uint32_t some, std::uint32_t limit, std::size_t to) {
    std::uint32_t k = 0;
    do {
      std::uint32_t tests[kCopied];
      std::memcpy(tests, &sorted_.sketches[from + k], sizeof tests);
      for (std::uint32_t& test : tests) test = make_test(test, limit);
      std::memcpy(&tests_[to + k], tests, sizeof tests);
      std::memcpy(&numbers_[to + k], &sorted_.numbers[from + k], sizeof tests);
      k += kCopied;
    } while (k < some);
  }

  void test(std::size_t count) {
    const std::size_t first = start_ / kLine;
    const std::size_t end = first + lines_between(start_, end_);
    for (std::size_t line = first; line < end; line += kBucketLines)
      test_lines(line, std::min(kBucketLines, end - line), count);
  }

  void test_lines(std::size_t line, std::size_t lines, std::size_t count) {
    const std::size_t passed = kernel_.sieve_bucket(
        ring_.sketches + line * kLine, lines, tests_.data(), count, masks_.data(), passed_.data());
    const auto width = static_cast<std::uint32_t>(lines);
    for (std::size_t i = 0; i < passed; ++i) {
      const std::uint32_t at = passed_[i];
      const std::uint32_t query = at / width;
      const std::uint32_t number = numbers_[query];
      if (candidates[number] > most_candidates_) continue;
      candidates[number] += static_cast<std::uint32_t>(__builtin_popcount(masks_[at]));
      walk_.add(table_, (line + (at - query * width)) * kLine, masks_[at], number, tests_[query]);
      if (walk_.waiting() >= kWaiting) finish();
    }
  }

  const Ring& ring_;
  const RingKernel& kernel_;
  const QueryBlock& block_;
  const Thresholds& thresholds_;
  std::size_t most_candidates_;
  std::size_t crowded_ = kCrowded;
  Walk walk_;
  Sorted sorted_;
  std::size_t table_ = 0;
  std::uint32_t start_ = 0;
  std::uint32_t end_ = 0;
  std::vector<std::uint32_t> tests_;
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
};

// For each key the lines in all buckets within `flips` bits of it: level by level, bit by bit.
std::vector<std::uint32_t> lines_around(const std::uint32_t* starts, int flips) {
  const auto levels = static_cast<std::size_t>(flips + 1);
  std::vector<std::uint32_t> sums(levels * kBuckets, 0);
  for (std::size_t key = 0; key < kBuckets; ++key)
    sums[key] = lines_between(starts[key], starts[key + 1]);
  for (std::size_t bit = 1; bit < kBuckets; bit <<= 1)
    for (std::size_t level = levels; --level > 0;) {
      const std::uint32_t* below = &sums[(level - 1) * kBuckets];
      std::uint32_t* here = &sums[level * kBuckets];
      for (std::size_t key = 0; key < kBuckets; ++key) here[key] += below[key ^ bit];
    }
  for (std::size_t level = 1; level < levels; ++level)
    for (std::size_t key = 0; key < kBuckets; ++key) sums[key] += sums[level * kBuckets + key];
  return sums;
}

}  // namespace

void join(const Ring& ring, const RingKernel& kernel, const QueryBlock& block, std::size_t count,
          const std::vector<std::uint32_t>& numbers, const RadiusPlan& plan, std::size_t threads,
          std::vector<Found>& found, std::vector<std::uint32_t>& left) {
  std::vector<TableJoin> joins;
  joins.reserve(std::min<std::size_t>(threads, ring.tables));
  for (std::size_t i = 0; i < std::min<std::size_t>(threads, ring.tables); ++i)
    joins.emplace_back(ring, kernel, block, count, plan);
  share_out(ring.tables, joins.size(), [&](std::size_t table, std::size_t thread) {
    if (plan.thresholds.of[table] >= 0) joins[thread].run(table, numbers);
  });
  std::vector<bool> crowded(count, false);
  for (const std::uint32_t number : numbers) {
    for (const TableJoin& one : joins)
      if (one.candidates[number] > plan.most_candidates) crowded[number] = true;
    if (crowded[number]) left.push_back(number);
  }
  for (const TableJoin& one : joins)
    for (const Found& each : one.found)
      if (!crowded[each.query]) found.push_back(each);
  sort_once(found);
}

std::vector<bool> find_heavy(const Ring& ring, const std::uint16_t* chunks, std::size_t queries,
                             const RadiusPlan& plan, std::size_t threads) {
  const Thresholds& thresholds = plan.thresholds;
  std::vector<std::vector<std::uint64_t>> lines(std::max<std::size_t>(threads, 1),
                                                std::vector<std::uint64_t>(queries, 0));
  share_out(ring.tables, threads, [&](std::size_t table, std::size_t thread) {
    if (thresholds.of[table] < 0) return;
    const auto around = lines_around(ring.directory + table * kDirectory, thresholds.of[table]);
    for (std::size_t i = 0; i < queries; ++i)
      lines[thread][i] += around[chunks[i * ring.tables + table]];
  });
  const double most = kHeavy * plan.cost.lines + 64;
  std::vector<bool> heavy(queries);
  for (std::size_t i = 0; i < queries; ++i) {
    std::uint64_t sum = 0;
    for (const auto& part : lines) sum += part[i];
    heavy[i] = static_cast<double>(sum) > most;
  }
  return heavy;
}

}  // namespace screener
