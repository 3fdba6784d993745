// Weighted search for every machine: plain C++.
#include "index/weigh.h"
#include "inline.h"

namespace screener {
namespace {

// What 16 bits of a code add, each byte at most 255.
INLINE std::uint32_t sum_of(const std::uint8_t* sums, std::uint32_t bits) {
  const std::uint32_t low = std::uint32_t{sums[bits & 15]} + sums[16 + (bits >> 4 & 15)];
  const std::uint32_t high = std::uint32_t{sums[32 + (bits >> 8 & 15)]} + sums[48 + (bits >> 12)];
  return (low < 255 ? low : 255) + (high < 255 ? high : 255);
}

INLINE std::uint32_t test_line(const std::uint16_t* line, const std::uint8_t* sums,
                               std::uint32_t limit) {
  std::uint32_t mask = 0;
  for (std::size_t j = 0; j < kLine; ++j)
    mask |= static_cast<std::uint32_t>(sum_of(sums, line[j]) <= limit) << j;
  return mask;
}

// Ends where the budget is spent.
INLINE std::uint32_t weight(const std::uint8_t* code, const WeighedQuery& query,
                            std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < bytes && sum <= query.budget; ++at) {
    const std::uint8_t* weights = query.weights + 8 * at;
    for (std::uint32_t x = code[at] ^ query.code[at]; x != 0; x &= x - 1)
      sum += weights[__builtin_ctz(x)];
  }
  return sum;
}

std::size_t weigh_tile(const std::uint8_t* columns, const std::uint8_t* order, std::size_t count,
                       std::size_t bytes, const std::uint8_t* sums, std::uint32_t limit,
                       std::uint16_t* rows) {
  std::size_t passed = 0;
  for (std::size_t row = 0; row < count; ++row) {
    std::uint32_t sum = 0;
    for (std::size_t read = 0; read < bytes && sum <= limit; ++read) {
      const std::size_t byte = order[read];
      const std::uint32_t x = columns[byte * kByteStride + row];
      sum += std::uint32_t{sums[byte * 32 + (x & 15)]} + sums[byte * 32 + 16 + (x >> 4)];
    }
    rows[passed] = static_cast<std::uint16_t>(row);
    passed += sum <= limit;
  }
  return passed;
}

#include "index/weigh_changes.inc"
#include "index/weigh_loops.inc"

}  // namespace

const WeighKernel kWeighScalar = {list_changes, weigh_lines, weigh_tile, distances};

}  // namespace screener
