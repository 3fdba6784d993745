#include "bench/memory_bandwidth.h"

#include <cstring>

namespace screener {
namespace {

constexpr std::size_t kLineBytes = 64;

inline std::uint64_t word_at(const std::uint8_t* data, std::size_t at) {
  std::uint64_t word;
  std::memcpy(&word, data + at, sizeof word);
  return word;
}

// The hint is a constant of the instruction, hence one loop for each.
template <int locality>
std::uint64_t read_hinted(const std::uint8_t* data, const std::uint32_t* lines, std::size_t count,
                          std::size_t ahead) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + ahead < count) __builtin_prefetch(data + lines[i + ahead] * kLineBytes, 0, locality);
    sum += word_at(data, lines[i] * kLineBytes);
  }
  return sum;
}

}  // namespace

std::uint64_t read_lines(const std::uint8_t* data, const std::uint32_t* lines, std::size_t count,
                         std::size_t ahead, Hint hint) {
  switch (hint) {
    case Hint::t0:
      return read_hinted<3>(data, lines, count, ahead);
    case Hint::t1:
      return read_hinted<2>(data, lines, count, ahead);
    case Hint::nta:
      return read_hinted<0>(data, lines, count, ahead);
    case Hint::none:
      break;
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += word_at(data, lines[i] * kLineBytes);
  return sum;
}

std::uint64_t read_all(const std::uint8_t* data, std::size_t bytes) {
  std::uint64_t sums[8] = {};
  for (std::size_t at = 0; at + kLineBytes <= bytes; at += kLineBytes)
    for (std::size_t k = 0; k < 8; ++k) sums[k] += word_at(data, at + 8 * k);
  std::uint64_t sum = 0;
  for (const std::uint64_t one : sums) sum += one;
  return sum;
}

}  // namespace screener
