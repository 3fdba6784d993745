// How a code is cut into the 16-bit chunks that the tables of an index are keyed by.
//
// The bits are permuted first, by a fixed rule per width, so that bits that depend on each other
// land in different chunks and chunks that are neighbours in the ring have little in common.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace screener {

constexpr std::size_t kMostChunks = 32;  // 512 bits

inline std::uint32_t count_bits(std::uint32_t x) {  // of 16 bits, without an instruction for it
  x -= (x >> 1) & 0x5555u;
  x = (x & 0x3333u) + ((x >> 2) & 0x3333u);
  x = (x + (x >> 4)) & 0x0f0fu;
  return (x + (x >> 8)) & 0x1fu;
}

// How many bits of a code are set.
inline std::uint32_t weight_of(const std::uint8_t* code, std::size_t bytes) {
  std::uint32_t weight = 0;
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, code + at, 8);
    weight += static_cast<std::uint32_t>(std::popcount(word));
  }
  return weight;
}

// Which bit of a code becomes bit b of chunk c, at [16 * c + b]; bit k of a code is bit k % 8,
// the lowest first, of its byte k / 8.
std::vector<std::uint16_t> chunk_bits(std::size_t bytes);

// Writes bytes / 2 chunks in the order of the ring.
void cut_chunks(const std::uint8_t* code, std::size_t bytes, std::uint16_t* chunks);

}  // namespace screener
