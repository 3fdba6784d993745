#include "pdq/pdq_filter.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "pdq/pdq_line.h"
#include "pdq/pdq_rows.h"

namespace screener {
namespace {

constexpr int64_t kNever = int64_t{1} << 62;

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

Floats zeros(int64_t count) {
  Floats floats(count);
  std::fill_n(floats.get(), count, 0.0f);
  return floats;
}

// What to divide by after each input from `first` on, or from there back.
class Counts {
 public:
  // Without an output, where the box has none yet or none any more.
  static Counts of_outputs(const PdqLine& line, int64_t first, int64_t size) {
    Counts counts(size);
    for (int64_t n = 0, input = first; n < size; ++n, ++input)
      counts.put(n, input < line.lag() || input >= line.inputs() ? kNone : line.count(input));
    return counts;
  }
  static Counts backwards(const PdqLine& line, int64_t last, int64_t size) {
    Counts counts(size);
    for (int64_t n = 0; n < size; ++n) counts.put(n, line.count(last - n));
    return counts;
  }

  BoxCounts from(int64_t n) const {
    const float* first = values_.get() + n;
    return {first, first + size_, first + 2 * size_};
  }

 private:
  static constexpr float kNone = std::numeric_limits<float>::infinity();

  explicit Counts(int64_t size) : size_(size), values_(3 * size) {}

  // Nearly all are that of a whole window: what was found for the one before serves again.
  void put(int64_t n, float count) {
    if (count != count_) {
      count_ = count;
      const double inverse = count == kNone ? 0.0 : 1.0 / static_cast<double>(count);
      high_ = static_cast<float>(inverse);
      low_ = static_cast<float>(inverse - static_cast<double>(high_));
    }
    float* value = values_.get() + n;
    value[0] = count_;
    value[size_] = high_;
    value[2 * size_] = low_;
  }

  int64_t size_;
  Floats values_;
  float count_ = 0, high_ = 0, low_ = 0;
};

// The room for the last values of sixteen lanes.
class Room {
 public:
  explicit Room(int64_t window)
      : window_(window),
        steps_(window_ + tiles_for(window_ + kSpare) * kTile),
        values_(steps_ * kTile) {}

  Lanes start() {
    float* first = values_.get();
    std::fill_n(first, window_ * kTile, 0.0f);
    return {first, first + steps_ * kTile, first + window_ * kTile, first, window_};
  }

 private:
  static constexpr int64_t kSpare = 8 * kTile;  // steps, so that windows seldom move
  int64_t window_;
  int64_t steps_;
  Floats values_;
};

}  // namespace

class PdqFilter::State {
 public:
  State(const Pixels& pixels, const PdqKernel& kernel);
  int run(int rows);
  std::array<double, kGrid> drift() const;
  const PdqGrid& grid() const { return grid_; }

 private:
  float* kept(int64_t band) const;
  const float* kept_row(int64_t row) const;
  void take_rows(int64_t first);
  void box_columns_again(const float row[kGrid]);

  const Pixels pixels_;
  const PdqKernel& kernel_;
  const PdqLine across_, down_;
  PdqRows picture_;
  // Until the lowest row of a band has come to the last sample.
  const int64_t steps_;
  // The steps whose lanes all have a whole window, and an output.
  const int64_t whole_first_, whole_end_;
  // What came out of the first box in the last bands, with a tile of zeros before and after each.
  const int64_t kept_bands_;
  const int64_t kept_stride_;
  Floats kept_;
  Floats sums_;  // of the first box along the columns; number 16 is that of the first
  Counts across_counts_, down_counts_;
  Room before_room_, after_room_, sums_room_;
  std::array<int64_t, kGrid + 1> sampled_columns_;
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
      kernel_(std::max(pixels.width, pixels.height) <= 128 * kMostCounted ? kernel : kPdqScalar),
      across_(pixels.width),
      down_(pixels.height),
      picture_(pixels, kernel),
      steps_(tiles_for(across_.sample(kGrid - 1) + 2 * across_.lag() + kTile + 1) * kTile),
      whole_first_(tiles_for(across_.window - 1 + kLastOfTile) * kTile),
      whole_end_(pixels.width / kTile * kTile),
      kept_bands_(down_.window / kTile + 1),
      kept_stride_((kTile + steps_ + kTile) * kTile),
      kept_(zeros(kept_bands_ * kept_stride_)),
      sums_(zeros(kTile + steps_)),
      across_counts_(Counts::of_outputs(across_, -kLastOfTile, steps_ + kLastOfTile)),
      down_counts_(Counts::backwards(down_, tiles_for(down_.inputs()) * kTile - 1,
                                     tiles_for(down_.inputs()) * kTile)),
      before_room_(across_.window),
      after_room_(across_.window),
      sums_room_(kTile),
      last_inputs_(static_cast<size_t>(down_.window)) {
  for (int j = 0; j < kGrid; ++j) {
    const int64_t input = across_.sample(j) + across_.lag();
    sampled_columns_[j] = input + across_.lag();
    sampled_counts_[j] = across_.count(input);
  }
  sampled_columns_[kGrid] = kNever;
}

int PdqFilter::State::run(int rows) {
  for (; cell_ < rows && taken_ < down_.inputs(); taken_ += kTile) take_rows(taken_);
  const std::array<float, kGrid> none{};
  while (cell_ < rows) box_columns_again(none.data());
  return cell_;
}

std::array<double, kGrid> PdqFilter::State::drift() const {
  // Of each sum, less what it should be: that of the inputs in its window.
  std::vector<const float*> rows;
  for (int64_t row = std::max<int64_t>(taken_ - down_.window, 0);
       row < std::min(taken_, down_.length); ++row)
    rows.push_back(kept_row(row));
  const auto left = [&](int64_t column) {
    double sum = sums_.get()[column + kTile];
    for (const float* row : rows) sum -= row[column * kTile];
    return sum;
  };
  std::array<double, kGrid> drift;
  const auto across = static_cast<double>(across_.window), down = static_cast<double>(down_.window);
  for (int j = 0; j < kGrid; ++j) {
    const int64_t last = sampled_columns_[j];
    double first_box = 0, second_box = last_sums_[j];
    for (int64_t n = last - across_.window + 1; n <= last; ++n) first_box += left(n);
    for (const std::array<float, kGrid>& inputs : last_inputs_) second_box -= inputs[j];
    drift[j] = (first_box / across + second_box) / down;
  }
  return drift;
}

void PdqFilter::State::take_rows(int64_t first) {
  const int64_t bands = down_.window / kTile, rows = down_.window % kTile;
  const float *upper = kept(first / kTile - bands), *lower = kept(first / kTile - bands - 1);
  Lanes before = before_room_.start(), after = after_room_.start(), sums = sums_room_.start();
  alignas(64) float values[kGrid][kTile], running[3][kTile] = {};
  BoxSamples samples{sampled_columns_.data(), sampled_counts_.data(), 0, 0, &sums, values};
  PdqStrip strip{};
  strip.below = static_cast<int>(std::clamp<int64_t>(first + kTile - pixels_.height, 0, kTile));
  strip.before = &before;
  strip.after = &after;
  strip.samples = &samples;
  strip.running = running;
  strip.leaving_from = static_cast<int>(rows);
  strip.down = down_counts_.from(tiles_for(down_.inputs()) * kTile - kTile - first);
  picture_.start(first);
  for (int64_t step = 0; step < steps_; step += strip.tiles * kTile) {
    strip.whole = step >= whole_first_ && step < whole_end_;
    const int64_t end = step < whole_first_ ? std::min(whole_first_, steps_)
                        : strip.whole       ? whole_end_
                                            : steps_;
    strip.tiles = picture_.point(step, (end - step) / kTile, strip);
    strip.across = across_counts_.from(step);
    strip.kept = kept(first / kTile) + step * kTile;
    strip.leaving[0] = upper + (step - rows) * kTile;
    strip.leaving[1] = lower + (step - rows + kTile) * kTile;
    strip.sums = sums_.get() + kTile + step;
    (pixels_.channels == 1 ? kernel_.grey : kernel_.rgb)(strip);
  }

  alignas(64) float lanes[kTile][kGrid];
  kernel_.turn(values, lanes);
  // The outputs of the first box along the columns lag behind its inputs.
  for (int i = 0; i < kTile; ++i) {
    const int64_t output = first + i - down_.lag();
    if (output >= 0 && output < down_.length) box_columns_again(lanes[kLastOfTile - i]);
  }
}

// Where the first box's output of sixteen rows begins. A band overwrites the one that leaves the
// second box with it, step by step: what is taken from there was written later in its band.
float* PdqFilter::State::kept(int64_t band) const {
  const int64_t place = (band % kept_bands_ + kept_bands_) % kept_bands_;
  return kept_.get() + place * kept_stride_ + kTile * kTile;
}

// The same of one row, whose columns are a tile's width apart.
const float* PdqFilter::State::kept_row(int64_t row) const {
  const int64_t i = row % kTile;
  return kept(row / kTile) + i * kTile + kLastOfTile - i;
}

void PdqFilter::State::box_columns_again(const float row[kGrid]) {
  std::array<float, kGrid>& kept = last_inputs_[static_cast<size_t>(next_ % down_.window)];
  for (int j = 0; j < kGrid; ++j) {
    last_sums_[j] += row[j];
    last_sums_[j] -= kept[j];
    kept[j] = row[j];
  }
  for (; cell_ < kGrid && down_.sample(cell_) + down_.lag() == next_; ++cell_)
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
