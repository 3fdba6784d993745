// What the parts of the module share.
#pragma once
#include <nanobind/nanobind.h>

#include "kernels.h"

namespace screener {

namespace nb = nanobind;
using namespace nb::literals;

// The kernels that were chosen when the module was loaded.
const Kernels& active();

// What `work` returns, the GIL released meanwhile: it must not touch Python.
template <class Work>
auto without_gil(Work work) {
  nb::gil_scoped_release release;
  return work();
}

void bind_index(nb::module_& m);
void bind_build(nb::module_& m);
void bind_digests(nb::module_& m);
void bind_scan(nb::module_& m);
void bind_memory_bandwidth(nb::module_& m);
void bind_pdq(nb::module_& m);
void bind_pdq_bound(nb::module_& m);
void bind_pdq_views(nb::module_& m);
void bind_detail(nb::module_& m);
void bind_shrink(nb::module_& m);
void bind_media(nb::module_& m);
void bind_md5(nb::module_& m);

}  // namespace screener
