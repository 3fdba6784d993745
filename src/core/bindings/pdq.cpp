// PDQ of pixels.
#include "pdq/pdq.h"

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
}

}  // namespace screener
