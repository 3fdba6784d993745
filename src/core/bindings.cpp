// The only file that knows Python: arrays in, arrays out, the GIL released for the whole call.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

#include "kernel.h"

namespace nb = nanobind;
using namespace screener;

namespace {

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (Isa isa : supported_isas()) names.emplace_back(isa_name(isa));
  return names;
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  const Isa active = choose_isa(std::getenv("SCREENER_KERNEL"));
  m.attr("KERNEL") = isa_name(active);
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");
}
