// How much a picture shows.
#include "detail.h"

#include "arrays.h"

namespace screener {
namespace {

using GreyArray = nb::ndarray<const uint8_t, nb::ro, nb::ndim<2>, nb::device::cpu>;
using Measures = nb::typed<nb::tuple, double, double, double, double>;
using Patterns = nb::typed<nb::tuple, nb::typed<nb::tuple, int, int>, nb::ellipsis>;

}  // namespace

void bind_detail(nb::module_& m) {
  m.def(
      "detail",
      [](const GreyArray& grey) {
        if (grey.size() == 0) throw nb::value_error("a picture has pixels");
        const Pixels pixels = {grey.data(),
                               static_cast<int64_t>(grey.shape(0)),
                               static_cast<int64_t>(grey.shape(1)),
                               1,
                               grey.stride(0),
                               grey.stride(1),
                               0};
        const DetailMeasures found = detail_measures(pixels);
        return Measures(nb::make_tuple(found.spread, found.area, found.shades, found.tones));
      },
      "pixels"_a.noconvert(), "The spread, area, shades and tones of grey (h, w) pixels.");
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
