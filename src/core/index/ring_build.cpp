#include "index/ring_build.h"

#include <algorithm>
#include <stdexcept>

#include "bits.h"
#include "index/posting_order.h"
#include "index/repeats.h"
#include "threads.h"

namespace screener {
namespace {

// All chunks of all codes, chunk by chunk.
class Columns {
 public:
  Columns(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes, std::size_t threads)
      : count_(count), tables_(bytes / 2), pages_(count * bytes) {
    auto* columns = pages_.as<std::uint16_t>();
    constexpr std::size_t kSome = 1 << 14;
    share_out((count + kSome - 1) / kSome, threads, [&](std::size_t task, std::size_t) {
      std::uint16_t chunks[kMostChunks];
      const std::uint64_t end = std::min<std::uint64_t>(count, (task + 1) * kSome);
      for (std::uint64_t row = task * kSome; row < end; ++row) {
        cut_chunks(codes + row * bytes, bytes, chunks);
        for (std::size_t table = 0; table < tables_; ++table)
          columns[table * count + row] = chunks[table];
      }
    });
  }

  std::uint64_t count() const { return count_; }
  std::size_t tables() const { return tables_; }
  const std::uint16_t* of(std::size_t table) const {
    return pages_.as<std::uint16_t>() + table % tables_ * count_;
  }

 private:
  std::uint64_t count_;
  std::size_t tables_;
  Pages pages_;
};

// Builds the tables of all codes but those left out.
class Builder {
 public:
  Builder(const Columns& columns, const std::vector<bool>& left_out, std::uint64_t large,
          std::size_t threads)
      : columns_(columns),
        left_out_(left_out),
        large_(large),
        threads_(threads),
        count_(columns.count()),
        tables_(columns.tables()) {}

  BuiltTables run() {
    built_.directory = Pages(tables_ * kDirectory * sizeof(std::uint32_t));
    share_out(tables_, threads_, [this](std::size_t table, std::size_t) { size_buckets(table); });
    place_tables();
    share_out(tables_, threads_, [this](std::size_t table, std::size_t) { fill_table(table); });
    return std::move(built_);
  }

 private:
  std::uint32_t* directory(std::size_t table) const {
    return built_.directory.as<std::uint32_t>() + table * kDirectory;
  }
  bool left_out(std::uint64_t row) const { return !left_out_.empty() && left_out_[row]; }

  // The starts of a table's buckets, as if its first slot were 0. A bucket that fits into a
  // cache line never lies across two, and a longer one begins with a line. Slots left free
  // before a line belong to the bucket before them; a bucket with no posting has no slot.
  void size_buckets(std::size_t table) {
    std::uint32_t* starts = directory(table);
    const Counts counts = count_keys(table);
    std::uint64_t slot = 0;
    std::size_t pending = 0;  // the first bucket without a start yet
    for (std::size_t key = 0; key < kBuckets; ++key) {
      if (counts[key] == 0) continue;
      const std::uint64_t in_line = slot % kLine;
      if (in_line != 0 && in_line + counts[key] > kLine) slot += kLine - in_line;
      std::fill(starts + pending, starts + key + 1, static_cast<std::uint32_t>(slot));
      pending = key + 1;
      slot += counts[key];
    }
    const std::uint64_t end = (slot + kLine - 1) / kLine * kLine;
    std::fill(starts + pending, starts + kDirectory, static_cast<std::uint32_t>(end));
    largest_[table] = *std::max_element(counts.begin(), counts.end());
  }

  Counts count_keys(std::size_t table) const {
    Counts counts(kBuckets, 0);
    const std::uint16_t* keys = columns_.of(table);
    for (std::uint64_t row = 0; row < count_; ++row)
      if (!left_out(row)) ++counts[keys[row]];
    return counts;
  }

  // One run of slots through all tables, and with it the sizes of the arrays.
  void place_tables() {
    std::uint64_t slots = 0;
    std::uint64_t links = 0;
    std::uint64_t rows = 0;
    for (std::size_t table = 0; table < tables_; ++table) {
      std::uint32_t* starts = directory(table);
      const std::uint64_t size = starts[kBuckets];
      const auto first = static_cast<std::uint32_t>(slots);
      for (std::size_t key = 0; key < kDirectory; ++key) starts[key] += first;
      std::uint64_t& others = holds_rows(table) ? rows : links;
      base_[table] = slots - others;
      others += size;
      slots += size;
    }
    const std::uint32_t largest = *std::max_element(largest_.begin(), largest_.end());
    const auto left_out = std::count(left_out_.begin(), left_out_.end(), true);
    const bool large =
        largest <= 1 << 16 && count_ - static_cast<std::uint64_t>(left_out) >= large_;
    built_.link_bytes = large ? 4 : largest <= 1 << 8 ? 1 : largest <= 1 << 16 ? 2 : 4;
    built_.weights = Pages(large ? tables_ * kBuckets * kWeights : 0);
    built_.sketches = Pages(slots * sizeof(std::uint16_t));
    built_.links = Pages(links * built_.link_bytes);
    built_.rows = Pages(rows * sizeof(std::uint32_t));
  }

  void fill_table(std::size_t table) {
    if (holds_rows(table)) {
      auto* rows = built_.rows.as<std::uint32_t>();
      fill(table, rows, [](std::uint64_t row) { return row; });
    } else if (large()) {
      // The place comes first, as on all machines that this runs on a number's lower half does.
      const std::uint16_t* told = columns_.of(table + 2);
      fill_links(table, built_.links.as<std::uint32_t>(),
                 [told](std::uint64_t row) { return std::uint32_t{told[row]} << 16; });
    } else if (built_.link_bytes == 1) {
      fill_links(table, built_.links.as<std::uint8_t>(), [](std::uint64_t) { return 0u; });
    } else if (built_.link_bytes == 2) {
      fill_links(table, built_.links.as<std::uint16_t>(), [](std::uint64_t) { return 0u; });
    } else {
      fill_links(table, built_.links.as<std::uint32_t>(), [](std::uint64_t) { return 0u; });
    }
  }

  PostingOrder places(std::size_t table) const {
    return {large(), columns_.of(table), columns_.of(table + 1), count_, left_out_};
  }

  // Postings of a bucket are dealt their places in order of their rows, so going along the rows
  // tells each one's place in this table and in the next.
  template <class Link, class Tell>
  void fill_links(std::size_t table, Link* links, Tell tell) {
    PostingOrder following = places(table + 1);
    const std::uint16_t* keys = columns_.of(table + 1);
    const std::uint16_t* sketches = columns_.of(table + 2);
    fill(table, links,
         [&](std::uint64_t row) { return following.deal(keys[row], sketches[row]) | tell(row); });
  }

  template <class Value, class Choose>
  void fill(std::size_t table, Value* values, Choose choose) {
    auto* sketches = built_.sketches.as<std::uint16_t>();
    const std::uint64_t base = base_[table];
    const std::uint32_t* starts = directory(table);
    const std::uint16_t* keys = columns_.of(table);
    const std::uint16_t* next_keys = columns_.of(table + 1);
    PostingOrder own = places(table);
    if (large()) own.write_lines(built_.weights.as<std::uint8_t>() + table * kBuckets * kWeights);
    Counts filled(kBuckets, 0);
    for (std::uint64_t row = 0; row < count_; ++row) {
      if (left_out(row)) continue;
      const std::uint16_t sketch = next_keys[row];
      const std::uint32_t slot = starts[keys[row]] + own.deal(keys[row], sketch);
      ++filled[keys[row]];
      sketches[slot] = sketch;
      values[slot - base] = static_cast<Value>(choose(row));
    }
    // Free slots repeat the posting before them: a test that they pass finds nothing new.
    for (std::size_t key = 0; key < kBuckets; ++key) {
      for (std::uint32_t slot = starts[key] + filled[key]; slot < starts[key + 1]; ++slot) {
        sketches[slot] = sketches[slot - 1];
        values[slot - base] = values[slot - 1 - base];
      }
    }
  }

  bool large() const { return built_.weights.bytes() != 0; }

  const Columns& columns_;
  const std::vector<bool>& left_out_;
  std::uint64_t large_;
  std::size_t threads_;
  std::uint64_t count_;
  std::size_t tables_;
  std::array<std::uint32_t, kMostChunks> largest_{};
  std::array<std::uint64_t, kMostChunks> base_{};
  BuiltTables built_;
};

// The codes that stand for themselves and are not balanced, and how many are.
struct Weighed {
  std::vector<std::uint32_t> unbalanced;
  std::uint64_t balanced = 0;
};

Weighed weigh(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
              const std::vector<bool>& repeated) {
  Weighed weighed;
  for (std::uint64_t row = 0; row < count; ++row) {
    if (!repeated.empty() && repeated[row]) continue;
    if (weight_of(codes + row * bytes, bytes) == 4 * bytes)
      ++weighed.balanced;
    else
      weighed.unbalanced.push_back(static_cast<std::uint32_t>(row));
  }
  return weighed;
}

// Those in `rows` by weight, then row, with their codes one behind the other.
void set_few(BuiltIndex& built, const std::uint8_t* codes, std::size_t bytes,
             std::vector<std::uint32_t>&& rows) {
  std::stable_sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
    return weight_of(codes + a * bytes, bytes) < weight_of(codes + b * bytes, bytes);
  });
  for (const std::uint32_t row : rows)
    built.few_codes.insert(built.few_codes.end(), codes + row * bytes, codes + (row + 1) * bytes);
  built.few_rows = std::move(rows);
}

}  // namespace

bool can_build(std::uint64_t count, std::size_t bytes) {
  // A gap before a line is shorter than a line, and shorter than the bucket that it makes room
  // for.
  const std::uint64_t gaps = std::min<std::uint64_t>(count, kBuckets * (kLine - 1)) + kLine;
  return count <= UINT32_MAX && count + gaps <= UINT32_MAX / (bytes / 2);
}

BuiltIndex build_index(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                       const BuildLimits& limits, std::size_t threads) {
  if (!can_build(count, bytes)) throw std::length_error("too many codes for one index");
  BuiltIndex built;
  const Columns columns(codes, count, bytes, threads);
  Repeats repeats = find_repeats(codes, count, bytes, columns.of(0), threads);
  Weighed weighed = weigh(codes, count, bytes, repeats.repeated);
  std::vector<bool>& left_out = repeats.repeated;
  built.balanced = weighed.balanced >= weighed.unbalanced.size();
  if (built.balanced) {
    const bool tables = weighed.unbalanced.size() >= std::max<std::uint64_t>(limits.few, 1);
    std::vector<bool> balanced;
    if (tables) {
      balanced.assign(count, true);
      for (const std::uint32_t row : weighed.unbalanced) balanced[row] = false;
      built.rest = Builder(columns, balanced, limits.large, threads).run();
    }
    if (!weighed.unbalanced.empty()) left_out.resize(count);
    for (const std::uint32_t row : weighed.unbalanced) left_out[row] = true;
    if (!tables) set_few(built, codes, bytes, std::move(weighed.unbalanced));
  }
  built.tables = Builder(columns, left_out, limits.large, threads).run();
  built.heads = std::move(repeats.heads);
  built.repeat_starts = std::move(repeats.starts);
  built.repeats = std::move(repeats.rows);
  return built;
}

}  // namespace screener
