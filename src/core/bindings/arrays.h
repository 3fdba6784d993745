// Arrays in, arrays out.
#pragma once
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <utility>

#include "index/pages.h"
#include "module.h"

namespace screener {

using Codes = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Values = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// The value where it is kept, and what keeps it there while Python has an array over it.
template <class T>
std::pair<T*, nb::capsule> keep(T&& value) {
  auto* kept = new T(std::move(value));
  return {kept, nb::capsule(kept, [](void* p) noexcept { delete static_cast<T*>(p); })};
}

template <class T>
Array<T> to_array(std::vector<T>&& values) {
  const auto [kept, owner] = keep(std::move(values));
  return Array<T>(kept->data(), {kept->size()}, owner);
}

template <class T>
Array<T> to_array(Pages&& pages) {
  const auto [kept, owner] = keep(std::move(pages));
  return Array<T>(kept->as<T>(), {kept->bytes() / sizeof(T)}, owner);
}

// Offsets, rows and distances.
template <class Distance>
using HitArrays = nb::typed<nb::tuple, Array<std::int64_t>, Array<std::int64_t>, Array<Distance>>;

template <class Distance>
HitArrays<Distance> to_arrays(HitsOf<Distance>&& result) {
  return nb::make_tuple(to_array(std::move(result.offsets)), to_array(std::move(result.rows)),
                        to_array(std::move(result.distances)));
}

}  // namespace screener
