// Builds the arrays of an index from its codes.
#pragma once
#include "pages.h"
#include "ring.h"

namespace screener {

struct BuiltRing {
  Pages directory;  // uint32
  Pages sketches;   // uint16
  Pages links;      // of link_bytes each
  Pages rows;       // uint32
  std::uint32_t link_bytes = 1;
  std::vector<std::uint32_t> heads;
  std::vector<std::uint64_t> repeat_starts;
  std::vector<std::uint32_t> repeats;
};

// Whether so many codes fit: slots are numbered by 32 bits.
bool can_build(std::uint64_t count, std::size_t bytes);

// The same arrays for any number of threads. Besides what it returns it takes, at its peak,
// memory for the codes a second time and 24 bytes a code. `codes` hold `count` codes of
// `bytes` bytes; can_build() must hold.
BuiltRing build_ring(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                     std::size_t threads);

}  // namespace screener
