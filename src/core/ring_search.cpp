#include "ring_search.h"

#include <algorithm>
#include <stdexcept>

#include "join.h"
#include "lookup.h"
#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kJoinQueries = 1 << 18;  // joined at once
constexpr std::size_t kTaskQueries = 64;       // looked up by one thread at a time

// One search and what it found so far.
class Search {
 public:
  Search(const Ring& ring, const Kernels& kernels, const std::uint8_t* queries, std::size_t count,
         const RadiusPlan& plan, std::size_t threads)
      : ring_(ring),
        kernels_(kernels),
        queries_(queries),
        count_(count),
        plan_(plan),
        threads_(std::max<std::size_t>(threads, 1)) {}

  ScanResult flat() const { return scan_all(queries_, count_); }

  void look_up(const std::vector<std::uint32_t>& numbers) {
    const std::size_t tasks = (numbers.size() + kTaskQueries - 1) / kTaskQueries;
    const std::size_t threads = std::max<std::size_t>(1, std::min(threads_, tasks));
    std::vector<Part> parts(threads);
    share_out(tasks, threads, [&](std::size_t task, std::size_t thread) {
      Part& part = parts[thread];
      thread_local Lookup lookup;
      lookup.begin(ring_, kernels_.ring, plan_);
      const std::size_t end = std::min(numbers.size(), (task + 1) * kTaskQueries);
      for (std::size_t i = task * kTaskQueries; i < end; ++i)
        if (!lookup.run(queries_ + std::size_t{numbers[i]} * ring_.bytes, numbers[i], part.found))
          part.left.push_back(numbers[i]);
    });
    for (const Part& part : parts) {
      found_.insert(found_.end(), part.found.begin(), part.found.end());
      left_.insert(left_.end(), part.left.begin(), part.left.end());
    }
  }

  void join_all() {
    std::vector<std::uint16_t> chunks;
    for (std::size_t first = 0; first < count_; first += kJoinQueries) {
      const std::size_t count = std::min(kJoinQueries, count_ - first);
      const std::uint8_t* queries = queries_ + first * ring_.bytes;
      chunks.resize(count * ring_.tables);
      for (std::size_t i = 0; i < count; ++i)
        cut_chunks(queries + i * ring_.bytes, ring_.bytes, &chunks[i * ring_.tables]);
      join_block(first, {queries, chunks.data()}, count);
    }
  }

  // Rows ascending for each query, equal codes included, each pair once.
  ScanResult result() {
    if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
    add_repeats();
    add_flat();
    ScanResult result;
    result.offsets.assign(count_ + 1, 0);
    for (const Found& one : found_) ++result.offsets[one.query + 1];
    for (std::size_t i = 0; i < count_; ++i) result.offsets[i + 1] += result.offsets[i];
    result.rows.reserve(found_.size());
    result.distances.reserve(found_.size());
    for (const Found& one : found_) {
      result.rows.push_back(one.row);
      result.distances.push_back(one.distance);
    }
    return result;
  }

 private:
  struct Part {
    std::vector<Found> found;
    std::vector<std::uint32_t> left;
  };

  void join_block(std::size_t first, const QueryBlock& block, std::size_t count) {
    const std::vector<bool> heavy = find_heavy(ring_, block.chunks, count, plan_, threads_);
    std::vector<std::uint32_t> light;
    std::vector<std::uint32_t> others;
    for (std::uint32_t i = 0; i < count; ++i)
      (heavy[i] ? others : light).push_back(heavy[i] ? i + static_cast<std::uint32_t>(first) : i);
    std::vector<Found> found;
    std::vector<std::uint32_t> crowded;
    join(ring_, kernels_.ring, block, count, light, plan_, threads_, found, crowded);
    for (const Found& one : found)
      found_.push_back({one.query + static_cast<std::uint32_t>(first), one.row, one.distance});
    for (const std::uint32_t number : crowded)
      left_.push_back(number + static_cast<std::uint32_t>(first));
    look_up(others);
  }

  // The other rows of every code found.
  void add_repeats() {
    if (ring_.head_count == 0) return;
    const std::size_t before = found_.size();
    for (std::size_t i = 0; i < before; ++i) {
      const Found one = found_[i];
      const std::uint32_t* end = ring_.heads + ring_.head_count;
      const std::uint32_t* head = std::lower_bound(ring_.heads, end, one.row);
      if (head == end || *head != one.row) continue;
      const auto at = head - ring_.heads;
      const std::uint64_t last = ring_.repeat_starts[at + 1];
      if (last > ring_.repeat_count || ring_.repeat_starts[at] > last) refuse_damaged();
      for (std::uint64_t k = ring_.repeat_starts[at]; k < last; ++k) {
        if (ring_.repeats[k] >= ring_.count) refuse_damaged();
        found_.push_back({one.query, ring_.repeats[k], one.distance});
      }
    }
    if (found_.size() != before) std::sort(found_.begin(), found_.end());
  }

  ScanResult scan_all(const std::uint8_t* queries, std::size_t count) const {
    const std::size_t threads = std::min(threads_, std::max<std::size_t>(1, count / 8));
    if (threads == 1)
      return scan(kernels_.scan, ring_.codes, ring_.count, queries, count, ring_.bytes,
                  plan_.radius);
    std::vector<ScanResult> parts(threads);
    share_out(threads, threads, [&](std::size_t task, std::size_t) {
      const std::size_t first = count * task / threads;
      parts[task] = scan(kernels_.scan, ring_.codes, ring_.count, queries + first * ring_.bytes,
                         count * (task + 1) / threads - first, ring_.bytes, plan_.radius);
    });
    return joined(parts);
  }

  static ScanResult joined(std::vector<ScanResult>& parts) {
    ScanResult whole = std::move(parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::int64_t before = whole.offsets.back();
      for (std::size_t k = 1; k < parts[i].offsets.size(); ++k)
        whole.offsets.push_back(before + parts[i].offsets[k]);
      whole.rows.insert(whole.rows.end(), parts[i].rows.begin(), parts[i].rows.end());
      whole.distances.insert(whole.distances.end(), parts[i].distances.begin(),
                             parts[i].distances.end());
    }
    return whole;
  }

  // Queries that the tables are no good for share one scan.
  void add_flat() {
    if (left_.empty()) return;
    std::sort(left_.begin(), left_.end());
    std::vector<std::uint8_t> some;
    for (const std::uint32_t number : left_) {
      const std::uint8_t* query = queries_ + std::size_t{number} * ring_.bytes;
      some.insert(some.end(), query, query + ring_.bytes);
    }
    const ScanResult result = scan_all(some.data(), left_.size());
    for (std::size_t i = 0; i < left_.size(); ++i)
      for (auto k = static_cast<std::size_t>(result.offsets[i]);
           k < static_cast<std::size_t>(result.offsets[i + 1]); ++k)
        found_.push_back(
            {left_[i], static_cast<std::uint32_t>(result.rows[k]), result.distances[k]});
    if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
  }

  const Ring& ring_;
  const Kernels& kernels_;
  const std::uint8_t* queries_;
  std::size_t count_;
  const RadiusPlan& plan_;
  std::size_t threads_;
  std::vector<Found> found_;
  std::vector<std::uint32_t> left_;  // queries still to be compared with all codes
};

std::vector<std::uint32_t> numbers_to(std::size_t count) {
  std::vector<std::uint32_t> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<std::uint32_t>(i);
  return numbers;
}

}  // namespace

bool set_bases(Ring& ring, std::uint64_t link_count, std::uint64_t row_count) {
  std::uint64_t at = 0;
  std::uint64_t links = 0;
  std::uint64_t rows = 0;
  for (std::size_t table = 0; table < ring.tables; ++table) {
    const std::uint32_t* starts = ring.directory + table * kDirectory;
    if (starts[0] != at || starts[kBuckets] < at || starts[kBuckets] % kLine != 0) return false;
    std::uint64_t& others = holds_rows(table) ? rows : links;
    ring.base[table] = at - others;
    others += starts[kBuckets] - at;
    at = starts[kBuckets];
  }
  return at == ring.slots && links == link_count && rows == row_count;
}

const RingKernel& ring_kernel(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kRingScalar;
#if defined(__x86_64__)
    case Isa::avx2:
      return kRingAvx2;
    case Isa::avx512:
      return kRingAvx512;
#elif defined(__aarch64__)
    case Isa::neon:
      return kRingNeon;
#endif
    default:
      throw std::logic_error("this build has no index search for that instruction set");
  }
}

ScanResult search(const Ring& ring, const RadiusPlan& plan, Way way, const Kernels& kernels,
                  const std::uint8_t* queries, std::size_t query_count, std::size_t threads) {
  if (query_count > UINT32_MAX) throw std::length_error("too many queries in one batch");
  Search state(ring, kernels, queries, query_count, plan, threads);
  if (way == Way::flat || !plan.usable) return state.flat();
  if (way == Way::join)
    state.join_all();
  else
    state.look_up(numbers_to(query_count));
  return state.result();
}

}  // namespace screener
