// What the kernels of MD5 share: the constants of its 64 steps, which go through a block of sixteen
// words four times.
#pragma once
#include <cstdint>

namespace screener {

constexpr int kMd5Steps = 64;
constexpr int kMd5Words = 16;
constexpr int kMd5BlockBytes = 64;
constexpr int kMd5MostLanes = 16;

// The integer parts of 2^32 times the sines of 1 to 64.
constexpr std::uint32_t kMd5Sines[kMd5Steps] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

constexpr int kMd5Turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

constexpr int md5_turn(int step) { return kMd5Turns[step / 16][step % 4]; }

// Which word of the block a step adds.
constexpr int md5_word(int step) {
  constexpr int first[4] = {0, 1, 5, 0}, stride[4] = {1, 5, 3, 7};
  return (first[step / 16] + stride[step / 16] * step) % kMd5Words;
}

// Which of the four words of the state has a part in a step: 0 is the one that it changes.
constexpr int md5_part(int step, int part) { return (kMd5Steps - step + part) % 4; }

struct Md5Kernel {
  int lanes;
  // Takes `count` blocks into the state of each lane; the next block of lane l is `strides[l]`
  // bytes behind `from[l]`, and so on. Word w of lane l's state is state[w * lanes + l], and state
  // is 64-aligned.
  void (*blocks)(const std::uint8_t* const* from, const std::int64_t* strides, std::int64_t count,
                 std::uint32_t* state);
};

extern const Md5Kernel kMd5Scalar;
#if defined(__x86_64__)
extern const Md5Kernel kMd5Avx2;
extern const Md5Kernel kMd5Avx512;
#endif

}  // namespace screener
