#include "index/join.h"

#include <algorithm>

#include "index/join_table.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kParts = 4;  // of a table that threads share
constexpr double kHeavy = 8;       // times the usual number of lines

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

// Whether a query could meet more lines than that, were all its buckets the longest ones.
bool can_be_heavy(const Ring& ring, const Thresholds& thresholds, double most) {
  double sum = 0;
  for (std::size_t table = 0; table < ring.tables; ++table) {
    const std::uint32_t* starts = ring.directory + table * kDirectory;
    std::uint32_t longest = 0;
    for (std::size_t key = 0; key < kBuckets; ++key)
      longest = std::max(longest, starts[key + 1] - starts[key]);
    double buckets = 0;
    for (int flips = 0; flips <= thresholds.of[table]; ++flips)
      buckets += static_cast<double>(masks_of(flips).size());
    sum += buckets * (longest / kLine + 1);
  }
  return sum > most;
}

// A table, or the buckets of a part of it.
struct Task {
  std::size_t table;
  std::uint32_t key;
  std::uint32_t end;
};

// Whole tables, since each part of one sorts the queries again; the last ones in parts, so that no
// thread waits long for another, and all where threads are many.
std::vector<Task> share_tables(std::size_t tables, std::size_t threads) {
  const std::size_t whole = threads == 1 ? tables : 2 * threads > tables ? 0 : tables - threads;
  std::vector<Task> tasks;
  for (std::size_t table = 0; table < tables; ++table) {
    const std::size_t parts = table < whole ? 1 : kParts;
    const std::size_t size = kBuckets / parts;
    for (std::size_t part = 0; part < parts; ++part)
      tasks.push_back({table, static_cast<std::uint32_t>(part * size),
                       static_cast<std::uint32_t>((part + 1) * size)});
  }
  return tasks;
}

}  // namespace

void join(const Ring& ring, const RingKernel& kernel, const QueryBlock& block, std::size_t count,
          const std::vector<std::uint32_t>& numbers, const RadiusPlan& plan, std::size_t threads,
          std::vector<Found>& found, std::vector<std::uint32_t>& left) {
  const std::vector<Task> tasks = share_tables(ring.tables, threads);
  std::vector<TableJoin> joins;
  joins.reserve(std::min(threads, tasks.size()));
  for (std::size_t i = 0; i < std::min(threads, tasks.size()); ++i)
    joins.emplace_back(ring, kernel, block, count, plan);
  share_out(tasks.size(), joins.size(), [&](std::size_t number, std::size_t thread) {
    const Task& task = tasks[number];
    if (plan.thresholds.of[task.table] >= 0)
      joins[thread].run(task.table, task.key, task.end, numbers);
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
  const double most = kHeavy * plan.cost.lines + 64;
  std::vector<bool> heavy(queries, false);
  if (!can_be_heavy(ring, thresholds, most)) return heavy;
  threads = std::clamp<std::size_t>(threads, 1, ring.tables);
  std::vector<std::vector<std::uint64_t>> lines(threads, std::vector<std::uint64_t>(queries, 0));
  share_out(ring.tables, threads, [&](std::size_t table, std::size_t thread) {
    if (thresholds.of[table] < 0) return;
    const auto around = lines_around(ring.directory + table * kDirectory, thresholds.of[table]);
    for (std::size_t i = 0; i < queries; ++i)
      lines[thread][i] += around[chunks[i * ring.tables + table]];
  });
  for (std::size_t i = 0; i < queries; ++i) {
    std::uint64_t sum = 0;
    for (const auto& part : lines) sum += part[i];
    heavy[i] = static_cast<double>(sum) > most;
  }
  return heavy;
}

}  // namespace screener
