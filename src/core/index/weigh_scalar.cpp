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

// Bits 0, 2, 4 and 6 of a byte.
INLINE std::uint8_t even_bits(std::uint32_t x) {
  x &= 0x55;
  x = (x | x >> 1) & 0x33;
  return static_cast<std::uint8_t>((x | x >> 2) & 0x0f);
}

void split_columns(std::uint8_t* columns, std::size_t count, std::size_t bytes) {
  for (std::size_t b = 0; b < bytes; ++b) {
    std::uint8_t* column = columns + 2 * b * kHalfStride;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t x = column[i];
      column[i] = even_bits(x);
      column[kHalfStride + i] = even_bits(x >> 1);
    }
  }
}

std::size_t weigh_tile(const std::uint8_t* columns, std::size_t count, const WeighedGroup& group,
                       std::uint16_t* rows) {
  const auto added = [&](std::size_t read, std::size_t row) -> std::uint32_t {
    const std::size_t half = group.order[read];
    return group.sums[half * 16 + columns[half * kHalfStride + row]];
  };
  std::size_t passed = 0;
  for (std::size_t row = 0; row < count; ++row) {
    std::uint32_t parts[kGrouped] = {};
    std::size_t read = 0;
    for (; read < kGrouped * group.rounds; ++read) parts[read % kGrouped] += added(read, row);
    for (std::size_t q = 0; q < group.count; ++q) {
      std::uint32_t sum = 0;
      for (std::size_t c = 0; c < kGrouped; ++c)
        sum += is_turned(q, c) ? group.totals[c] - parts[c] : parts[c];
      if (group.count == 1)
        for (; read < group.size && sum <= group.limit; ++read) sum += added(read, row);
      rows[passed] = make_row(row, q);
      passed += sum <= group.limit;
    }
  }
  return passed;
}

#include "index/weigh_changes.inc"
#include "index/weigh_loops.inc"

}  // namespace

const WeighKernel kWeighScalar = {list_changes, weigh_lines, split_columns, weigh_tile, distances};

}  // namespace screener
