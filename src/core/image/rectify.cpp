#include "image/rectify.h"

#include <algorithm>

namespace screener {
namespace {

constexpr int kFractionBits = 11;  // of the place between two pixels; four products fit in 32 bits
constexpr int kOne = 1 << kFractionBits;

// The projection of the unit square onto a quadrilateral (Heckbert 1989): the point (u, v) becomes
// (x[0] u + x[1] v + x[2], y[0] u + y[1] v + y[2]) over w[0] u + w[1] v + 1.
struct Projection {
  double x[3], y[3], w[2];

  Projection(const double (&cx)[4], const double (&cy)[4]) {
    const double sum_x = cx[0] - cx[1] + cx[2] - cx[3], sum_y = cy[0] - cy[1] + cy[2] - cy[3];
    const double right_x = cx[1] - cx[2], right_y = cy[1] - cy[2];
    const double below_x = cx[3] - cx[2], below_y = cy[3] - cy[2];
    const double area = right_x * below_y - below_x * right_y;
    w[0] = (sum_x * below_y - below_x * sum_y) / area;
    w[1] = (right_x * sum_y - sum_x * right_y) / area;
    const auto set = [this](double (&row)[3], const double (&corners)[4]) {
      row[0] = corners[1] - corners[0] + w[0] * corners[1];
      row[1] = corners[3] - corners[0] + w[1] * corners[3];
      row[2] = corners[0];
    };
    set(x, cx);
    set(y, cy);
  }
};

constexpr int32_t kBlock = 64;

// The places of a block of pixels along one axis: the first of two neighbours, and how near each is
// to the second one.
struct Places {
  int32_t first[kBlock];
  int32_t fraction[kBlock];

  // Of coordinates from the edge; a pixel's middle is half a pixel from there.
  void set(const double (&coordinates)[kBlock], int64_t count) {
    const auto last = static_cast<double>(count - 1);
    for (int32_t i = 0; i < kBlock; ++i) {
      const double from_middle = coordinates[i] - 0.5;
      const double at_most = from_middle < last ? from_middle : last;  // also of what is no number
      const double bounded = at_most > 0 ? at_most : 0;
      first[i] = static_cast<int32_t>(bounded);
      fraction[i] = static_cast<int32_t>((bounded - first[i]) * kOne + 0.5);
    }
  }
};

inline int mix(int first, int second, int fraction) {
  return first * (kOne - fraction) + second * fraction;
}

template <int kChannels>
void write_block(const Pixels& p, const Places& across, const Places& down, int64_t count,
                 uint8_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t x = across.first[i], y = down.first[i];
    const int64_t right = x + 1 < p.width ? p.column_stride : 0;
    const int64_t below = y + 1 < p.height ? p.row_stride : 0;
    const uint8_t* upper = p.data + y * p.row_stride + x * p.column_stride;
    for (int c = 0; c < kChannels; ++c, upper += p.channel_stride) {
      const uint8_t* lower = upper + below;
      const int mixed = mix(mix(upper[0], upper[right], across.fraction[i]),
                            mix(lower[0], lower[right], across.fraction[i]), down.fraction[i]);
      out[i * kChannels + c] =
          static_cast<uint8_t>((mixed + (1 << (2 * kFractionBits - 1))) >> (2 * kFractionBits));
    }
  }
}

// In blocks, of which the compiler computes several pixels' places at once.
void write_row(const Pixels& p, const Projection& to, double v, int64_t width, uint8_t* out) {
  const double x = to.x[1] * v + to.x[2], y = to.y[1] * v + to.y[2], w = to.w[1] * v + 1;
  const auto write = p.channels == 1 ? write_block<1> : write_block<3>;
  const double step = 1 / static_cast<double>(width);
  double xs[kBlock], ys[kBlock];
  Places across, down;
  for (int64_t start = 0; start < width; start += kBlock) {
    const double first = static_cast<double>(start) + 0.5;
    for (int32_t i = 0; i < kBlock; ++i) {
      const double u = (first + i) * step;
      const double scale = 1 / (to.w[0] * u + w);
      xs[i] = (to.x[0] * u + x) * scale;
      ys[i] = (to.y[0] * u + y) * scale;
    }
    across.set(xs, p.width);
    down.set(ys, p.height);
    write(p, across, down, std::min<int64_t>(kBlock, width - start), out + start * p.channels);
  }
}

}  // namespace

std::vector<uint8_t> rectify(const Pixels& p, const double (&x)[4], const double (&y)[4],
                             int64_t width, int64_t height) {
  const Projection to(x, y);
  std::vector<uint8_t> out(width * height * p.channels);
  for (int64_t j = 0; j < height; ++j) {
    const double v = (static_cast<double>(j) + 0.5) / static_cast<double>(height);
    write_row(p, to, v, width, out.data() + j * width * p.channels);
  }
  return out;
}

}  // namespace screener
