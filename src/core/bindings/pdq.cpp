// PDQ of pixels.
#include "pdq.h"

#include <algorithm>

#include "pdq_bound.h"
#include "pdq_sample.h"
#include "pixel_array.h"
#include "threads.h"

namespace screener {
namespace {

using HashAndQuality = nb::typed<nb::tuple, nb::bytes, int>;
using HashesAndQualities = nb::typed<nb::tuple, HashAndQuality, nb::ellipsis>;

using Sketches = nb::typed<nb::tuple, nb::typed<nb::tuple, nb::bytes, int, int>, nb::ellipsis>;

nb::bytes bytes_of(const PdqResult& result) {
  return nb::bytes(reinterpret_cast<const char*>(result.hash.data()), result.hash.size());
}

HashAndQuality hash_and_quality(const PdqResult& result) {
  return nb::make_tuple(bytes_of(result), result.quality);
}

template <class Results>
HashesAndQualities hashes_and_qualities(const Results& results) {
  nb::list all;
  for (const PdqResult& one : results) all.append(hash_and_quality(one));
  return HashesAndQualities(nb::tuple(all));
}

// Throws where nothing bounds what a picture of that size, of which so many rows are known, rounds.
void check_bounded(int64_t height, int64_t width, int rows) {
  if (std::min(height, width) < 5 || std::max(height, width) > kLargestSampled)
    throw nb::value_error("sides must be 5 to 32768 pixels");
  if (rows < 0 || rows >= kGrid) throw nb::value_error("rows must be 0 to 63");
}

using Bounds = nb::typed<nb::tuple, Array<double>, double, Array<double>, Array<double>>;
using Doubt = nb::typed<nb::tuple, Array<float>, Array<double>, bool>;

template <class T, size_t count>
Array<T> values_of(const std::array<T, count>& values) {
  return to_array(std::vector<T>(values.begin(), values.end()));
}

// Runs a PDQ function with the GIL released.
template <class Result>
Result hashed(Result (*function)(const Pixels&, const PdqKernel&), const PixelArray& array) {
  const Pixels pixels = pixels_of(array);
  return without_gil([&] { return function(pixels, active().pdq); });
}

}  // namespace

void bind_pdq(nb::module_& m) {
  m.def(
      "pdq", [](const PixelArray& pixels) { return hash_and_quality(hashed(pdq, pixels)); },
      "pixels"_a.noconvert(),
      "The PDQ hash of grey (h, w) or RGB (h, w, 3) pixels in 32 bytes; its quality.");
  m.def(
      "pdq_orientations",
      [](const PixelArray& pixels) {
        return hashes_and_qualities(hashed(pdq_orientations, pixels));
      },
      "pixels"_a.noconvert(),
      "The PDQ hash and the quality of the pixels in each of eight orientations.");
  m.def(
      "pdq_sketches",
      [](const PixelArray& array, int most) {
        const Pixels pixels = pixels_of(array);
        nb::list all;
        for (const PdqSketch& one :
             without_gil([&] { return pdq_sketches(pixels, active().pdq, most); }))
          all.append(nb::make_tuple(bytes_of(one.result), one.result.quality, one.doubt));
        return Sketches(nb::tuple(all));
      },
      "pixels"_a.noconvert(), "most"_a,
      "As pdq_orientations, with how many bits of each hash are in doubt, `most` at most.");
  m.def(
      "pdq_batch",
      [](const std::vector<PixelArray>& pictures, size_t threads) {
        if (threads < 1 || threads > kMostThreads)
          throw nb::value_error("threads must be 1 to 1024");
        std::vector<Pixels> all;
        for (const PixelArray& one : pictures) all.push_back(pixels_of(one));
        return hashes_and_qualities(
            without_gil([&] { return pdq_batch(all, active().pdq, threads); }));
      },
      "pictures"_a.noconvert(), "threads"_a,
      "The PDQ hash and the quality of each of many pictures, hashed by so many threads.");
  m.def(
      "pdq_exact",
      [](const PixelArray& pixels) { return hash_and_quality(hashed(pdq_exact, pixels)); },
      "pixels"_a.noconvert(), "The same as pdq, always in the reference's order of sums.");
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
