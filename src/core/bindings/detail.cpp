// How much a picture shows.
#include "image/detail.h"

#include "pixel_array.h"

namespace screener {
namespace {

using Measures = nb::typed<nb::tuple, double, double, double, double>;
using Spectrum = nb::typed<nb::tuple, double, double>;
using Patterns = nb::typed<nb::tuple, nb::typed<nb::tuple, int, int>, nb::ellipsis>;

Pixels picture_of(const PixelArray& array) {
  if (array.size() == 0) throw nb::value_error("a picture has pixels");
  return pixels_of(array);
}

}  // namespace

void bind_detail(nb::module_& m) {
  m.def(
      "detail",
      [](const PixelArray& pixels) {
        const DetailMeasures found = detail_measures(picture_of(pixels));
        return Measures(nb::make_tuple(found.spread, found.area, found.shades, found.tones));
      },
      "pixels"_a.noconvert(),
      "The spread, area, shades and tones of grey (h, w) or RGB (h, w, 3) pixels.");
  m.def(
      "detail_spectrum",
      [](const PixelArray& pixels) {
        const DetailSpectrum found = detail_spectrum(picture_of(pixels));
        return Spectrum(nb::make_tuple(found.waves, found.texture));
      },
      "pixels"_a.noconvert(), "The waves and the texture of the same pixels.");
  m.def(
      "pdq_patterns",
      [](const nb::bytes& hashes) {
        if (hashes.size() % kPdqBytes != 0) throw nb::value_error("a PDQ has 32 bytes");
        nb::list all;
        for (size_t at = 0; at < hashes.size(); at += kPdqBytes) {
          const auto* hash = static_cast<const uint8_t*>(hashes.data()) + at;
          const PdqPatterns found = pdq_patterns(hash);
          all.append(nb::make_tuple(found.power, found.widest));
        }
        return Patterns(nb::tuple(all));
      },
      "hashes"_a,
      "Of each PDQ the sum of the squares of the products of its rows, and the largest sum of "
      "absolute products of one with all others.");
}

}  // namespace screener
