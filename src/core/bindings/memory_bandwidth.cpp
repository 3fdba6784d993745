// Reading memory as a search reads it: the floor of `screener bench` and of benchmarks.
#include "bench/memory_bandwidth.h"

#include <algorithm>

#include "arrays.h"

namespace screener {
namespace {

// The sum of the given cache lines of memory, or of all of it.
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

void bind_memory_bandwidth(nb::module_& m) {
  m.def("read_memory", &read_memory, "data"_a.noconvert(),
        "lines"_a.noconvert().none() = nb::none(), "ahead"_a = 0, "hint"_a = "",
        "Reads cache lines of memory, hinting ahead (t0, t1, nta), or all; for benchmarks.");
}

}  // namespace screener
