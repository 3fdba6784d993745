#include "pdq_filter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace screener {
namespace {

constexpr int64_t kStrip = 64 * kTile;   // columns that one call of the second pass covers
constexpr int64_t kCopied = 16 * kTile;  // columns of pixels that are copied at once
constexpr int64_t kOverread = 4;         // bytes that a kernel may read past a tile
constexpr int64_t kNever = int64_t{1} << 62;

int64_t tiles_for(int64_t count) { return (count + kTile - 1) / kTile; }

// An array of floats aligned to a cache line, not initialised.
class Floats {
 public:
  explicit Floats(int64_t count)
      : data_(static_cast<float*>(
            ::operator new(static_cast<size_t>(count) * sizeof(float), kAlignment))) {}
  float* get() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* data) const { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<float, Free> data_;
};

// The box along a line of `length` inputs. Its output number n is ready after input n + lag, and
// the line runs on with `lag` zeros at its end. Adding a zero, or taking one off, changes no sum,
// so the reference's four phases are one loop here.
struct Box {
  int64_t length;
  int64_t window;
  int64_t lag;

  explicit Box(int64_t line)
      : length(line), window((line + 127) / 128), lag((window + 2) / 2 - 1) {}
  int64_t inputs() const { return length + lag; }
  // How many real inputs the sum spans after that input: what the reference divides by.
  float count(int64_t input) const {
    const int64_t first = std::max<int64_t>(input - window + 1, 0);
    return static_cast<float>(std::max<int64_t>(std::min(input, length - 1) - first + 1, 1));
  }
  // The output that cell number `cell` of the grid samples.
  int64_t sample(int64_t cell) const { return (2 * cell + 1) * length / (2 * kGrid); }
};

// The ring behind sixteen lines of one box.
class Ring {
 public:
  explicit Ring(const Box& box)
      : capacity_(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(box.window + kTile)))),
        window_(box.window),
        values_(capacity_ * kTile) {}

  BoxLines start() {
    std::fill_n(values_.get(), capacity_ * kTile, 0.0f);
    return BoxLines{values_.get(), capacity_ - 1, window_, 0, {}};
  }

 private:
  int64_t capacity_;
  int64_t window_;
  Floats values_;
};

// Sixteen rows of the picture as tiles of pixels without gaps: in place where they lie so and can
// be read past their end, else copied with zeros behind the last pixel.
class PixelRows {
 public:
  PixelRows(const Pixels& pixels, int64_t first) : pixels_(pixels), first_(first) {
    const bool dense = pixels.column_stride == pixels.channels &&
                       (pixels.channels == 1 || pixels.channel_stride == 1);
    const int64_t overread = (kOverread + pixels.channels - 1) / pixels.channels;
    if (dense && pixels.width > overread) in_place_ = (pixels.width - overread) / kTile;
  }

  int64_t tiles_in_place() const { return in_place_; }

  void point_at(const uint8_t* rows[kTile]) const {
    for (int i = 0; i < kTile; ++i) rows[i] = row(i);
  }

  void copy(int64_t column, int64_t tiles, const uint8_t* rows[kTile]) {
    const int64_t count = std::clamp<int64_t>(pixels_.width - column, 0, tiles * kTile);
    const int64_t bytes = tiles * kTile * pixels_.channels;
    for (int i = 0; i < kTile; ++i) {
      uint8_t* out = copied_[i];
      const uint8_t* in = row(i) + column * pixels_.column_stride;
      for (int64_t x = 0; x < count; ++x)
        for (int c = 0; c < pixels_.channels; ++c)
          *out++ = in[x * pixels_.column_stride + c * pixels_.channel_stride];
      std::memset(out, 0, static_cast<size_t>(copied_[i] + bytes + kOverread - out));
      rows[i] = copied_[i];
    }
  }

 private:
  // Rows below the picture repeat its last one; what comes of them is not used.
  const uint8_t* row(int i) const {
    return pixels_.data + std::min(first_ + i, pixels_.height - 1) * pixels_.row_stride;
  }

  const Pixels& pixels_;
  int64_t first_;
  int64_t in_place_ = 0;
  uint8_t copied_[kTile][kCopied * 3 + kOverread];
};

class Filter {
 public:
  Filter(const Pixels& pixels, const PdqKernel& kernel);
  PdqGrid run();

 private:
  float* kept_row(int64_t row) const { return kept_.get() + row % kept_rows_ * stride_; }
  void box_rows(int64_t first);
  void box_columns(int64_t first);
  void box_columns_again(const float row[kGrid]);

  const Pixels& pixels_;
  const PdqKernel& kernel_;
  const Box across_, down_;
  // A row after the first pass: output n stands at n + lag, with zeros before and after, as the
  // second box along the rows needs them.
  const int64_t stride_;
  const int64_t kept_rows_;
  Floats kept_;
  Floats sums_;  // of the first box along the columns
  Floats nothing_;
  std::vector<float> counts_;
  Ring first_ring_, second_ring_;
  std::array<int64_t, kGrid + 1> sampled_inputs_;
  std::array<float, kGrid> sampled_counts_;
  // The second box along the columns, of the sampled ones only.
  std::array<float, kGrid> last_sums_{};
  std::vector<std::array<float, kGrid>> last_inputs_;
  int64_t next_ = 0;
  int cell_ = 0;
  PdqGrid grid_;
};

Filter::Filter(const Pixels& pixels, const PdqKernel& kernel)
    : pixels_(pixels),
      kernel_(kernel),
      across_(pixels.width),
      down_(pixels.height),
      // An odd number of cache lines, so that sixteen rows do not fall into one set of the cache.
      stride_((tiles_for(pixels.width + 2 * across_.lag) | 1) * kTile),
      kept_rows_(std::min(pixels.height, down_.window + kTile)),
      kept_(kept_rows_ * stride_),
      sums_(stride_),
      nothing_(kStrip),
      counts_(static_cast<size_t>(tiles_for(across_.inputs()) * kTile)),
      first_ring_(across_),
      second_ring_(across_),
      last_inputs_(static_cast<size_t>(down_.window)) {
  std::fill_n(sums_.get(), stride_, 0.0f);
  std::fill_n(nothing_.get(), kStrip, 0.0f);
  for (size_t n = 0; n < counts_.size(); ++n) counts_[n] = across_.count(static_cast<int64_t>(n));
  for (int j = 0; j < kGrid; ++j) {
    const int64_t input = across_.sample(j) + across_.lag;
    sampled_inputs_[j] = input + across_.lag;
    sampled_counts_[j] = across_.count(input);
  }
  sampled_inputs_[kGrid] = kNever;
}

PdqGrid Filter::run() {
  for (int64_t first = 0; first < down_.inputs(); first += kTile) {
    if (first < down_.length) box_rows(first);
    box_columns(first);
  }
  const std::array<float, kGrid> zeros{};
  while (cell_ < kGrid) box_columns_again(zeros.data());
  return grid_;
}

void Filter::box_rows(int64_t first) {
  const int height = static_cast<int>(std::min<int64_t>(kTile, down_.length - first));
  float* out[kTile];
  for (int i = 0; i < kTile; ++i) out[i] = kept_row(first + std::min(i, height - 1));

  BoxLines lines = first_ring_.start();
  const auto kernel = pixels_.channels == 1 ? kernel_.grey_rows : kernel_.rgb_rows;
  PixelRows picture(pixels_, first);
  const uint8_t* rows[kTile];
  picture.point_at(rows);
  int64_t tile = picture.tiles_in_place();
  kernel(rows, tile, counts_.data(), out, height, lines);
  for (const int64_t end = tiles_for(across_.inputs()); tile < end; tile += kCopied / kTile) {
    const int64_t tiles = std::min(kCopied / kTile, end - tile);
    picture.copy(tile * kTile, tiles, rows);
    kernel(rows, tiles, counts_.data(), out, height, lines);
  }
  for (int i = 0; i < height; ++i) {
    std::fill_n(out[i], across_.lag, 0.0f);
    std::fill(out[i] + across_.inputs(), out[i] + stride_, 0.0f);
  }
}

void Filter::box_columns(int64_t first) {
  float counts[kTile];
  for (int i = 0; i < kTile; ++i) counts[i] = down_.count(first + i);

  alignas(64) float values[kGrid][kTile];
  BoxLines lines = second_ring_.start();
  BoxSamples samples{sampled_inputs_.data(), sampled_counts_.data(), 0, values};
  const auto strip = [&](int64_t row, int64_t column) -> const float* {
    return row < 0 || row >= down_.length ? nothing_.get() : kept_row(row) + column;
  };
  for (int64_t column = 0; samples.next < kGrid; column += kStrip) {
    const float* added[kTile];
    const float* removed[kTile];
    for (int i = 0; i < kTile; ++i) {
      added[i] = strip(first + i, column);
      removed[i] = strip(first + i - down_.window, column);
    }
    const int64_t tiles = std::min(kStrip, stride_ - column) / kTile;
    kernel_.columns(added, removed, counts, sums_.get() + column, tiles, lines, samples);
  }

  alignas(64) float rows[kTile][kGrid];
  kernel_.turn(values, rows);
  // The outputs of the first box along the columns lag behind its inputs.
  for (int i = 0; i < kTile; ++i) {
    const int64_t output = first + i - down_.lag;
    if (output >= 0 && output < down_.length) box_columns_again(rows[i]);
  }
}

void Filter::box_columns_again(const float row[kGrid]) {
  std::array<float, kGrid>& kept = last_inputs_[static_cast<size_t>(next_ % down_.window)];
  for (int j = 0; j < kGrid; ++j) {
    last_sums_[j] += row[j];
    last_sums_[j] -= kept[j];
    kept[j] = row[j];
  }
  for (; cell_ < kGrid && down_.sample(cell_) + down_.lag == next_; ++cell_)
    for (int j = 0; j < kGrid; ++j) grid_[cell_][j] = last_sums_[j] / down_.count(next_);
  ++next_;
}

}  // namespace

PdqGrid pdq_filter(const Pixels& pixels, const PdqKernel& kernel) {
  return Filter(pixels, kernel).run();
}

PdqGrid pdq_luma(const Pixels& pixels) {
  PdqGrid grid;
  for (int i = 0; i < kGrid; ++i) {
    for (int j = 0; j < kGrid; ++j) {
      const uint8_t* pixel = pixels.data + i * pixels.row_stride + j * pixels.column_stride;
      const int64_t next = pixels.channel_stride;
      grid[i][j] = pixels.channels == 1 ? static_cast<float>(*pixel)
                                        : pdq_luma(pixel[0], pixel[next], pixel[2 * next]);
    }
  }
  return grid;
}

}  // namespace screener
