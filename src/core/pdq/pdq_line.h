// How the reference's box filter lies along a side of the picture.
#pragma once
#include <algorithm>

#include "pdq/pdq_sizes.h"

namespace screener {

struct PdqLine {
  int64_t length;
  int64_t window;
  int64_t half;  // inputs from window - half before an output to half - 1 after it

  explicit PdqLine(int64_t line)
      : length(line), window((line + 127) / 128), half((window + 2) / 2) {}

  // The output that a cell of the grid samples.
  int64_t sample(int cell) const { return (2 * cell + 1) * length / (2 * kGrid); }

  // Output number n is ready after input n + lag, and the line runs on with so many zeros at its
  // end. Adding a zero, or taking one off, changes no sum, so the reference's four phases are one
  // loop here.
  int64_t lag() const { return half - 1; }
  int64_t inputs() const { return length + lag(); }

  // How many real inputs the sum spans after that input: what the reference divides by.
  float count(int64_t input) const {
    const int64_t first = std::max<int64_t>(input - window + 1, 0);
    return static_cast<float>(std::max<int64_t>(std::min(input, length - 1) - first + 1, 1));
  }

  // Of an even window, the last sample's second box ends on an output that one input is missing
  // from, so that it is divided by one less.
  bool clipped() const { return window % 2 == 0; }

  // Whether the samples of the line run backwards are those of the line, backwards: an odd window
  // is symmetric, and so are the samples but where they fall on a border between two inputs.
  bool symmetric() const { return window % 2 != 0 && length % (2 * kGrid) != 0; }
};

}  // namespace screener
