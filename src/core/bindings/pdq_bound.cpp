// How far PDQ's samples and coefficients can lie from the reference's; for tests.
#include "pdq/pdq_bound.h"

#include <algorithm>

#include "pdq/pdq.h"
#include "pdq/pdq_sample.h"
#include "pixel_array.h"

namespace screener {
namespace {

using Bounds = nb::typed<nb::tuple, Array<double>, double, Array<double>, Array<double>>;
using Doubt = nb::typed<nb::tuple, Array<float>, Array<double>, bool>;

// Throws where nothing bounds what a picture of that size, of which so many rows are known, rounds.
void check_bounded(int64_t height, int64_t width, int rows) {
  if (std::min(height, width) < 5 || std::max(height, width) > kLargestSampled)
    throw nb::value_error("sides must be 5 to 32768 pixels");
  if (rows < 0 || rows >= kGrid) throw nb::value_error("rows must be 0 to 63");
}

template <class T, size_t count>
Array<T> values_of(const std::array<T, count>& values) {
  return to_array(std::vector<T>(values.begin(), values.end()));
}

}  // namespace

void bind_pdq_bound(nb::module_& m) {
  m.def(
      "pdq_doubt",
      [](const PixelArray& pixels, int rows) {
        const Pixels seen = pixels_of(pixels);
        check_bounded(seen.height, seen.width, rows);
        const PdqDoubt doubt = without_gil([&] { return pdq_doubt(seen, active().pdq, rows); });
        return Doubt(
            nb::make_tuple(values_of(doubt.coefficients), values_of(doubt.bounds), doubt.certain));
      },
      "pixels"_a.noconvert(), "rows"_a = 0,
      "The 256 coefficients as sampled, how far the reference's can be from each, and whether the "
      "hash and the quality are certain, when it has filtered so many rows of the grid itself.");
  m.def(
      "pdq_bounds",
      [](int64_t height, int64_t width, int channels, int rows, int p, int q) {
        check_bounded(height, width, rows);
        if (channels != 1 && channels != 3) throw nb::value_error("channels must be 1 or 3");
        if (std::min(p, q) < 0 || std::max(p, q) >= kPdqBits)
          throw nb::value_error("coefficients are numbered 0 to 255");
        const PdqBound bound({height, width, channels, pdq_sample_roundings(width, channels)});
        double all[kBand][kBand];
        bound.coefficients(rows, all);
        std::vector<double> above, beside;
        for (int n = 0; n < kGrid; ++n) {
          above.push_back(bound.above(n, rows));
          beside.push_back(bound.beside(n, rows));
        }
        return Bounds(nb::make_tuple(to_array(std::vector<double>(all[0], all[0] + kPdqBits)),
                                     bound.difference(p, q)[static_cast<size_t>(rows)],
                                     to_array(std::move(above)), to_array(std::move(beside))));
      },
      "height"_a, "width"_a, "channels"_a, "rows"_a, "p"_a, "q"_a,
      "For pictures of that shape, how far all roundings but those of the DCT can move, as for "
      "pdq_doubt, the 256 coefficients; the difference of two, p and q; and of two samples, one "
      "above the other in each column, and side by side in each row.");
}

}  // namespace screener
