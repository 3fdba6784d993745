// What is looked for in files and pictures before they are hashed.
#include <algorithm>
#include <cstring>

#include "arrays.h"
#include "image/backdrop.h"
#include "image/borders.h"
#include "image/insets.h"
#include "image/rectify.h"
#include "pixel_array.h"

namespace screener {
namespace {

using Rows = nb::typed<nb::tuple, int64_t, int64_t>;
constexpr int64_t kLongestSide = 1 << 24;

using GreyArray = nb::ndarray<const uint8_t, nb::ro, nb::ndim<2>, nb::device::cpu>;

// The pixels of a grey picture; value_error where there are none.
Pixels grey_of(const GreyArray& grey) {
  if (grey.size() == 0) throw nb::value_error("a picture has pixels");
  const auto height = static_cast<int64_t>(grey.shape(0));
  const auto width = static_cast<int64_t>(grey.shape(1));
  return {grey.data(), height, width, 1, grey.stride(0), grey.stride(1), 0};
}

// Where two bytes stand in this order, from a place on; -1 where they do not. By the second, which
// is to be the rarer one.
int64_t find_pair(const nb::bytes& data, uint8_t first, uint8_t second, size_t at) {
  const auto* bytes = static_cast<const uint8_t*>(data.data());
  const size_t size = data.size();
  while (at < size && size - at >= 2) {
    const void* found = std::memchr(bytes + at + 1, second, size - at - 1);
    if (found == nullptr) return -1;
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes);
    if (bytes[at - 1] == first) return static_cast<int64_t>(at - 1);
  }
  return -1;
}

// Four corners a part, x and y in turn.
Array<double> insets_of(const PixelArray& array, int64_t limit, int64_t min_side) {
  const Pixels pixels = pixels_of(array);
  std::vector<double> corners;
  {
    nb::gil_scoped_release released;
    for (const Inset& inset : find_insets(pixels, limit, min_side))
      for (int n = 0; n < 4; ++n) corners.insert(corners.end(), {inset.x[n], inset.y[n]});
  }
  return to_array(std::move(corners));
}

using Corners = nb::ndarray<const double, nb::ro, nb::shape<4, 2>, nb::c_contig, nb::device::cpu>;

nb::ndarray<nb::numpy, uint8_t> rectify_array(const PixelArray& array, const Corners& corners,
                                              int64_t width, int64_t height) {
  const Pixels pixels = pixels_of(array);
  if (array.size() == 0) throw nb::value_error("a picture has pixels");
  if (std::min(width, height) < 1 || std::max(width, height) > kLongestSide)
    throw nb::value_error("sides must be 1 to 2^24 pixels");
  double x[4], y[4];
  for (size_t n = 0; n < 4; ++n) x[n] = corners(n, 0), y[n] = corners(n, 1);
  const auto [kept, owner] =
      keep(without_gil([&] { return rectify(pixels, x, y, width, height); }));
  const size_t shape[] = {static_cast<size_t>(height), static_cast<size_t>(width), 3};
  return nb::ndarray<nb::numpy, uint8_t>(kept->data(), array.ndim(), shape, owner);
}

}  // namespace

void bind_media(nb::module_& m) {
  m.def(
      "even_edges", [](const GreyArray& grey) { return even_edges(grey_of(grey)); },
      "pixels"_a.noconvert(),
      "Whether an outermost line of grey (h, w) pixels has one colour, so that it may be a bar's.");
  m.def(
      "seams",
      [](const GreyArray& grey) {
        const Seams found = seams(grey_of(grey));
        return Rows(nb::make_tuple(found.above, found.below));
      },
      "pixels"_a.noconvert(),
      "How many rows of a backdrop grey (h, w) pixels have above and below, none where it is not "
      "sure.");
  m.def("insets", &insets_of, "pixels"_a.noconvert(), "limit"_a, "min_side"_a,
        "The corners (4n * 2) of at most `limit` parts of (h, w) or (h, w, 3) pixels that may be "
        "pictures, the likeliest first: x and y, from the upper left one clockwise.");
  m.def("rectify", &rectify_array, "pixels"_a.noconvert(), "corners"_a, "width"_a, "height"_a,
        "What (h, w) or (h, w, 3) pixels show between four corners (4 * 2: x and y, from the upper "
        "left one clockwise), as an upright picture of this size, interpolated.");
  m.def("find_pair", &find_pair, "data"_a, "first"_a, "second"_a, "at"_a,
        "Where two bytes stand one behind the other, from a place on; -1 where they do not.");
}

}  // namespace screener
