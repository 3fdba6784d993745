// Finding values by equality.
#include "index/digests.h"

#include "arrays.h"

namespace screener {
namespace {

using QueryArray = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;

// Values and their prefixes in order. Keeps the arrays.
class DigestTable {
 public:
  DigestTable(Codes values, Values<std::uint64_t> prefixes, Values<std::uint32_t> order)
      : values_(values), prefixes_(prefixes), order_(order) {
    if (values.shape(1) == 0 || prefixes.size() != values.shape(0) ||
        order.size() != values.shape(0))
      throw nb::value_error("the arrays do not fit together");
  }

  // Queries are (q, size), or (size) for one.
  nb::object search(const QueryArray& queries) const {
    const std::size_t last = queries.ndim() - 1;
    if (last > 1 || queries.shape(last) != values_.shape(1))
      throw nb::value_error("queries of another size");
    const Digests digests{values_.data(), prefixes_.data(), order_.data(), values_.shape(0),
                          values_.shape(1)};
    EqualRows found = without_gil(
        [&] { return find_equal(digests, queries.data(), last == 0 ? 1 : queries.shape(0)); });
    // As of a search by distance: making arrays takes longer than finding nothing.
    if (found.rows.empty()) return nb::none();
    return nb::make_tuple(to_array(std::move(found.offsets)), to_array(std::move(found.rows)));
  }

 private:
  Codes values_;
  Values<std::uint64_t> prefixes_;
  Values<std::uint32_t> order_;
};

}  // namespace

void bind_digests(nb::module_& m) {
  nb::class_<DigestTable>(m, "Digests", "Values of one size, to be found by equality.")
      .def(nb::init<Codes, Values<std::uint64_t>, Values<std::uint32_t>>(), "values"_a.noconvert(),
           "prefixes"_a.noconvert(), "order"_a.noconvert())
      .def("search", &DigestTable::search, "queries"_a.noconvert(),
           "Offsets and rows of the values that equal each query; None if there are none.");
}

}  // namespace screener
