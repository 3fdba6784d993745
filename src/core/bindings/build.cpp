// Building the tables of codes.
#include "arrays.h"
#include "index/ring_build.h"

namespace screener {
namespace {

using TableArrays =
    nb::typed<nb::tuple, Array<std::uint32_t>, Array<std::uint16_t>, Array<std::uint8_t>,
              std::uint32_t, Array<std::uint32_t>, Array<std::uint8_t>>;
using IndexArrays = nb::typed<nb::tuple, TableArrays, bool, std::optional<TableArrays>,
                              Array<std::uint32_t>, Array<std::uint8_t>, Array<std::uint32_t>,
                              Array<std::uint64_t>, Array<std::uint32_t>>;

std::optional<TableArrays> to_tuple(BuiltTables&& built) {
  if (built.directory.bytes() == 0) return std::nullopt;
  return nb::make_tuple(to_array<std::uint32_t>(std::move(built.directory)),
                        to_array<std::uint16_t>(std::move(built.sketches)),
                        to_array<std::uint8_t>(std::move(built.links)), built.link_bytes,
                        to_array<std::uint32_t>(std::move(built.rows)),
                        to_array<std::uint8_t>(std::move(built.weights)));
}

IndexArrays build_tables(Codes codes, std::uint64_t few, std::uint64_t large, std::size_t threads) {
  check_width(codes.shape(1));
  BuiltIndex built = without_gil([&] {
    return build_index(codes.data(), codes.shape(0), codes.shape(1), {few, large}, threads);
  });
  return nb::make_tuple(to_tuple(std::move(built.tables)), built.balanced,
                        to_tuple(std::move(built.rest)), to_array(std::move(built.few_rows)),
                        to_array(std::move(built.few_codes)), to_array(std::move(built.heads)),
                        to_array(std::move(built.repeat_starts)),
                        to_array(std::move(built.repeats)));
}

}  // namespace

void bind_build(nb::module_& m) {
  m.def("build_tables", &build_tables, "codes"_a.noconvert(), "few"_a, "large"_a, "threads"_a,
        "The tables of codes (n, w): arguments of Tables, whether they hold balanced codes only, "
        "arguments of Tables for the others or None, and the other arguments of Index.");
  m.def(
      "can_build_tables",
      [](std::uint64_t count, std::size_t bytes) {
        check_width(bytes);
        return can_build(count, bytes);
      },
      "count"_a, "bytes"_a, "Whether so many codes fit into one index.");
  m.def(
      "chunk_bits",
      [](std::size_t bytes) {
        check_width(bytes);
        return to_array(chunk_bits(bytes));
      },
      "bytes"_a, "Which bit of a code is bit b of chunk c, at [16 * c + b].");
  m.def(
      "pages", [](std::size_t bytes) { return to_array<std::uint8_t>(Pages(bytes)); }, "bytes"_a,
      "Zeroed memory, in huge pages where the system gives them.");
}

}  // namespace screener
