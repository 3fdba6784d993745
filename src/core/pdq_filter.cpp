#include "pdq_filter.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <vector>

namespace screener {
namespace {

// Columns that go through both passes at once, so that the second finds the first's in the cache.
constexpr int64_t kStrip = 16 * kTile;
constexpr int64_t kOverread = 4;  // bytes that a kernel may read past a strip
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

// The room for the inputs of sixteen lines of one box.
class Room {
 public:
  explicit Room(const Box& box)
      : window_(box.window),
        columns_(window_ + tiles_for(window_ + kSpare) * kTile),
        values_(columns_ * kTile) {}

  BoxLines start() {
    float* first = values_.get();
    std::fill_n(first, window_ * kTile, 0.0f);
    return {first, first + columns_ * kTile, first + window_ * kTile, window_, 0, {}};
  }

 private:
  static constexpr int64_t kSpare = 8 * kTile;  // columns, so that windows seldom move
  int64_t window_;
  int64_t columns_;
  Floats values_;
};

// Sixteen rows of the picture, the last of them fewer.
class PixelRows {
 public:
  PixelRows(const Pixels& pixels, int64_t first, const PdqKernel& kernel)
      : kernel_(kernel),
        pixels_(pixels),
        first_(first),
        dense_(pixels.column_stride == pixels.channels &&
               (pixels.channels == 1 || pixels.channel_stride == 1)) {}

  int64_t first() const { return first_; }
  int height() const {
    return static_cast<int>(std::clamp<int64_t>(pixels_.height - first_, 0, kTile));
  }

  // Points at pixels without gaps from `column` on, for so many tiles as it returns: in place
  // where they lie so and can be read past the end, else copied with zeros behind the last.
  int64_t point(int64_t column, int64_t tiles, const uint8_t* rows[kTile]) {
    const int64_t tile = kTile * pixels_.channels;
    const int64_t left = std::max<int64_t>(pixels_.width - column, 0) * pixels_.channels;
    const int64_t in_place = dense_ ? std::max<int64_t>(left - kOverread, 0) / tile : 0;
    if (in_place > 0) tiles = std::min(tiles, in_place);
    for (int i = 0; i < kTile; ++i)
      rows[i] = in_place > 0 ? row(i) + column * pixels_.column_stride : copied_[i];
    if (in_place == 0) copy(column, std::min(left, tiles * tile) / pixels_.channels);
    return tiles;
  }

 private:
  // Rows below the picture repeat its last one; what comes of them is not used.
  const uint8_t* row(int i) const {
    return pixels_.data + std::min(first_ + i, pixels_.height - 1) * pixels_.row_stride;
  }

  void copy(int64_t column, int64_t count) {
    const int64_t bytes = count * pixels_.channels;
    if (dense_) {
      for (int i = 0; i < kTile; ++i)
        std::memcpy(copied_[i], row(i) + column * pixels_.channels, static_cast<size_t>(bytes));
    } else {
      PdqCopy all{{}, pixels_.column_stride, count, pixels_.channels, pixels_.channel_stride};
      for (int i = 0; i < kTile; ++i) all.from[i] = row(i) + column * pixels_.column_stride;
      kernel_.copy(all, copied_[0], sizeof copied_[0]);
    }
    for (int i = 0; i < kTile; ++i)
      std::memset(copied_[i] + bytes, 0, sizeof copied_[0] - static_cast<size_t>(bytes));
  }

  const PdqKernel& kernel_;
  const Pixels& pixels_;
  const int64_t first_;
  const bool dense_;
  uint8_t copied_[kTile][kStrip * 3 + kOverread];
};

}  // namespace

class PdqFilter::State {
 public:
  State(const Pixels& pixels, const PdqKernel& kernel);
  int run(int rows);
  std::array<double, kGrid> drift() const;
  const PdqGrid& grid() const { return grid_; }

 private:
  float* kept_row(int64_t row) const;
  void take_rows(int64_t first);
  void box_columns_again(const float row[kGrid]);

  const Pixels pixels_;
  const PdqKernel& kernel_;
  const Box across_, down_;
  // A row after the first pass: output n stands at n + lag, with zeros before and after, as the
  // second box along the rows needs them.
  const int64_t width_;
  const int64_t stride_;
  const int64_t kept_rows_;
  Floats kept_;
  Floats sums_;    // of the first box along the columns
  Floats counts_;  // of the boxes along the rows
  alignas(64) std::array<float, kStrip> nothing_{};
  alignas(64) std::array<float, kStrip> unused_;
  Room first_room_, second_room_;
  std::array<int64_t, kGrid + 1> sampled_inputs_;
  std::array<float, kGrid> sampled_counts_;
  // The second box along the columns, of the sampled ones only.
  std::array<float, kGrid> last_sums_{};
  std::vector<std::array<float, kGrid>> last_inputs_;
  int64_t taken_ = 0;  // rows of the picture, and zeros behind its last
  int64_t next_ = 0;
  int cell_ = 0;
  PdqGrid grid_;
};

PdqFilter::State::State(const Pixels& pixels, const PdqKernel& kernel)
    : pixels_(pixels),
      kernel_(kernel),
      across_(pixels.width),
      down_(pixels.height),
      width_(tiles_for(pixels.width + 2 * across_.lag) * kTile),
      // An odd number of cache lines, so that sixteen rows do not fall into one set of the cache.
      stride_((width_ / kTile | 1) * kTile),
      kept_rows_(std::min(pixels.height, down_.window + kTile)),
      kept_(kept_rows_ * stride_),
      sums_(width_),
      counts_(width_),
      first_room_(across_),
      second_room_(across_),
      last_inputs_(static_cast<size_t>(down_.window)) {
  std::fill_n(sums_.get(), width_, 0.0f);
  // Where the first box has no output yet, or none any more, an infinite count makes it zero.
  for (int64_t n = 0; n < width_; ++n)
    counts_.get()[n] = n < across_.lag || n >= across_.inputs()
                           ? std::numeric_limits<float>::infinity()
                           : across_.count(n);
  for (int j = 0; j < kGrid; ++j) {
    const int64_t input = across_.sample(j) + across_.lag;
    sampled_inputs_[j] = input + across_.lag;
    sampled_counts_[j] = across_.count(input);
  }
  sampled_inputs_[kGrid] = kNever;
}

int PdqFilter::State::run(int rows) {
  for (; cell_ < rows && taken_ < down_.inputs(); taken_ += kTile) take_rows(taken_);
  const std::array<float, kGrid> zeros{};
  while (cell_ < rows) box_columns_again(zeros.data());
  return cell_;
}

std::array<double, kGrid> PdqFilter::State::drift() const {
  // Of each sum, less what it should be: that of the inputs in its window.
  std::vector<double> left(static_cast<size_t>(width_));
  for (int64_t n = 0; n < width_; ++n) left[n] = sums_.get()[n];
  for (int64_t row = std::max<int64_t>(taken_ - down_.window, 0);
       row < std::min(taken_, down_.length); ++row) {
    const float* inputs = kept_row(row);
    for (int64_t n = 0; n < width_; ++n) left[n] -= inputs[n];
  }
  std::array<double, kGrid> drift;
  const auto across = static_cast<double>(across_.window), down = static_cast<double>(down_.window);
  for (int j = 0; j < kGrid; ++j) {
    const int64_t last = across_.sample(j) + 2 * across_.lag;
    double first_box = 0, second_box = last_sums_[j];
    for (int64_t n = last - across_.window + 1; n <= last; ++n) first_box += left[n];
    for (const std::array<float, kGrid>& inputs : last_inputs_) second_box -= inputs[j];
    drift[j] = (first_box / across + second_box) / down;
  }
  return drift;
}

void PdqFilter::State::take_rows(int64_t first) {
  PixelRows picture(pixels_, first, kernel_);
  BoxLines before = first_room_.start(), after = second_room_.start();
  alignas(64) float values[kGrid][kTile];
  BoxSamples samples{sampled_inputs_.data(), sampled_counts_.data(), 0, values};
  PdqStrip strip{};
  strip.height = picture.height();
  strip.before = &before;
  strip.after = &after;
  strip.samples = &samples;
  std::array<float*, kTile> kept{}, removed{};
  for (int i = 0; i < kTile; ++i) {
    kept[i] = kept_row(first + i);
    removed[i] = kept_row(first + i - down_.window);
    strip.row_counts[i] = down_.count(first + i);
  }
  for (int64_t column = 0; column < width_; column += strip.tiles * kTile) {
    strip.tiles = picture.point(column, std::min(kStrip, width_ - column) / kTile, strip.rows);
    strip.counts = counts_.get() + column;
    strip.sums = sums_.get() + column;
    for (int i = 0; i < kTile; ++i) {
      strip.kept[i] = kept[i] ? kept[i] + column : unused_.data();
      strip.removed[i] = removed[i] ? removed[i] + column : nothing_.data();
    }
    (pixels_.channels == 1 ? kernel_.grey : kernel_.rgb)(strip);
  }

  alignas(64) float rows[kTile][kGrid];
  kernel_.turn(values, rows);
  // The outputs of the first box along the columns lag behind its inputs.
  for (int i = 0; i < kTile; ++i) {
    const int64_t output = first + i - down_.lag;
    if (output >= 0 && output < down_.length) box_columns_again(rows[i]);
  }
}

// Where the first box's output of that row stands, null if the picture has no such row.
float* PdqFilter::State::kept_row(int64_t row) const {
  return row < 0 || row >= down_.length ? nullptr : kept_.get() + row % kept_rows_ * stride_;
}

void PdqFilter::State::box_columns_again(const float row[kGrid]) {
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

PdqFilter::PdqFilter(const Pixels& pixels, const PdqKernel& kernel)
    : state_(std::make_unique<State>(pixels, kernel)) {}

PdqFilter::~PdqFilter() = default;

int PdqFilter::run(int rows) { return state_->run(rows); }

const PdqGrid& PdqFilter::grid() const { return state_->grid(); }

std::array<double, kGrid> PdqFilter::drift() const { return state_->drift(); }

PdqGrid pdq_filter(const Pixels& pixels, const PdqKernel& kernel) {
  PdqFilter filter(pixels, kernel);
  filter.run(kGrid);
  return filter.grid();
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
