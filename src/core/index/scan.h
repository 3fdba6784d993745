// The flat scan: every code against every query, exact for every radius from 0 to the width.
//
// Codes are cut into tiles. The leading 32-bit words of a tile's codes are laid out as columns,
// so that one vector holds the same word of several codes, and a kernel needs no sums across
// lanes. A sieve compares only as many words as it takes to reject nearly everything at the
// radius; what it lets through is confirmed on the whole code.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace screener {

constexpr std::size_t kTileRows = 1024;
constexpr std::size_t kColumnStride = kTileRows + 16;  // never a multiple of 4 KiB: one cache set
constexpr std::size_t kTileQueries = 8;                // compared with each vector of codes loaded
constexpr std::size_t kMaxWords = 16;                  // 32-bit words in the widest code

struct Tile {
  const std::uint8_t* codes;     // `count` codes of `words` words, row after row
  const std::uint32_t* columns;  // word w of row i is columns[w * kColumnStride + i], 64-aligned;
                                 // rows past `count` up to a multiple of 16 may be read, as zero
  std::uint32_t count;           // 1 to kTileRows
  std::uint32_t words;
  std::uint32_t sieve_words;  // how many columns there are, 1 to `words`
};

struct Queries {
  const std::uint8_t* codes;   // row after row
  const std::uint32_t* words;  // word w of query j is words[w * (how many queries) + j]
};

struct Hit {
  std::uint16_t query;  // within Queries
  std::uint16_t row;    // within the tile
  std::uint16_t distance;
};

// Fills in the columns of a tile, zeros past `count` included. `columns` is 64-aligned with
// room for kMaxWords of them.
void lay_out_columns(const std::uint8_t* codes, std::size_t count, std::size_t words,
                     std::size_t sieve_words, std::uint32_t* columns);

struct ScanKernel {
  // The pairs whose leading words differ in at most `radius` bits, rows ascending for each
  // query, distances not set. `hits` has room for all pairs. Returns how many.
  std::size_t (*sieve_eight)(const Tile&, const Queries&, std::uint32_t radius, Hit* hits);
  std::size_t (*sieve_one)(const Tile&, const Queries&, std::uint32_t radius, Hit* hits);
  // Keeps, in their order, the hits within the radius on the whole code and sets their
  // distances. Returns how many are left.
  std::size_t (*confirm)(const Tile&, const Queries&, std::uint32_t radius, Hit* hits,
                         std::size_t count);
};

extern const ScanKernel kScanScalar;
#if defined(__x86_64__)
extern const ScanKernel kScanAvx2;
extern const ScanKernel kScanAvx512;
#elif defined(__aarch64__)
extern const ScanKernel kScanNeon;
#endif

// Hits of query i are at offsets[i] to offsets[i + 1], rows ascending.
template <class Distance>
struct HitsOf {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> rows;
  std::vector<Distance> distances;
};
using ScanResult = HitsOf<std::uint16_t>;

// Codes have 8, 16, 32 or 64 bytes: throws std::invalid_argument for another width.
void check_width(std::size_t bytes);

// Compares `count` codes with `query_count` queries, all of `bytes` bytes (see check_width) in rows
// without gaps and without alignment. Memory is in proportion to the hits, never to the pairs.
ScanResult scan(const ScanKernel& kernel, const std::uint8_t* codes, std::size_t count,
                const std::uint8_t* queries, std::size_t query_count, std::size_t bytes,
                std::uint32_t radius);

}  // namespace screener
