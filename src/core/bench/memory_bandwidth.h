// How fast this machine reads memory, whatever stands in it: what a search is held against.
#pragma once
#include <cstddef>
#include <cstdint>

namespace screener {

enum class Hint { none, t0, t1, nta };  // where a prefetch is asked to put a line

// Reads one word of each cache line of `data` that `lines` names, in this order, and hints at
// each so many lines ahead. Returns a sum of what was read, so that nothing is left out.
std::uint64_t read_lines(const std::uint8_t* data, const std::uint32_t* lines, std::size_t count,
                         std::size_t ahead, Hint hint);

// Reads all of `bytes`, from front to back.
std::uint64_t read_all(const std::uint8_t* data, std::size_t bytes);

}  // namespace screener
