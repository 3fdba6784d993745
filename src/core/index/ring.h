// Ring-MIH: exact search that touches a small part of the codes.
//
// A code is cut into chunks of 16 bits that form a ring. Table i is keyed by chunk i; a posting
// in its buckets carries chunk i + 1, its sketch. If two codes differ in at most `radius` bits
// and thresholds t have sum(t + 1) = radius + 1, then there is a place i in the ring from where
// every run of chunks i, i + 1, ... stays within its bound: the distances of the first l chunks
// add up to at most the sum of their t + 1, less one. So it is enough to visit the buckets
// within t[i] bits of the query's chunk i and to keep the postings whose sketch obeys the bound
// for two chunks. What is left is compared in full.
//
// A posting is found by its slot, one number through all tables. Every fourth table also holds
// the row of each posting. In the others a link leads to the posting of the same code in the
// next table: its place in the bucket that the sketch names.
//
// Large tables, whose buckets have many lines, are searched with less of memory. In a bucket the
// postings stand in order of their sketch's weight, so that only lines near the weight of the
// query's sketch are read. A link has a second half, the sketch of the posting it leads to, so
// that few are followed.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "index/chunks.h"

namespace screener {

constexpr std::size_t kBuckets = 1 << 16;
constexpr std::size_t kDirectory = kBuckets + 1;  // entries of one table: starts and the end
constexpr std::size_t kLine = 32;                 // sketches in a cache line
constexpr std::size_t kRowsEvery = 4;             // tables that hold rows: 3, 7, 11, ...
constexpr std::size_t kAhead = 96;                // lines between a prefetch and its use
constexpr std::size_t kBucketLines = 8;           // the most that sieve_bucket takes at once

constexpr std::size_t kWeights = 16;       // of a sketch, besides 0
constexpr std::uint32_t kManyLines = 255;  // in a bucket, or more

// Asks memory for a cache line. Into the second cache: the first has few places for lines on their
// way.
inline void prefetch_line(const void* line) { __builtin_prefetch(line, 0, 2); }

// The number of lines that a bucket lies in.
inline std::uint32_t lines_between(std::uint32_t start, std::uint32_t end) {
  const auto lines = static_cast<std::uint32_t>((std::uint64_t{end} + kLine - 1) / kLine) -
                     static_cast<std::uint32_t>(start / kLine);
  return start == end ? 0 : lines;
}

constexpr bool holds_rows(std::size_t table) { return table % kRowsEvery == kRowsEvery - 1; }

// The arrays of an index, which somebody else owns. Nothing in them is trusted: a search checks
// what it follows.
struct Ring {
  const std::uint8_t* codes;
  std::uint64_t count;
  std::uint32_t bytes;
  std::uint32_t tables;            // bytes / 2
  const std::uint32_t* directory;  // of table i at [i * kDirectory]; slots, ascending
  const std::uint16_t* sketches;   // 64-aligned, whole lines
  std::uint64_t slots;
  const void* links;
  std::uint32_t link_bytes;  // 1, 2 or 4
  const std::uint32_t* rows;
  // Of large tables, for each bucket and each weight from 1 on: in which of its lines the sketches
  // of that weight and more start, kManyLines if no earlier. Null where tables are not large.
  const std::uint8_t* weights;
  // What to subtract from a slot to find its link or its row.
  std::array<std::uint64_t, kMostChunks> base;

  // The table after the last is the first: there are 4, 8, 16 or 32.
  std::size_t around(std::size_t table) const { return table & (tables - 1); }
};

// Sets the bases from the directory. False if arrays of these sizes do not fit together.
bool set_bases(Ring& ring, std::uint64_t directory_size, std::uint64_t links_bytes,
               std::uint64_t rows_size, std::uint64_t weights_size);

struct Pair {
  std::uint32_t row;
  std::uint32_t query;
};

// A sketch and the most bits in which another may differ from it.
constexpr std::uint32_t make_test(std::uint32_t sketch, std::uint32_t limit) {
  return sketch | limit << 16;
}

// The lines of a bucket, at most kBucketLines of them, and which places of the first and the last
// one belong to it.
struct BucketLines {
  const std::uint16_t* sketches;
  std::size_t lines;
  std::uint32_t first;
  std::uint32_t last;
};

// A query of a block as one table sees it.
struct QueryEntry {
  std::uint32_t chunks;  // the sketch that it looks for and, in the upper half, the next one
  std::uint32_t number;
};

// Queries that visit one bucket, those with fewer flips first: of flips f the ones from
// ends[f - 1] to ends[f], whose sketch may differ in limit - f bits.
struct QueryRun {
  const QueryEntry* entries;
  const std::uint32_t* ends;
  std::uint32_t levels;
  std::uint32_t limit;
  std::size_t count() const { return ends[levels - 1]; }
};

// Entry and place of a posting whose sketch passed.
constexpr std::uint32_t kPlaces = kBucketLines * kLine;
constexpr std::uint32_t make_hit(std::size_t entry, std::uint32_t place) {
  return static_cast<std::uint32_t>(entry) * kPlaces + place;
}

// A posting that passed and waits for its next sketch, the one at `slot`, to come from memory:
// the first half of `rest` differs from 0 where its sketch and the query's do, the second half
// is what the next sketch should be.
struct Waiting {
  std::uint32_t slot;
  std::uint32_t rest;
  std::uint32_t query;  // its number and, from kFlipsAt on, the flips
};
constexpr std::uint32_t kFlipsAt = 28;

struct RingKernel {
  // Tests all sketches of line lines[k] by tests[k]; bit j of masks[k] tells whether the j-th
  // passed. Returns how many masks are not zero and writes which to `passed`. The kAhead
  // entries of `lines` after the last are prefetched, so they must be there. `masks` and
  // `passed` have room for 16 more than `count`.
  std::size_t (*sieve_lines)(const std::uint16_t* sketches, const std::uint32_t* lines,
                             const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                             std::uint32_t* passed);
  // Tests every query of a run on every posting of a bucket. Returns how many passed and writes
  // which to `hits`. `masks` and `passed` have room for 16 more than the lines times the
  // queries.
  std::size_t (*sieve_bucket)(const BucketLines& bucket, const QueryRun& run, std::uint32_t* masks,
                              std::uint32_t* passed, std::uint32_t* hits);
  // Writes to `passed` which of those waiting differ in at most limit - flips bits in two chunks
  // together, and returns how many.
  std::size_t (*sieve_waiting)(const std::uint16_t* sketches, const Waiting* waiting,
                               std::size_t count, std::uint32_t limit, std::uint32_t* passed);
  // The distance of each pair.
  void (*distances)(const std::uint8_t* codes, const std::uint8_t* queries, std::size_t bytes,
                    const Pair* pairs, std::size_t count, std::uint16_t* distances);
};

extern const RingKernel kRingScalar;
#if defined(__x86_64__)
extern const RingKernel kRingAvx2;
extern const RingKernel kRingAvx512;
#elif defined(__aarch64__)
extern const RingKernel kRingNeon;
#endif

}  // namespace screener
