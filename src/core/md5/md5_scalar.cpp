// MD5 of four messages at once, for every machine: plain C++, in loops that a compiler makes
// vectors of four words of.
#include <cstdint>

#include "inline.h"
#include "md5/md5_kernel.h"

namespace screener {
namespace {

constexpr int kLanes = 4;

struct Lanes {
  uint32_t of[kLanes];
};

template <int round>
INLINE uint32_t mixed(uint32_t b, uint32_t c, uint32_t d) {
  if constexpr (round == 0)
    return d ^ (b & (c ^ d));
  else if constexpr (round == 1)
    return c ^ (d & (b ^ c));
  else if constexpr (round == 2)
    return b ^ c ^ d;
  else
    return c ^ (b | ~d);
}

template <int step>
INLINE void steps(Lanes s[4], const Lanes words[kMd5Words]) {
  if constexpr (step < kMd5Steps) {
    Lanes& a = s[md5_part(step, 0)];
    const Lanes &b = s[md5_part(step, 1)], &c = s[md5_part(step, 2)], &d = s[md5_part(step, 3)];
    constexpr int turn = md5_turn(step);
    for (int l = 0; l < kLanes; ++l) {
      const uint32_t sum = a.of[l] + words[md5_word(step)].of[l] + kMd5Sines[step] +
                           mixed<step / 16>(b.of[l], c.of[l], d.of[l]);
      a.of[l] = b.of[l] + (sum << turn | sum >> (32 - turn));
    }
    steps<step + 1>(s, words);
  }
}

// A word, the least byte first.
INLINE uint32_t word_at(const uint8_t* at) {
  return at[0] | at[1] << 8 | at[2] << 16 | static_cast<uint32_t>(at[3]) << 24;
}

void blocks(const uint8_t* const* from, const int64_t* strides, int64_t count, uint32_t* state) {
  Lanes s[4];
  for (int w = 0; w < 4; ++w)
    for (int l = 0; l < kLanes; ++l) s[w].of[l] = state[w * kLanes + l];
  for (int64_t n = 0; n < count; ++n) {
    Lanes words[kMd5Words];
    for (int w = 0; w < kMd5Words; ++w)
      for (int l = 0; l < kLanes; ++l) words[w].of[l] = word_at(from[l] + n * strides[l] + 4 * w);
    const Lanes before[4] = {s[0], s[1], s[2], s[3]};
    steps<0>(s, words);
    for (int w = 0; w < 4; ++w)
      for (int l = 0; l < kLanes; ++l) s[w].of[l] += before[w].of[l];
  }
  for (int w = 0; w < 4; ++w)
    for (int l = 0; l < kLanes; ++l) state[w * kLanes + l] = s[w].of[l];
}

}  // namespace

const Md5Kernel kMd5Scalar = {kLanes, blocks};

}  // namespace screener
