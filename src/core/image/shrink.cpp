#include "image/shrink.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <memory>
#include <mutex>
#include <numbers>
#include <utility>

namespace screener {
namespace {

constexpr int kPrecision = 22;  // bits of a weight behind the point
constexpr double kReach = 3.0;  // of Lanczos's filter, in pixels of the smaller picture
constexpr int kHalf = 11;       // bits of a weight's lower part
constexpr int kAtOnce = 16;     // columns of a picture that are turned into rows together
constexpr int64_t kFew = 24;    // weights that are not worth splitting

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -kReach <= x && x < kReach ? sinc(x) * sinc(x / kReach) : 0.0; }

// What Pillow's shifted sums become: bytes, cut at either end.
uint8_t byte_of(int64_t sum) {
  return static_cast<uint8_t>(
      std::clamp<int64_t>((sum + (1 << (kPrecision - 1))) >> kPrecision, 0, 255));
}

// The weights of one line of pixels: of each pixel made, those of a run of the given ones. Each is
// also split, as high << kHalf | low, into two that multiply in 16 bits; the low part is no farther
// from 0 than the weight, so that sums of either stay within 32 bits.
class Weights {
 public:
  Weights(int64_t length, int64_t made) : length_(length), made_(made) {
    if (length == made) return;  // it stays as it is
    const double scale = static_cast<double>(length) / static_cast<double>(made);
    const double stretch = std::max(scale, 1.0), reach = kReach * stretch;
    firsts_.reserve(made);
    starts_.reserve(made + 1);
    starts_.push_back(0);
    std::vector<double> exact;
    for (int64_t k = 0; k < made; ++k) {
      const double centre = (static_cast<double>(k) + 0.5) * scale;
      const auto first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
      const auto last = std::min<int64_t>(static_cast<int64_t>(centre + reach + 0.5), length);
      exact.clear();
      double sum = 0;
      for (int64_t n = first; n < last; ++n) {
        // In Pillow's order, since every rounding counts.
        exact.push_back(lanczos((static_cast<double>(n) - centre + 0.5) * (1.0 / stretch)));
        sum += exact.back();
      }
      for (double weight : exact) {
        if (sum != 0.0) weight /= sum;
        weight *= 1 << kPrecision;
        whole_.push_back(static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5));
        const int32_t high = (whole_.back() + (1 << (kHalf - 1))) >> kHalf;
        high_.push_back(static_cast<int16_t>(high));
        low_.push_back(static_cast<int16_t>(whole_.back() - (high << kHalf)));
      }
      firsts_.push_back(first);
      starts_.push_back(static_cast<int64_t>(whole_.size()));
      longest_ = std::max(longest_, last - first);
    }
  }

  int64_t length() const { return length_; }
  int64_t made() const { return made_; }
  bool idle() const { return length_ == made_; }
  // The most pixels that one is made of.
  int64_t longest() const { return longest_; }
  int64_t first(int64_t k) const { return idle() ? k : firsts_[k]; }
  int64_t count(int64_t k) const { return idle() ? 1 : starts_[k + 1] - starts_[k]; }
  const int32_t* whole(int64_t k) const { return whole_.data() + starts_[k]; }

  // The whole line at once.
  void apply(const int16_t* line, uint8_t* out) const {
    for (int64_t k = 0; k < made_; ++k) {
      if (idle()) {
        out[k] = static_cast<uint8_t>(line[k]);
        continue;
      }
      const int16_t* from = line + firsts_[k];
      const int64_t taps = count(k);
      out[k] = byte_of(taps < kFew ? product(from, whole(k), taps)
                                   : split_product(from, starts_[k], taps));
    }
  }

 private:
  static int64_t product(const int16_t* from, const int32_t* weights, int64_t taps) {
    int32_t sum = 0;
    for (int64_t n = 0; n < taps; ++n) sum += from[n] * weights[n];
    return sum;
  }

  int64_t split_product(const int16_t* from, int64_t start, int64_t taps) const {
    const int16_t *high = high_.data() + start, *low = low_.data() + start;
    int32_t highs = 0, lows = 0;
    for (int64_t n = 0; n < taps; ++n) {
      highs += from[n] * high[n];
      lows += from[n] * low[n];
    }
    return (int64_t{highs} << kHalf) + lows;
  }

  int64_t length_, made_, longest_ = 1;
  std::vector<int64_t> firsts_, starts_;
  std::vector<int32_t> whole_;
  std::vector<int16_t> high_, low_;
};

// Weights take longer to work out than a small picture to be weighed: those of the lengths that
// came last are kept.
std::shared_ptr<const Weights> weights_of(int64_t length, int64_t made) {
  constexpr size_t kKept = 16;
  constexpr int64_t kLongest = 8192;  // beyond it they take too much memory, and little of the time
  static std::mutex mutex;
  static std::list<std::shared_ptr<const Weights>> kept;
  if (length > kLongest || made > kLongest) return std::make_shared<const Weights>(length, made);
  const std::lock_guard lock(mutex);
  auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& one) {
    return one->length() == length && one->made() == made;
  });
  if (found == kept.end()) {
    kept.push_front(std::make_shared<const Weights>(length, made));
    if (kept.size() > kKept) kept.pop_back();
  } else {
    kept.splice(kept.begin(), kept, found);
  }
  return kept.front();
}

// One result in the making, from rows that come one by one.
class Shrink {
 public:
  Shrink(const Pixels& pixels, ShrinkSize size)
      : kept_across_(weights_of(pixels.width, size.width)),
        kept_down_(weights_of(pixels.height, size.height)),
        across_(*kept_across_),
        down_(*kept_down_),
        rows_(static_cast<size_t>(down_.longest() * size.width)),
        sums_(size.width),
        out_(static_cast<size_t>(size.width * size.height)) {}

  // The next row of the picture, in grey.
  void take(const int16_t* line) {
    across_.apply(line, row(seen_));
    ++seen_;
    for (; next_ < down_.made() && down_.first(next_) + down_.count(next_) <= seen_; ++next_)
      make(next_);
  }

  std::vector<uint8_t> result() { return std::move(out_); }

 private:
  // The last few rows stand in a ring.
  uint8_t* row(int64_t number) { return rows_.data() + number % down_.longest() * across_.made(); }

  void make(int64_t k) {
    const int64_t width = across_.made();
    uint8_t* out = out_.data() + k * width;
    if (down_.idle()) {
      std::copy_n(row(k), width, out);
      return;
    }
    std::fill(sums_.begin(), sums_.end(), 0);
    const int32_t* weights = down_.whole(k);
    for (int64_t n = 0; n < down_.count(k); ++n) {
      const uint8_t* from = row(down_.first(k) + n);
      const int32_t weight = weights[n];
      for (int64_t x = 0; x < width; ++x) sums_[x] += from[x] * weight;
    }
    for (int64_t x = 0; x < width; ++x) out[x] = byte_of(sums_[x]);
  }

  std::shared_ptr<const Weights> kept_across_, kept_down_;
  const Weights &across_, &down_;
  std::vector<uint8_t> rows_;
  std::vector<int32_t> sums_;
  std::vector<uint8_t> out_;
  int64_t seen_ = 0, next_ = 0;
};

// `count` pixels, `step` bytes apart, in grey; the results stand `apart` from one another.
template <int64_t kStep>
void grey_steps(const uint8_t* pixel, int64_t step, int64_t green, int64_t blue, int64_t count,
                int16_t* out, int64_t apart) {
  if constexpr (kStep != 0) step = kStep;
  for (int64_t n = 0; n < count; ++n)
    out[n * apart] = pillow_grey(pixel[n * step], pixel[n * step + green], pixel[n * step + blue]);
}

void grey(const Pixels& pixels, int64_t row, int64_t column, int64_t count, int16_t* out,
          int64_t apart) {
  const int64_t step = pixels.column_stride, channel = pixels.channel_stride;
  const uint8_t* pixel = pixels.data + row * pixels.row_stride + column * step;
  if (pixels.channels == 1) {
    for (int64_t n = 0; n < count; ++n) out[n * apart] = pixel[n * step];
  } else if (step == 3 && channel == 1 && apart == 1) {
    grey_steps<3>(pixel, 3, 1, 2, count, out, 1);
  } else {
    grey_steps<0>(pixel, step, channel, 2 * channel, count, out, apart);
  }
}

std::vector<std::vector<uint8_t>> results(std::vector<Shrink>& all) {
  std::vector<std::vector<uint8_t>> found;
  for (Shrink& one : all) found.push_back(one.result());
  return found;
}

}  // namespace

std::vector<std::vector<uint8_t>> shrink(const Pixels& pixels,
                                         const std::vector<ShrinkSize>& sizes) {
  std::vector<Shrink> all;
  for (const ShrinkSize& size : sizes) all.emplace_back(pixels, size);
  std::vector<int16_t> line(pixels.width);
  for (int64_t y = 0; y < pixels.height; ++y) {
    grey(pixels, y, 0, pixels.width, line.data(), 1);
    for (Shrink& one : all) one.take(line.data());
  }
  return results(all);
}

std::vector<std::vector<uint8_t>> shrink_transposed(const Pixels& pixels,
                                                    const std::vector<ShrinkSize>& sizes) {
  Pixels turned = pixels;
  std::swap(turned.width, turned.height);
  std::swap(turned.row_stride, turned.column_stride);
  std::vector<Shrink> all;
  for (const ShrinkSize& size : sizes) all.emplace_back(turned, size);
  // Memory is read along its rows, some columns wide.
  std::vector<int16_t> lines(static_cast<size_t>(kAtOnce * pixels.height));
  for (int64_t x = 0; x < pixels.width; x += kAtOnce) {
    const int64_t count = std::min<int64_t>(kAtOnce, pixels.width - x);
    for (int64_t y = 0; y < pixels.height; ++y)
      grey(pixels, y, x, count, lines.data() + y, pixels.height);
    for (int64_t n = 0; n < count; ++n)
      for (Shrink& one : all) one.take(lines.data() + n * pixels.height);
  }
  return results(all);
}

}  // namespace screener
