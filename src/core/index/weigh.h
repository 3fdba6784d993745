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

// Codes as a flat scan reads them: byte b of code i at columns[b * kByteStride + i].
constexpr std::size_t kWeighedRows = 1024;              // codes of a tile
constexpr std::size_t kByteStride = kWeighedRows + 64;  // never a multiple of 4 KiB
constexpr std::size_t kFirstBytes = 10;                 // read before any code is left out

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
  // Writes which of `count` codes of a tile weigh at most `limit`, below 255, in `bytes` bytes, and
  // returns how many. `order` has the numbers of the bytes: the sooner the heavy ones come, the
  // sooner a code is left out. `columns` is 64-aligned and may be read up to the next multiple of
  // 256 codes. The sums are of halves of bytes.
  std::size_t (*weigh_tile)(const std::uint8_t* columns, const std::uint8_t* order,
                            std::size_t count, std::size_t bytes, const std::uint8_t* sums,
                            std::uint32_t limit, std::uint16_t* rows);
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
