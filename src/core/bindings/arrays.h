// Arrays in, arrays out, and what the parts of the module share.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "kernels.h"
#include "pages.h"

namespace screener {

namespace nb = nanobind;
using namespace nb::literals;

// The kernels that were chosen when the module was loaded.
const Kernels& active();

void bind_scan(nb::module_& m);
void bind_index(nb::module_& m);
void bind_pdq(nb::module_& m);
void bind_detail(nb::module_& m);
void bind_shrink(nb::module_& m);
void bind_media(nb::module_& m);
void bind_md5(nb::module_& m);

using Codes = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto* kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(kept->data(), {kept->size()}, owner);
}

template <class T>
Array<T> to_array(Pages&& pages) {
  auto* kept = new Pages(std::move(pages));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<Pages*>(p); });
  return Array<T>(kept->as<T>(), {kept->bytes() / sizeof(T)}, owner);
}

template <class T>
using Values = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

}  // namespace screener
