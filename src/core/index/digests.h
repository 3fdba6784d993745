// Finding values by equality, such as SHA-256 digests.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace screener {

// Values of one size, and the first eight bytes of each as a big-endian number, in ascending order.
struct Digests {
  const std::uint8_t* values;     // row after row
  const std::uint64_t* prefixes;  // shorter values are padded with zeros
  const std::uint32_t* order;     // the row of each prefix; rows ascend within equal prefixes
  std::size_t count;
  std::size_t size;  // bytes of a value, at least one
};

// The rows that equal query i are at offsets[i] to offsets[i + 1], ascending.
struct EqualRows {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> rows;
};

// Looks up `query_count` queries, row after row. Throws std::domain_error if `order` names a row
// beyond the values; prefixes out of order may hide rows, but never lead out of the arrays.
EqualRows find_equal(const Digests& digests, const std::uint8_t* queries, std::size_t query_count);

}  // namespace screener
