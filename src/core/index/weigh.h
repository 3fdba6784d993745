// The loops of a weighted search that each instruction set has of its own.
//
// In a weighted search each bit of a query has an integer weight, 0 to 255. The distance of a code
// is the sum of the weights of the bits in which it differs; it is compared with a budget.
//
// What 16 bits of a code add is looked up by half bytes: 64 sums of a byte each, 16 for each half
// byte, the lowest first. Sums may be rounded down and end at 255: then a test lets more through
// than it must, and never less.
#pragma once
#include <cstddef>
#include <cstdint>

#include "index/ring.h"

namespace screener {

constexpr std::size_t kSums = 64;  // of 16 bits
constexpr std::size_t kSumsAlignment = 64;

// A query as its distances are computed. Weight k is that of bit k % 8, the lowest first, of byte
// k / 8 of the code.
struct WeighedQuery {
  const std::uint8_t* code;
  const std::uint8_t* weights;
  std::uint32_t budget;
};

// A line of sketches, and how to test it: the most that a sketch may weigh, and whose sums.
struct LineTest {
  std::uint32_t line;
  std::uint32_t test;
};
constexpr std::uint32_t kLimitBits = 9;
constexpr std::uint32_t kMostLimit = (1u << kLimitBits) - 1;
constexpr std::uint32_t make_weight_test(std::size_t sums, std::uint32_t limit) {
  return static_cast<std::uint32_t>(sums) << kLimitBits | limit;
}
constexpr std::size_t sums_of(std::uint32_t test) { return test >> kLimitBits; }
constexpr std::uint32_t limit_of_test(std::uint32_t test) { return test & kMostLimit; }

// A change of a chunk: the sum of its weights in the upper half, the bits in the lower.
constexpr std::uint32_t make_change(std::uint32_t weight, std::uint32_t bits) {
  return weight << 16 | bits;
}
constexpr std::size_t kMostChanges = 1 << 16;
constexpr std::size_t kChangesRoom = kMostChanges + 16;  // kernels write a few too many

// Codes as a flat scan reads them: half byte h of code i, from 0 to 15, at
// columns[h * kHalfStride + i]. Half 2b has the even bits of byte b, half 2b + 1 the odd ones, both
// the lowest first.
constexpr std::size_t kWeighedRows = 512;               // codes of a tile
constexpr std::size_t kHalfStride = kWeighedRows + 64;  // never a multiple of 4 KiB
constexpr std::size_t kMostHalves = 4 * kMostChunks;

// Four queries of a flat scan that the same sums are for, or two, or one. Half bytes are of four
// classes:
// against the first query, the second differs in all bits of the odd classes, the third in those of
// classes 2 and 3, the fourth in those of classes 1 and 2, and in no others. So what the first
// query differs by in a class is what they differ by, or the rest of its total. Of two, the halves
// that are read are dealt to classes 0 and 2 or to 1 and 3 in turn.
constexpr std::size_t kGrouped = 4;
constexpr bool is_turned(std::size_t query, std::size_t of_class) {
  return query == 1   ? (of_class & 1) != 0
         : query == 2 ? (of_class & 2) != 0
         : query == 3 ? of_class == 1 || of_class == 2
                      : false;
}
struct WeighedGroup {
  const std::uint8_t* sums;         // of half h of the codes, 16 for its values, at sums + 16 * h
  std::uint8_t order[kMostHalves];  // halves to read, one of each class in turn
  std::uint8_t rounds;              // of four halves that are read of every code
  std::uint8_t size;                // a lone query reads so many where something is left
  std::uint8_t totals[kGrouped];    // of each class
  std::uint8_t limit;               // of all queries, below 255
  std::uint32_t count;              // of the queries: kGrouped, 2, or 1 with no classes
};

// A code of a tile that may be within the budget of a query of a group.
constexpr std::uint16_t make_row(std::size_t row, std::size_t query) {
  return static_cast<std::uint16_t>(query * kWeighedRows + row);
}

struct WeighKernel {
  // Writes every set of some of the sixteen changes whose sum is below `bound`, the empty one
  // first, and returns how many. The changes are of one bit each, the heaviest first; `list` has
  // room for kChangesRoom.
  std::size_t (*list_changes)(const std::uint32_t* changes, std::uint32_t bound,
                              std::uint32_t* list);
  // Tests all sketches of each line; bit j of masks[k] tells whether the j-th weighs at most the
  // limit. Returns how many masks are not zero and writes which to `passed`. The kAhead entries of
  // `tests` after the last are prefetched. `masks` and `passed` have room for 16 more than `count`.
  std::size_t (*weigh_lines)(const std::uint16_t* sketches, const LineTest* tests,
                             std::size_t count, const std::uint8_t* sums, std::uint32_t* masks,
                             std::uint32_t* passed);
  // Turns columns of bytes into those of halves: that of byte b stands where its first half goes.
  // All columns here are 64-aligned, and may be used up to the next multiple of 256 codes.
  void (*split_columns)(std::uint8_t* columns, std::size_t count, std::size_t bytes);
  // Writes which of `count` codes of a tile are within the limit of which query of a group, and
  // returns how many: for each query in order.
  std::size_t (*weigh_tile)(const std::uint8_t* columns, std::size_t count,
                            const WeighedGroup& group, std::uint16_t* rows);
  // The weighted distance of each pair; anything beyond the budget if it is beyond it.
  void (*distances)(const std::uint8_t* codes, std::size_t bytes, const WeighedQuery* queries,
                    const Pair* pairs, std::size_t count, std::uint32_t* distances);
};

extern const WeighKernel kWeighScalar;
#if defined(__x86_64__)
extern const WeighKernel kWeighAvx2;
extern const WeighKernel kWeighAvx512;
#elif defined(__aarch64__)
extern const WeighKernel kWeighNeon;
#endif

}  // namespace screener
