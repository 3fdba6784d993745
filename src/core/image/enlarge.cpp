#include "image/enlarge.h"

#include <algorithm>
#include <cstring>

namespace screener {
namespace {

inline uint8_t between(int near, int next) {
  return static_cast<uint8_t>((3 * near + next + 2) >> 2);
}

// A row's bytes without gaps.
const uint8_t* dense_row(const Pixels& p, int64_t y, std::vector<uint8_t>& room) {
  const uint8_t* row = p.data + y * p.row_stride;
  if (p.dense()) return row;
  for (int64_t x = 0; x < p.width; ++x)
    for (int c = 0; c < p.channels; ++c)
      room[x * p.channels + c] = row[x * p.column_stride + c * p.channel_stride];
  return room.data();
}

// Writes a row of twice the width. `halves` has room for two rows: each pixel makes one of either.
template <int kChannels>
void double_row(const uint8_t* __restrict row, int64_t width, uint8_t* __restrict halves,
                uint8_t* __restrict out) {
  const int64_t bytes = width * kChannels;
  uint8_t *first = halves, *second = halves + bytes;
  for (int64_t n = kChannels; n < bytes; ++n) first[n] = between(row[n], row[n - kChannels]);
  for (int64_t n = kChannels; n < bytes; ++n)
    second[n - kChannels] = between(row[n - kChannels], row[n]);
  std::memcpy(first, row, kChannels);
  std::memcpy(second + bytes - kChannels, row + bytes - kChannels, kChannels);
  for (int64_t x = 0; x < width; ++x) {
    std::memcpy(out + 2 * x * kChannels, first + x * kChannels, kChannels);
    std::memcpy(out + (2 * x + 1) * kChannels, second + x * kChannels, kChannels);
  }
}

}  // namespace

std::vector<uint8_t> enlarge(const Pixels& p) {
  const int64_t bytes = p.width * p.channels;
  std::vector<uint8_t> out(4 * bytes * p.height), mixed(bytes), halves(2 * bytes), rooms[2];
  for (auto& room : rooms) room.resize(p.dense() ? 0 : bytes);
  for (int64_t y = 0; y < 2 * p.height; ++y) {
    const int64_t at = y / 2, next = std::clamp<int64_t>(y % 2 ? at + 1 : at - 1, 0, p.height - 1);
    const uint8_t *here = dense_row(p, at, rooms[0]), *other = dense_row(p, next, rooms[1]);
    for (int64_t x = 0; x < bytes; ++x) mixed[x] = between(here[x], other[x]);
    const auto write = p.channels == 1 ? double_row<1> : double_row<3>;
    write(mixed.data(), p.width, halves.data(), out.data() + 2 * y * bytes);
  }
  return out;
}

}  // namespace screener
