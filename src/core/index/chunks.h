// How a code is cut into the 16-bit chunks that the tables of an index are keyed by.
//
// The bits are permuted first, by a fixed rule per width, so that bits that depend on each other
// land in different chunks and chunks that are neighbours in the ring have little in common.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace screener {

constexpr std::size_t kMostChunks = 32;  // 512 bits

// Which bit of a code becomes bit b of chunk c, at [16 * c + b]; bit k of a code is bit k % 8,
// the lowest first, of its byte k / 8.
std::vector<std::uint16_t> chunk_bits(std::size_t bytes);

// Writes bytes / 2 chunks in the order of the ring.
void cut_chunks(const std::uint8_t* code, std::size_t bytes, std::uint16_t* chunks);

}  // namespace screener
