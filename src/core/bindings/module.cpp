// The module: the files beside this one are all that knows Python. Arrays in, arrays out, the GIL
// released for the whole of what takes long; what takes microseconds a picture keeps it.
#include "module.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

namespace screener {

const Kernels& active() {
  static const Kernels chosen = choose_kernels(std::getenv("SCREENER_KERNEL"));
  return chosen;
}

namespace {

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Kernels& kernels : supported_kernels()) names.emplace_back(kernels.name);
  return names;
}

}  // namespace
}  // namespace screener

NB_MODULE(_core, m) {
  using namespace screener;
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  m.attr("KERNEL") = active().name;
  bind_index(m);
  bind_build(m);
  bind_digests(m);
  bind_scan(m);
  bind_memory_bandwidth(m);
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");
  bind_pdq(m);
  bind_pdq_bound(m);
  bind_pdq_views(m);
  bind_detail(m);
  bind_shrink(m);
  bind_media(m);
  bind_md5(m);
}
