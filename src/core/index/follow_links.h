// Follows postings that passed the test of their sketch: along the links to the nearest table
// that holds rows, with a stricter bound at every step, and then to the code itself.
#pragma once
#include <vector>

#include "bits.h"
#include "index/thresholds.h"

namespace screener {

// A search met something in the arrays of an index that building it cannot have made.
[[noreturn]] void refuse_damaged();

struct Found {
  std::uint32_t query;
  std::uint32_t row;
  std::uint32_t distance;
  friend auto operator<=>(const Found&, const Found&) = default;
};

// In order, each once.
void sort_once(std::vector<Found>& found);

struct Step {
  std::uint32_t slot;
  std::uint32_t query;
  std::uint16_t sum;  // of the distances of `length` chunks from `start`
  std::uint8_t start;
  std::uint8_t length;
};

// Where the link of a posting of `table` leads; the table holds no rows.
std::uint32_t next_slot(const Ring& ring, std::size_t table, std::uint64_t slot);

// What a step needs to know of the queries it belongs to.
struct QueryBlock {
  const std::uint8_t* codes;
  const std::uint16_t* chunks;  // in the order of the ring, query after query
};

// Distances in bits, from queries that share one radius.
class BitDistance {
 public:
  BitDistance() = default;
  BitDistance(const Ring& ring, const RingKernel& kernel, const QueryBlock& queries,
              const Thresholds& thresholds, std::uint32_t radius)
      : ring_(&ring),
        kernel_(&kernel),
        queries_(queries),
        thresholds_(&thresholds),
        radius_(radius) {}

  // What a chunk adds whose other side is `sketch`.
  std::uint32_t of_chunk(std::uint32_t query, std::size_t chunk, std::uint32_t sketch) const {
    return count_bits(sketch ^ queries_.chunks[query * ring_->tables + chunk]);
  }
  int bound(std::uint32_t /*query*/, std::size_t start, std::size_t length) const {
    return thresholds_->bound(start, length);
  }
  void prefetch_chunk(std::uint32_t query, std::size_t /*chunk*/) const {
    prefetch_line(queries_.chunks + std::uint64_t{query} * ring_->tables);
  }
  void prefetch_code(std::uint32_t query) const {
    prefetch_line(queries_.codes + std::uint64_t{query} * ring_->bytes);
  }
  using Value = std::uint16_t;
  // Appends the pairs within the radius; `distances` is room to work in.
  void compare(const std::vector<Pair>& pairs, std::vector<Value>& distances,
               std::vector<Found>& found) const;

 private:
  const Ring* ring_ = nullptr;
  const RingKernel* kernel_ = nullptr;
  QueryBlock queries_{};
  const Thresholds* thresholds_ = nullptr;
  std::uint32_t radius_ = 0;
};

// `Distance` is BitDistance or has the same functions.
template <class Distance>
class LinkFollower {
 public:
  void begin(const Ring& ring, const Distance& distance) {
    ring_ = &ring;
    distance_ = distance;
    steps_.clear();
    moved_.clear();
    pairs_.clear();
  }

  // Adds the postings that `mask` selects of the line that begins at `line` of `table`, whose keys
  // are `own` from the query's chunk.
  void add(std::size_t table, std::uint64_t line, std::uint32_t mask, std::uint32_t query,
           std::uint32_t own) {
    for (; mask != 0; mask &= mask - 1) {
      const std::uint64_t slot = line + static_cast<std::uint32_t>(__builtin_ctz(mask));
      const std::uint32_t sum =
          own + distance_.of_chunk(query, ring_->around(table + 1), ring_->sketches[slot]);
      steps_.push_back({static_cast<std::uint32_t>(slot), query, static_cast<std::uint16_t>(sum),
                        static_cast<std::uint8_t>(table), 2});
      prefetch(steps_.back(), table);
    }
  }

  // Adds a step that is within its bound.
  void add(const Step& step) {
    steps_.push_back(step);
    prefetch(step, table_of(step));
  }

  // Adds a code to compare with a query.
  void compare(std::uint32_t row, std::uint32_t query) {
    if (row >= ring_->count) refuse_damaged();
    prefetch_line(ring_->codes + std::uint64_t{row} * ring_->bytes);
    distance_.prefetch_code(query);
    pairs_.push_back({row, query});
  }

  std::size_t comparing() const { return pairs_.size(); }
  std::size_t waiting() const { return steps_.size() + moved_.size(); }

  // Takes all that were added half a step further: to what was asked of memory the last time.
  // Worth calling between two other pieces of work, which memory has the length of for it.
  void advance();

  // Follows all that were added and appends what lies within the radius, in no order, the same
  // pair perhaps several times.
  void finish(std::vector<Found>& found);

 private:
  std::size_t table_of(const Step& step) const {
    return ring_->around(std::size_t{step.start} + step.length - 2);
  }
  const std::uint32_t* bucket(std::size_t table, std::uint32_t key) const {
    return ring_->directory + table * kDirectory + key;
  }
  void prefetch(const Step& step, std::size_t table) const;
  std::uint32_t distance(const Step& step, std::size_t length, std::uint32_t sketch) const;
  bool may_go_on(const Step& step, std::size_t table) const;
  void move_on();
  void extend(std::size_t count);
  bool count_chunk(Step& step) const;

  const Ring* ring_ = nullptr;
  Distance distance_;
  std::vector<Step> steps_;  // wait for their link or row
  std::vector<Step> moved_;  // stand on the next table and wait for its sketch
  std::vector<Pair> pairs_;
  std::vector<typename Distance::Value> distances_;
};

}  // namespace screener
