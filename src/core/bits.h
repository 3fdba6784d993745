// How many bits are set, without an instruction for it.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace screener {

// Of the lower 16 bits, where the others are zero.
inline std::uint32_t count_bits(std::uint32_t x) {
  x -= (x >> 1) & 0x5555u;
  x = (x & 0x3333u) + ((x >> 2) & 0x3333u);
  x = (x + (x >> 4)) & 0x0f0fu;
  return (x + (x >> 8)) & 0x1fu;
}

// Of a code, of a number of bytes that eight divide: its weight.
inline std::uint32_t weight_of(const std::uint8_t* code, std::size_t bytes) {
  std::uint32_t weight = 0;
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, code + at, 8);
    weight += static_cast<std::uint32_t>(std::popcount(word));
  }
  return weight;
}

}  // namespace screener
