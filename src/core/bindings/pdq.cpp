// PDQ of pixels.
#include "pdq.h"

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

using HashesAndQuality = nb::typed<nb::tuple, nb::bytes, int>;

template <class Hashes>
HashesAndQuality hashes_and_quality(const Hashes& hashes, int quality) {
  return nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(&hashes), sizeof hashes), quality);
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
      [](const PixelArray& pixels) {
        const PdqResult result = hashed(pdq, pixels, active.isa);
        return hashes_and_quality(result.hash, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hash of grey (h, w) or RGB (h, w, 3) pixels in 32 bytes; its quality.");
  m.def(
      "pdq_orientations",
      [](const PixelArray& pixels) {
        const PdqOrientations result = hashed(pdq_orientations, pixels, active.isa);
        return hashes_and_quality(result.hashes, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hashes of eight orientations, 32 bytes each; the one quality.");
}

}  // namespace screener
