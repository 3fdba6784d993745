#include "image/borders.h"

#include <algorithm>
#include <cstdlib>

namespace screener {
namespace {

constexpr int64_t kSamples = 256;   // along a line; more would only cost time
constexpr int64_t kLeast = 4;       // samples, below which nothing can be told
constexpr double kNear = 1 - 0.02;  // the share of a line that lies near its median,
constexpr int kNoise = 16;          // which is within so many greys
constexpr int64_t kUneven = 4;      // greys that the mean of a quarter may lie from the median

// `count` samples, `step` bytes from one another.
struct Line {
  const uint8_t* first;
  int64_t count;
  int64_t step;
};

// Of `length` pixels that stand `stride` bytes from one another.
Line sampled(const uint8_t* first, int64_t length, int64_t stride) {
  const int64_t every = std::max<int64_t>(1, length / kSamples);
  return {first, (length + every - 1) / every, every * stride};
}

bool even(const Line& line) {
  if (line.count < kLeast) return false;
  int64_t counts[256] = {}, sums[4] = {};
  for (int k = 0; k < 4; ++k)
    for (int64_t n = k * line.count / 4; n < (k + 1) * line.count / 4; ++n) {
      const uint8_t grey = line.first[n * line.step];
      ++counts[grey];
      sums[k] += grey;
    }
  int median = 0;
  for (int64_t below = counts[0]; below <= line.count / 2;) below += counts[++median];
  int64_t near = 0;
  for (int n = std::max(median - kNoise, 0); n <= std::min(median + kNoise, 255); ++n)
    near += counts[n];
  const auto rank = static_cast<int64_t>(static_cast<double>(line.count) * kNear);
  if (near <= rank) return false;
  for (int k = 0; k < 4; ++k) {
    const int64_t size = (k + 1) * line.count / 4 - k * line.count / 4;
    if (std::abs(sums[k] - median * size) > kUneven * size) return false;
  }
  return true;
}

}  // namespace

bool even_edges(const Pixels& pixels) {
  const uint8_t* bottom = pixels.data + (pixels.height - 1) * pixels.row_stride;
  const uint8_t* right = pixels.data + (pixels.width - 1) * pixels.column_stride;
  return even(sampled(pixels.data, pixels.width, pixels.column_stride)) ||
         even(sampled(bottom, pixels.width, pixels.column_stride)) ||
         even(sampled(pixels.data, pixels.height, pixels.row_stride)) ||
         even(sampled(right, pixels.height, pixels.row_stride));
}

}  // namespace screener
