// The module: the files beside this one are all that knows Python. Arrays in, arrays out, the GIL
// released for the whole call.
#include <cstdlib>

#include "arrays.h"

namespace screener {

ActiveKernels active;

namespace {

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (Isa isa : supported_isas()) names.emplace_back(isa_name(isa));
  return names;
}

}  // namespace
}  // namespace screener

NB_MODULE(_core, m) {
  using namespace screener;
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  const Isa isa = choose_isa(std::getenv("SCREENER_KERNEL"));
  active = {isa, &scan_kernel(isa), &ring_kernel(isa)};
  m.attr("KERNEL") = isa_name(isa);
  bind_index(m);
  bind_scan(m);
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");
  bind_pdq(m);
  bind_detail(m);
  bind_shrink(m);
  bind_media(m);
  bind_md5(m);
}
