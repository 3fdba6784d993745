// Finds equal codes.
#pragma once
#include <cstdint>
#include <vector>

namespace screener {

struct Repeats {
  std::vector<std::uint32_t> heads;   // the first row of each code that occurs again, ascending
  std::vector<std::uint64_t> starts;  // of its other rows in `rows`, and the end
  std::vector<std::uint32_t> rows;    // ascending for each head
  std::vector<bool> repeated;         // row by row; empty where there are none
};

// `keys` are values, one a row, that are equal for equal codes; they spread the work.
Repeats find_repeats(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                     const std::uint16_t* keys, std::size_t threads);

}  // namespace screener
