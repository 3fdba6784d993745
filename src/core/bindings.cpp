// The only file that knows Python: arrays in, arrays out, the GIL released for the whole call.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

#include "kernel.h"
#include "scan.h"

namespace nb = nanobind;
using namespace screener;
using namespace nb::literals;

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

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  const Isa active = choose_isa(std::getenv("SCREENER_KERNEL"));
  m.attr("KERNEL") = isa_name(active);
  active_scan = &scan_kernel(active);
  m.def("scan", &scan_arrays, "codes"_a, "queries"_a, "radius"_a,
        "Hits of queries (q, w) among codes (n, w) within the radius: offsets, rows, distances.");
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");
}
