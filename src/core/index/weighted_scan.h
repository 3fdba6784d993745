// The flat weighted scan: every code against every query.
//
// Codes are cut into tiles, whose half bytes are laid out as columns, so that a vector holds the
// same half byte of many codes and looks up what they add. Sums are rounded down to a byte. The
// heaviest half bytes are looked at first, for all queries of a group at once; what is left then is
// compared in full.
#pragma once
#include <vector>

#include "index/scan.h"
#include "index/weighted_queries.h"

namespace screener {

using WeightedResult = HitsOf<std::uint32_t>;

// Compares `count` codes of `bytes` bytes (see check_width) with some queries of a batch, those
// with a negative budget too.
WeightedResult weighted_scan(const WeighKernel& kernel, const std::uint8_t* codes,
                             std::size_t count, std::size_t bytes, const WeightedBatch& batch,
                             const std::uint32_t* numbers, std::size_t number_count);

// Fills in the columns of `size` bytes of each code, beginning with byte `first`, both multiples of
// 8: at columns[2 * b * kHalfStride], which is 64-aligned, as split_columns takes them.
void lay_out_bytes(const std::uint8_t* codes, std::size_t count, std::size_t bytes,
                   std::size_t first, std::size_t size, std::uint8_t* columns);

}  // namespace screener
