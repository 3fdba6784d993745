// Comparing with all codes, and reading memory as it is read there.
#include <algorithm>

#include "arrays.h"
#include "floor.h"

namespace screener {
namespace {

HitArrays scan_arrays(Codes codes, Codes queries, std::uint32_t radius) {
  if (codes.shape(1) != queries.shape(1))
    throw nb::value_error("codes and queries differ in width");
  return to_arrays(without_gil([&] {
    return scan(active().scan, codes.data(), codes.shape(0), queries.data(), queries.shape(0),
                codes.shape(1), radius);
  }));
}

// The sum of the given cache lines of memory, or of all of it; for benchmarks.
std::uint64_t read_memory(Values<std::uint8_t> data, std::optional<Values<std::uint32_t>> lines,
                          std::size_t ahead, const std::string& hint) {
  const Hint how = hint == "t0"    ? Hint::t0
                   : hint == "t1"  ? Hint::t1
                   : hint == "nta" ? Hint::nta
                                   : Hint::none;
  nb::gil_scoped_release release;
  if (!lines) return read_all(data.data(), data.size());
  const std::uint32_t* last = std::max_element(lines->data(), lines->data() + lines->size());
  if (lines->size() != 0 && (std::size_t{*last} + 1) * 64 > data.size())
    throw std::out_of_range("a line beyond the memory");
  return read_lines(data.data(), lines->data(), lines->size(), ahead, how);
}

}  // namespace

void bind_scan(nb::module_& m) {
  m.def("scan", &scan_arrays, "codes"_a.noconvert(), "queries"_a.noconvert(), "radius"_a,
        "Hits of queries (q, w) among codes (n, w) within the radius: offsets, rows, distances.");
  m.def("read_memory", &read_memory, "data"_a.noconvert(),
        "lines"_a.noconvert().none() = nb::none(), "ahead"_a = 0, "hint"_a = "",
        "Reads cache lines of memory, hinting ahead (t0, t1, nta), or all; for benchmarks.");
}

}  // namespace screener
