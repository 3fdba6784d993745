#include "ring_build.h"

#include <algorithm>
#include <stdexcept>

#include "repeats.h"
#include "threads.h"

namespace screener {
namespace {

using Counts = std::vector<std::uint32_t>;

class Builder {
 public:
  Builder(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes, std::size_t threads)
      : codes_(codes), count_(count), bytes_(bytes), threads_(threads), tables_(bytes / 2) {}

  BuiltRing run() {
    cut();
    repeats_ = find_repeats(codes_, count_, bytes_, column(0), threads_);
    built_.directory = Pages(tables_ * kDirectory * sizeof(std::uint32_t));
    share_out(tables_, threads_, [this](std::size_t table, std::size_t) { size_buckets(table); });
    place_tables();
    share_out(tables_, threads_, [this](std::size_t table, std::size_t) { fill_table(table); });
    built_.heads = std::move(repeats_.heads);
    built_.repeat_starts = std::move(repeats_.starts);
    built_.repeats = std::move(repeats_.rows);
    return std::move(built_);
  }

 private:
  const std::uint16_t* column(std::size_t table) const {
    return columns_.as<std::uint16_t>() + table % tables_ * count_;
  }
  std::uint32_t* directory(std::size_t table) const {
    return built_.directory.as<std::uint32_t>() + table * kDirectory;
  }
  bool repeated(std::uint64_t row) const {
    return !repeats_.repeated.empty() && repeats_.repeated[row];
  }

  // All chunks of all codes, chunk by chunk.
  void cut() {
    columns_ = Pages(count_ * bytes_);
    auto* columns = columns_.as<std::uint16_t>();
    constexpr std::size_t kSome = 1 << 14;
    share_out((count_ + kSome - 1) / kSome, threads_, [&](std::size_t task, std::size_t) {
      std::uint16_t chunks[kMostChunks];
      const std::uint64_t end = std::min<std::uint64_t>(count_, (task + 1) * kSome);
      for (std::uint64_t row = task * kSome; row < end; ++row) {
        cut_chunks(codes_ + row * bytes_, bytes_, chunks);
        for (std::size_t table = 0; table < tables_; ++table)
          columns[table * count_ + row] = chunks[table];
      }
    });
  }

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
    const std::uint16_t* keys = column(table);
    for (std::uint64_t row = 0; row < count_; ++row)
      if (!repeated(row)) ++counts[keys[row]];
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
    built_.link_bytes = largest <= 1 << 8 ? 1 : largest <= 1 << 16 ? 2 : 4;
    built_.sketches = Pages(slots * sizeof(std::uint16_t));
    built_.links = Pages(links * built_.link_bytes);
    built_.rows = Pages(rows * sizeof(std::uint32_t));
  }

  void fill_table(std::size_t table) {
    if (holds_rows(table)) {
      auto* rows = built_.rows.as<std::uint32_t>();
      fill(table, rows, [](std::uint64_t row, std::uint32_t) { return row; });
    } else if (built_.link_bytes == 1) {
      fill_links(table, built_.links.as<std::uint8_t>());
    } else if (built_.link_bytes == 2) {
      fill_links(table, built_.links.as<std::uint16_t>());
    } else {
      fill_links(table, built_.links.as<std::uint32_t>());
    }
  }

  template <class Link>
  void fill_links(std::size_t table, Link* links) {
    fill(table, links, [](std::uint64_t, std::uint32_t place) { return place; });
  }

  // Postings stand in order of their rows in every bucket, so counting along the rows tells
  // each one's place in this table and in the next.
  template <class Value, class Choose>
  void fill(std::size_t table, Value* values, Choose choose) {
    auto* sketches = built_.sketches.as<std::uint16_t>();
    const std::uint64_t base = base_[table];
    const std::uint16_t* keys = column(table);
    const std::uint16_t* next_keys = column(table + 1);
    Counts slots(directory(table), directory(table) + kBuckets);
    Counts places(kBuckets, 0);
    for (std::uint64_t row = 0; row < count_; ++row) {
      if (repeated(row)) continue;
      const std::uint16_t sketch = next_keys[row];
      const std::uint32_t slot = slots[keys[row]]++;
      sketches[slot] = sketch;
      values[slot - base] = static_cast<Value>(choose(row, places[sketch]++));
    }
    // Free slots repeat the posting before them: a test that they pass finds nothing new.
    for (std::size_t key = 0; key < kBuckets; ++key) {
      for (std::uint32_t slot = slots[key]; slot < directory(table)[key + 1]; ++slot) {
        sketches[slot] = sketches[slot - 1];
        values[slot - base] = values[slot - 1 - base];
      }
    }
  }

  const std::uint8_t* codes_;
  std::uint64_t count_;
  std::size_t bytes_;
  std::size_t threads_;
  std::size_t tables_;
  Pages columns_;
  Repeats repeats_;
  std::array<std::uint32_t, kMostChunks> largest_{};
  std::array<std::uint64_t, kMostChunks> base_{};
  BuiltRing built_;
};

}  // namespace

bool can_build(std::uint64_t count, std::size_t bytes) {
  // A gap before a line is shorter than a line, and shorter than the bucket that it makes room
  // for.
  const std::uint64_t gaps = std::min<std::uint64_t>(count, kBuckets * (kLine - 1)) + kLine;
  return count <= UINT32_MAX && count + gaps <= UINT32_MAX / (bytes / 2);
}

BuiltRing build_ring(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                     std::size_t threads) {
  if (!can_build(count, bytes)) throw std::length_error("too many codes for one index");
  return Builder(codes, count, bytes, threads).run();
}

}  // namespace screener
