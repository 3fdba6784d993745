// PDQ of pixels.
#include "pdq.h"

#include <algorithm>

#include "arrays.h"

namespace screener {
namespace {

using PixelArray = nb::ndarray<const uint8_t, nb::ro, nb::device::cpu>;

Pixels pixels_of(const PixelArray& array) {
  const bool colour = array.ndim() == 3;
  if (!(array.ndim() == 2 || (colour && array.shape(2) == 3)))
    throw nb::value_error("pixels must be uint8 of shape (height, width) or (height, width, 3)");
  return {array.data(),
          static_cast<int64_t>(array.shape(0)),
          static_cast<int64_t>(array.shape(1)),
          colour ? 3 : 1,
          array.stride(0),
          array.stride(1),
          colour ? array.stride(2) : 0};
}

using HashAndQuality = nb::typed<nb::tuple, nb::bytes, int>;
using Eight = nb::typed<nb::tuple, HashAndQuality, nb::ellipsis>;

HashAndQuality hash_and_quality(const PdqResult& result) {
  const auto* hash = reinterpret_cast<const char*>(result.hash.data());
  return nb::make_tuple(nb::bytes(hash, result.hash.size()), result.quality);
}

// Runs a PDQ function with the GIL released.
template <class Result>
Result hashed(Result (*function)(const Pixels&, const PdqKernel&), const PixelArray& array,
              Isa isa) {
  const Pixels pixels = pixels_of(array);
  nb::gil_scoped_release release;
  return function(pixels, pdq_kernel(isa));
}

}  // namespace

void bind_pdq(nb::module_& m) {
  m.def(
      "pdq",
      [](const PixelArray& pixels) { return hash_and_quality(hashed(pdq, pixels, active.isa)); },
      "pixels"_a.noconvert(),
      "The PDQ hash of grey (h, w) or RGB (h, w, 3) pixels in 32 bytes; its quality.");
  m.def(
      "pdq_orientations",
      [](const PixelArray& pixels) {
        nb::list results;
        for (const PdqResult& one : hashed(pdq_orientations, pixels, active.isa))
          results.append(hash_and_quality(one));
        return Eight(nb::tuple(results));
      },
      "pixels"_a.noconvert(),
      "The PDQ hash and the quality of the pixels in each of eight orientations.");
  m.def(
      "pdq_exact",
      [](const PixelArray& pixels) {
        return hash_and_quality(hashed(pdq_exact, pixels, active.isa));
      },
      "pixels"_a.noconvert(), "The same as pdq, always in the reference's order of sums.");
  m.def(
      "pdq_doubt",
      [](const PixelArray& pixels) {
        const Pixels seen = pixels_of(pixels);
        if (std::min(seen.height, seen.width) < 5 || std::max(seen.height, seen.width) > 32768)
          throw nb::value_error("sides must be 5 to 32768 pixels");
        const PdqDoubt doubt = hashed(pdq_doubt, pixels, active.isa);
        return nb::make_tuple(
            to_array(std::vector<float>(doubt.coefficients.begin(), doubt.coefficients.end())),
            to_array(std::vector<double>(doubt.bounds.begin(), doubt.bounds.end())), doubt.certain);
      },
      "pixels"_a.noconvert(),
      "The 256 coefficients as sampled, how far the reference's can be from each, and whether the "
      "hash and the quality are certain.");
}

}  // namespace screener
