// Builds the arrays of an index from its codes.
#pragma once
#include <vector>

#include "index/pages.h"
#include "index/ring.h"

namespace screener {

struct BuiltTables {
  Pages directory;  // uint32; empty where there are no tables
  Pages sketches;   // uint16
  Pages links;      // of link_bytes each
  Pages rows;       // uint32
  std::uint32_t link_bytes = 1;
  Pages weights;  // uint8; empty where tables are not large
};

struct BuiltIndex {
  BuiltTables tables;  // of all codes, or of those that are balanced
  bool balanced = false;
  // Of the others: tables, or where they are few their rows and codes in order of their weights.
  BuiltTables rest;
  std::vector<std::uint32_t> few_rows;
  std::vector<std::uint8_t> few_codes;
  std::vector<std::uint32_t> heads;
  std::vector<std::uint64_t> repeat_starts;
  std::vector<std::uint32_t> repeats;
};

struct BuildLimits {
  std::uint64_t few;    // fewer codes than these have no tables of their own
  std::uint64_t large;  // so many codes make large tables, unless a bucket's links have no room
};

// Whether so many codes fit: slots are numbered by 32 bits.
bool can_build(std::uint64_t count, std::size_t bytes);

// The same arrays for any number of threads. Besides what it returns it takes, at its peak,
// memory for the codes a second time and 24 bytes a code. `codes` hold `count` codes of
// `bytes` bytes; can_build() must hold.
BuiltIndex build_index(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                       const BuildLimits& limits, std::size_t threads);

}  // namespace screener
