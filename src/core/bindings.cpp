// The only file that knows Python: arrays in, arrays out, the GIL released for the whole call.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

#include "kernel.h"
#include "pdq.h"
#include "scan.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace screener;

namespace {

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (Isa isa : supported_isas()) names.emplace_back(isa_name(isa));
  return names;
}

using Codes = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto* kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(kept->data(), {kept->size()}, owner);
}

const ScanKernel* active_scan = nullptr;

nb::typed<nb::tuple, Array<std::int64_t>, Array<std::int64_t>, Array<std::uint16_t>> scan_arrays(
    Codes codes, Codes queries, std::uint32_t radius) {
  if (codes.shape(1) != queries.shape(1))
    throw nb::value_error("codes and queries differ in width");
  ScanResult result;
  {
    nb::gil_scoped_release release;
    result = scan(*active_scan, codes.data(), codes.shape(0), queries.data(), queries.shape(0),
                  codes.shape(1), radius);
  }
  return nb::make_tuple(to_array(std::move(result.offsets)), to_array(std::move(result.rows)),
                        to_array(std::move(result.distances)));
}

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

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  const Isa active = choose_isa(std::getenv("SCREENER_KERNEL"));
  m.attr("KERNEL") = isa_name(active);
  active_scan = &scan_kernel(active);
  m.def("scan", &scan_arrays, "codes"_a.noconvert(), "queries"_a.noconvert(), "radius"_a,
        "Hits of queries (q, w) among codes (n, w) within the radius: offsets, rows, distances.");
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");

  m.def(
      "pdq",
      [active](const PixelArray& pixels) {
        const PdqResult result = hashed(pdq, pixels, active);
        return hashes_and_quality(result.hash, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hash of grey (h, w) or RGB (h, w, 3) pixels in 32 bytes; its quality.");
  m.def(
      "pdq_orientations",
      [active](const PixelArray& pixels) {
        const PdqOrientations result = hashed(pdq_orientations, pixels, active);
        return hashes_and_quality(result.hashes, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hashes of eight orientations, 32 bytes each; the one quality.");
}
