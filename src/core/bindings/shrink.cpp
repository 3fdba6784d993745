// Pictures shrunk as Pillow shrinks them, and enlarged.
#include "image/shrink.h"

#include <nanobind/stl/pair.h>

#include <algorithm>
#include <utility>

#include "image/enlarge.h"
#include "pixel_array.h"

namespace screener {
namespace {

using Sizes = std::vector<std::pair<int64_t, int64_t>>;
using Picture = nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>;

constexpr int64_t kLongest = 1 << 24;

Picture picture_of(std::vector<uint8_t>&& bytes, const ShrinkSize& size) {
  const auto [kept, owner] = keep(std::move(bytes));
  const size_t shape[] = {static_cast<size_t>(size.height), static_cast<size_t>(size.width)};
  return Picture(kept->data(), 2, shape, owner);
}

nb::ndarray<nb::numpy, uint8_t> enlarge_array(const PixelArray& array) {
  const Pixels pixels = pixels_of(array);
  if (array.size() == 0) throw nb::value_error("a picture has pixels");
  const auto [kept, owner] = keep(without_gil([&] { return enlarge(pixels); }));
  const size_t shape[] = {2 * array.shape(0), 2 * array.shape(1), 3};
  return nb::ndarray<nb::numpy, uint8_t>(kept->data(), array.ndim(), shape, owner);
}

}  // namespace

void bind_shrink(nb::module_& m) {
  m.def(
      "shrink",
      [](const PixelArray& array, const Sizes& wanted, bool transposed) {
        const Pixels pixels = pixels_of(array);
        std::vector<ShrinkSize> sizes;
        for (const auto& [width, height] : wanted) sizes.push_back({width, height});
        const bool given = pixels.width > 0 && pixels.height > 0 &&
                           std::max(pixels.width, pixels.height) <= kLongest;
        const bool fit = std::all_of(sizes.begin(), sizes.end(), [](const ShrinkSize& size) {
          return std::min(size.width, size.height) > 0 &&
                 std::max(size.width, size.height) <= kLongest;
        });
        if (!given || !fit) throw nb::value_error("sides must be 1 to 2^24 pixels");
        auto made =
            without_gil([&] { return (transposed ? shrink_transposed : shrink)(pixels, sizes); });
        std::vector<Picture> all;
        for (size_t k = 0; k < made.size(); ++k)
          all.push_back(picture_of(std::move(made[k]), sizes[k]));
        return all;
      },
      "pixels"_a.noconvert(), "sizes"_a, "transposed"_a,
      "The pixels, grey (h, w) or RGB (h, w, 3), or their transpose, as Pillow makes them grey and "
      "resizes them by LANCZOS to each (width, height).");
  m.def("enlarge", &enlarge_array, "pixels"_a.noconvert(),
        "The pixels, grey (h, w) or RGB (h, w, 3), at twice their size, interpolated.");
}

}  // namespace screener
