// Coefficients and samples of PDQ, and the queries that they make.
#include "pdq/pdq_views.h"

#include <algorithm>
#include <cmath>

#include "pdq/pdq.h"
#include "pixel_array.h"

namespace screener {
namespace {

template <class T>
using Table = nb::ndarray<nb::numpy, T, nb::ndim<2>>;
using Coefficients =
    nb::ndarray<const float, nb::shape<-1, kPdqBits>, nb::c_contig, nb::device::cpu>;
using Variances = nb::ndarray<const double, nb::shape<-1, kPdqBits>, nb::c_contig, nb::device::cpu>;
using Samples = nb::ndarray<const float, nb::shape<kGrid, kGrid>, nb::c_contig, nb::device::cpu>;
using Shapes = nb::ndarray<const double, nb::shape<-1, 10>, nb::c_contig, nb::device::cpu>;
using Sketch = nb::typed<nb::tuple, nb::bytes, int, int>;
using Look =
    nb::typed<nb::tuple, nb::typed<nb::tuple, Sketch, nb::ellipsis>, Table<float>, Table<float>>;
using QueryArrays = nb::typed<nb::tuple, Table<uint8_t>, Table<uint8_t>, Array<int32_t>>;

template <class T>
Table<T> to_table(std::vector<T>&& values, size_t columns) {
  const auto [kept, owner] = keep(std::move(values));
  return Table<T>(kept->data(), {kept->size() / columns, columns}, owner);
}

// Room for so many queries.
struct Room {
  std::vector<uint8_t> codes, weights;
  std::vector<int32_t> ceilings;

  explicit Room(size_t count)
      : codes(count * kPdqBytes), weights(count * kPdqBits), ceilings(count) {}
  PdqQueries queries() { return {codes.data(), weights.data(), ceilings.data()}; }
  QueryArrays to_arrays() && {
    return nb::make_tuple(to_table(std::move(codes), kPdqBytes),
                          to_table(std::move(weights), kPdqBits), to_array(std::move(ceilings)));
  }
};

PdqGrid grid_of(const Samples& samples) {
  PdqGrid grid;
  std::copy_n(samples.data(), kGrid * kGrid, grid.values[0]);
  return grid;
}

void check_aspect(double aspect) {
  if (!(aspect > 0) || !std::isfinite(aspect)) throw nb::value_error("aspect must be above 0");
}

PdqViewShape shape_of(const double* row) {
  if (!std::all_of(row, row + 10, [](double one) { return std::fabs(one) <= 90; }))
    throw nb::value_error("a view's numbers must be finite, and angles 90 degrees at most");
  const auto cover = row[5] == 1   ? PdqCover::rectangle
                     : row[5] == 2 ? PdqCover::ellipse
                                   : PdqCover::none;
  const PdqViewShape shape{row[0], row[1], row[2], row[3], row[4],
                           cover,  row[6], row[7], row[8], row[9]};
  if (!std::all_of(row, row + 4, [](double one) { return one >= -1; }))
    throw nb::value_error("no more than the picture itself must have been added to a side");
  constexpr double kLeast = 0.1;  // of each side, that must be seen
  if (1 - shape.left - shape.right < kLeast || 1 - shape.top - shape.bottom < kLeast)
    throw nb::value_error("a view must show a tenth of each side");
  if (cover == PdqCover::none) return shape;
  const double width = shape.x1 - shape.x0, height = shape.y1 - shape.y0;
  if (!(width > 0 && height > 0) || std::min(width, height) > 1 - kLeast)
    throw nb::value_error("a cover must be a part of the picture");
  return shape;
}

Look look(const PixelArray& array, int most) {
  const Pixels pixels = pixels_of(array);
  PdqGrid grid;
  const PdqSketches sketches =
      without_gil([&] { return pdq_sketches(pixels, active().pdq, most, &grid); });
  nb::list all;
  std::vector<float> coefficients;
  for (const PdqSketch& one : sketches) {
    const PdqHash& hash = one.result.hash;
    all.append(nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(hash.data()), hash.size()),
                              one.result.quality, one.doubt));
    coefficients.insert(coefficients.end(), one.coefficients.begin(), one.coefficients.end());
  }
  std::vector<float> samples(grid.values[0], grid.values[0] + kGrid * kGrid);
  return nb::make_tuple(nb::tuple(all), to_table(std::move(coefficients), kPdqBits),
                        to_table(std::move(samples), kGrid));
}

QueryArrays weigh(const Coefficients& coefficients, const std::optional<Variances>& variances) {
  const size_t count = coefficients.shape(0);
  if (variances && variances->shape(0) != count)
    throw nb::value_error("there must be a row of variances for each of coefficients");
  Room room(count);
  without_gil([&] {
    for (size_t n = 0; n < count; ++n)
      pdq_weigh(coefficients.data() + n * kPdqBits,
                variances ? pdq_sureness(variances->data() + n * kPdqBits) : pdq_sureness(),
                room.queries().after(n));
    return 0;
  });
  return std::move(room).to_arrays();
}

void construct(PdqViews* self, const Shapes& rows) {
  std::vector<PdqViewShape> shapes;
  for (size_t n = 0; n < rows.shape(0); ++n)
    shapes.push_back(shape_of(rows.data() + n * rows.shape(1)));
  without_gil([&] { return new (self) PdqViews(shapes); });
}

QueryArrays weigh_views(const PdqViews& views, const Samples& samples, double aspect, size_t first,
                        size_t last, size_t orientations) {
  check_aspect(aspect);
  if (first > last || last > views.size()) throw nb::value_error("there are fewer views");
  if (orientations != kOrientations && orientations != kPdqMirrored)
    throw nb::value_error("a view has two orientations or eight");
  const PdqGrid grid = grid_of(samples);
  Room room((last - first) * orientations);
  without_gil([&] {
    views.weigh(first, last, grid, aspect, active().pdq, orientations, room.queries());
    return 0;
  });
  return std::move(room).to_arrays();
}

Table<float> transform(const PdqViews& views, const Samples& samples, double aspect) {
  check_aspect(aspect);
  const PdqGrid grid = grid_of(samples);
  std::vector<float> all(views.size() * kPdqBits);
  for (size_t n = 0; n < views.size(); ++n) {
    float coefficients[kBand][kBand];
    views.transform(n, grid, aspect, active().pdq, coefficients);
    std::copy_n(coefficients[0], kPdqBits, all.begin() + static_cast<std::ptrdiff_t>(n * kPdqBits));
  }
  return to_table(std::move(all), kPdqBits);
}

Table<float> sureness(const PdqViews& views) {
  std::vector<float> all;
  for (size_t n = 0; n < views.size(); ++n)
    all.insert(all.end(), views.sureness(n).begin(), views.sureness(n).end());
  return to_table(std::move(all), kPdqBits);
}

}  // namespace

void bind_pdq_views(nb::module_& m) {
  m.def("pdq_look", look, "pixels"_a.noconvert(), "most"_a,
        "What pdq_sketches returns; the coefficients of each orientation, (8, 256); the 64 x 64 "
        "samples of the upright picture.");
  m.def("pdq_weigh", weigh, "coefficients"_a, "variances"_a = nb::none(),
        "For rows of coefficients the codes (n, 32); the weights of their bits (n, 256), in "
        "sixteenths of a bit, in the order of the bits; the ceilings (n,) of evidence, in "
        "sixteenths. Variances, (n, 256), are those of views where mean |B| is 1.");
  nb::class_<PdqViews>(m, "PdqViews", "Views of pictures, made of PDQ's 64 x 64 samples.")
      .def("__init__", construct, "shapes"_a,
           "Of each view: left, top, right and bottom margin, angle, cover (0: none, 1: rectangle, "
           "2: ellipse), x0, y0, x1, y1.")
      .def("__len__", &PdqViews::size)
      .def("weigh", weigh_views, "samples"_a, "aspect"_a, "first"_a, "last"_a,
           "orientations"_a = kOrientations,
           "As pdq_weigh, of views first to before last of a picture whose height is `aspect` "
           "times its width: eight orientations each, or upright and flip_horizontal.")
      .def("transform", transform, "samples"_a, "aspect"_a,
           "The coefficients of each upright view, (n, 256).")
      .def("sureness", sureness, "How sure each coefficient of each view is, (n, 256): 1 / noise.");
}

}  // namespace screener
