// Comparing with all codes.
#include "arrays.h"

namespace screener {
namespace {

HitArrays<std::uint16_t> scan_arrays(Codes codes, Codes queries, std::uint32_t radius) {
  if (codes.shape(1) != queries.shape(1))
    throw nb::value_error("codes and queries differ in width");
  return to_arrays(without_gil([&] {
    return scan(active().scan, codes.data(), codes.shape(0), queries.data(), queries.shape(0),
                codes.shape(1), radius);
  }));
}

}  // namespace

void bind_scan(nb::module_& m) {
  m.def("scan", &scan_arrays, "codes"_a.noconvert(), "queries"_a.noconvert(), "radius"_a,
        "Hits of queries (q, w) among codes (n, w) within the radius: offsets, rows, distances.");
}

}  // namespace screener
