#include "image/inset_parts.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace screener::insets {
namespace {

constexpr int64_t kSmallPixels = 130'000;  // of the shrunk picture, about
constexpr int64_t kWholePixels = 500'000;  // fewer are not shrunk: thin gutters would vanish
constexpr int64_t kRows = 4;               // of those that shrink to one, that are looked at

// Adds the grey of a row's pixels.
void add_row(const Pixels& p, const uint8_t* row, int64_t width, uint16_t* sums) {
  const auto add = [&](int64_t column, int64_t channel) {
    for (int64_t x = 0; x < width; ++x) {
      const uint8_t* q = row + x * column;
      const int grey = p.channels == 1 ? *q : (q[0] + 2 * q[channel] + q[2 * channel]) >> 2;
      sums[x] = static_cast<uint16_t>(sums[x] + grey);
    }
  };
  if (p.dense())
    p.channels == 1 ? add(1, 1) : add(3, 1);
  else
    add(p.column_stride, p.channel_stride);
}

// The means of runs of k sums, each of `rows` pixels.
template <int K>
void mean_of(const uint16_t* sums, int64_t count, int64_t k, int64_t rows, uint8_t* out) {
  const int64_t step = K ? K : k;
  const auto scale = static_cast<uint32_t>(65536 / (step * rows));
  for (int64_t x = 0; x < count; ++x, sums += step) {
    uint32_t sum = 0;
    for (int64_t n = 0; n < step; ++n) sum += sums[n];
    out[x] = static_cast<uint8_t>((sum * scale + 32768) >> 16);
  }
}

}  // namespace

Small shrink_grey(const Pixels& p) {
  const double pixels = static_cast<double>(p.width) * static_cast<double>(p.height);
  const int64_t k = pixels <= kWholePixels ? 1 : std::llround(std::sqrt(pixels / kSmallPixels));
  Small s{k, p.width / k, p.height / k, {}};
  s.grey.resize(s.width * s.height);
  const int64_t rows = std::min(k, kRows), width = s.width * k;
  const auto mean = k == 1   ? mean_of<1>
                    : k == 2 ? mean_of<2>
                    : k == 3 ? mean_of<3>
                    : k == 4 ? mean_of<4>
                             : mean_of<0>;
  std::vector<uint16_t> sums(width);
  for (int64_t y = 0; y < s.height; ++y) {
    std::fill(sums.begin(), sums.end(), uint16_t{0});
    for (int64_t n = 0; n < rows; ++n)
      add_row(p, p.data + (y * k + n * k / rows) * p.row_stride, width, sums.data());
    mean(sums.data(), s.width, k, rows, s.grey.data() + y * s.width);
  }
  return s;
}

void values_in_row(const uint8_t* __restrict row, int64_t width, uint8_t* __restrict steps,
                   int8_t* __restrict out) {
  std::memset(steps, 0, width + 8);
  steps += 4;
  for (int64_t x = 1; x < width - 1; ++x) steps[x] = apart(row[x - 1], row[x + 1]);
  steps[0] = apart(row[0], row[1]), steps[width - 1] = apart(row[width - 2], row[width - 1]);
  std::memset(out, -kBias, width);
  for (int64_t x = 2; x < width - 2; ++x)
    out[x] = excess(steps[x], steps[x - 2], steps[x - 3], steps[x + 2], steps[x + 3]);
}

double overlap(const Box& a, const Box& b) {
  const int64_t w = std::min(a.right, b.right) - std::max(a.left, b.left);
  const int64_t h = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (w <= 0 || h <= 0) return 0;
  const double common = double(w * h);
  return common / (double((a.right - a.left) * (a.bottom - a.top)) +
                   double((b.right - b.left) * (b.bottom - b.top)) - common);
}

double liveliness(const Small& s, const Box& b) {
  std::array<int, 64> counts{};
  const int64_t w = b.right - b.left, h = b.bottom - b.top;
  if (std::min(w, h) < 8) return 0;
  const int64_t step_x = std::max<int64_t>(1, w / 24), step_y = std::max<int64_t>(1, h / 24);
  int total = 0, busy = 0;
  for (int64_t y = b.top + 2; y < b.bottom - 2; y += step_y)
    for (int64_t x = b.left + 2; x < b.right - 2; x += step_x) {
      const uint8_t* p = s.row(y) + x;
      ++counts[p[0] / 4], ++total;
      busy += std::abs(p[0] - p[-1]) + std::abs(p[0] - p[-s.width]) >= 3;
    }
  if (!total) return 0;
  int mode = 0;
  for (size_t n = 0; n + 1 < counts.size(); ++n) mode = std::max(mode, counts[n] + counts[n + 1]);
  const double share = double(mode) / total, busyness = double(busy) / total;
  if (busyness < 0.08) return 0;
  return std::clamp((0.95 - share) / 0.35, 0.0, 1.0);
}

}  // namespace screener::insets
