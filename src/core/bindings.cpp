// The only file that knows Python: arrays in, arrays out, the GIL released for the whole call.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>

#include "floor.h"
#include "kernel.h"
#include "lookup.h"
#include "pages.h"
#include "pdq.h"
#include "ring_build.h"
#include "search.h"
#include "threads.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace screener;

namespace {

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (Isa isa : supported_isas()) names.emplace_back(isa_name(isa));
  return names;
}

using Codes = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto* kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(kept->data(), {kept->size()}, owner);
}

const ScanKernel* active_scan = nullptr;

nb::typed<nb::tuple, Array<std::int64_t>, Array<std::int64_t>, Array<std::uint16_t>> scan_arrays(
    Codes codes, Codes queries, std::uint32_t radius) {
  if (codes.shape(1) != queries.shape(1))
    throw nb::value_error("codes and queries differ in width");
  ScanResult result;
  {
    nb::gil_scoped_release release;
    result = scan(*active_scan, codes.data(), codes.shape(0), queries.data(), queries.shape(0),
                  codes.shape(1), radius);
  }
  return nb::make_tuple(to_array(std::move(result.offsets)), to_array(std::move(result.rows)),
                        to_array(std::move(result.distances)));
}

template <class T>
Array<T> to_array(Pages&& pages) {
  auto* kept = new Pages(std::move(pages));
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<Pages*>(p); });
  return Array<T>(kept->as<T>(), {kept->bytes() / sizeof(T)}, owner);
}

template <class T>
using Values = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const RingKernel* active_ring = nullptr;

using QueryArray = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;

// The arrays of tables, kept; Index checks what a search relies on.
struct Tables {
  Values<std::uint32_t> directory;
  Values<std::uint16_t> sketches;
  Values<std::uint8_t> links;
  std::uint32_t link_bytes;
  Values<std::uint32_t> rows;
  Values<std::uint8_t> weights;

  Ring over(const Codes& codes) const {
    Ring ring{codes.data(),
              codes.shape(0),
              static_cast<std::uint32_t>(codes.shape(1)),
              static_cast<std::uint32_t>(codes.shape(1) / 2),
              directory.data(),
              sketches.data(),
              sketches.size(),
              links.data(),
              link_bytes,
              rows.data(),
              weights.size() == 0 ? nullptr : weights.data(),
              {}};
    if (!set_bases(ring, directory.size(), links.size(), rows.size(), weights.size()))
      throw nb::value_error("the tables do not fit together");
    return ring;
  }
};

// Codes, and the tables to find them by. Keeps the arrays.
class SearchableCodes {
 public:
  SearchableCodes(Codes codes, std::vector<Tables> tables, bool balanced,
                  Values<std::uint32_t> few_rows, Codes few_codes, Values<std::uint32_t> heads,
                  Values<std::uint64_t> repeat_starts, Values<std::uint32_t> repeats)
      : codes_(codes),
        tables_(std::move(tables)),
        few_rows_(few_rows),
        few_codes_(few_codes),
        heads_(heads),
        repeat_starts_(repeat_starts),
        repeats_(repeats),
        index_({codes.data(),
                codes.shape(0),
                static_cast<std::uint32_t>(codes.shape(1)),
                heads.data(),
                repeat_starts.data(),
                repeats.data(),
                heads.size(),
                repeats.size(),
                {few_codes.data(), few_rows.data(), few_rows.size()}}) {
    if (codes.shape(1) != 8 && codes.shape(1) != 16 && codes.shape(1) != 32 && codes.shape(1) != 64)
      throw nb::value_error("codes have 8, 16, 32 or 64 bytes");
    if (few_codes.shape(0) != few_rows.size() || few_codes.shape(1) != codes.shape(1) ||
        repeat_starts.size() != heads.size() + !tables_.empty())
      throw nb::value_error("the tables do not fit together");
    for (const Tables& each : tables_)
      index_.add(each.over(codes), balanced && &each == &tables_[0]);
  }

  // Queries are (q, w), or (w) for one.
  nb::object search(const QueryArray& queries, std::uint32_t radius, std::size_t threads,
                    const std::string& way) const {
    const std::size_t last = queries.ndim() - 1;
    if (last > 1 || queries.shape(last) != codes_.shape(1) || radius > 8 * codes_.shape(1) ||
        threads < 1 || threads > kMostThreads)
      throw nb::value_error("arguments that no search takes");
    ScanResult result;
    {
      nb::gil_scoped_release release;
      result = screener::search(index_, radius, way_named(way), {*active_scan, *active_ring},
                                queries.data(), last == 0 ? 1 : queries.shape(0), threads);
    }
    // Most searches find nothing, and making three arrays takes longer than a small search.
    if (result.rows.empty()) return nb::none();
    return nb::make_tuple(to_array(std::move(result.offsets)), to_array(std::move(result.rows)),
                          to_array(std::move(result.distances)));
  }

  nb::typed<nb::tuple, nb::str, double, double> plan(std::uint64_t queries,
                                                     std::uint32_t radius) const {
    const Plan plan = index_.choose(queries, radius);
    const char* names[] = {"flat", "lookup", "join"};
    return nb::make_tuple(names[static_cast<int>(plan.way)], plan.flat, plan.tables);
  }

  // Of the first of the tables, which hold all codes or most.
  Array<std::uint32_t> lines(const QueryArray& query, std::uint32_t radius) const {
    if (query.ndim() != 1 || query.shape(0) != codes_.shape(1) || radius > 8 * codes_.shape(1))
      throw nb::value_error("the query is not one code, or the radius is beyond it");
    if (tables_.empty()) return to_array(std::vector<std::uint32_t>());
    const Part& part = index_.parts().front();
    const RadiusPlan& plan = part.planner.at(radius);
    if (!plan.usable) return to_array(std::vector<std::uint32_t>());
    Lookup lookup;
    lookup.begin(part.ring, *active_ring, plan);
    return to_array(lookup.lines(query.data()));
  }

 private:
  static std::optional<Way> way_named(const std::string& name) {
    if (name.empty()) return std::nullopt;
    return name == "flat" ? Way::flat : name == "join" ? Way::join : Way::lookup;
  }

  Codes codes_;
  std::vector<Tables> tables_;
  Values<std::uint32_t> few_rows_;
  Codes few_codes_;
  Values<std::uint32_t> heads_;
  Values<std::uint64_t> repeat_starts_;
  Values<std::uint32_t> repeats_;
  Index index_;
};

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
  BuiltIndex built;
  {
    nb::gil_scoped_release release;
    built = build_index(codes.data(), codes.shape(0), codes.shape(1), {few, large}, threads);
  }
  return nb::make_tuple(to_tuple(std::move(built.tables)), built.balanced,
                        to_tuple(std::move(built.rest)), to_array(std::move(built.few_rows)),
                        to_array(std::move(built.few_codes)), to_array(std::move(built.heads)),
                        to_array(std::move(built.repeat_starts)),
                        to_array(std::move(built.repeats)));
}

void bind_index(nb::module_& m) {
  nb::class_<Tables>(m, "Tables", "The arrays of one set of tables.")
      .def(nb::init<Values<std::uint32_t>, Values<std::uint16_t>, Values<std::uint8_t>,
                    std::uint32_t, Values<std::uint32_t>, Values<std::uint8_t>>(),
           "directory"_a.noconvert(), "sketches"_a.noconvert(), "links"_a.noconvert(),
           "link_bytes"_a, "rows"_a.noconvert(), "weights"_a.noconvert());
  nb::class_<SearchableCodes>(m, "Index", "Codes and the tables to find them by.")
      .def(nb::init<Codes, std::vector<Tables>, bool, Values<std::uint32_t>, Codes,
                    Values<std::uint32_t>, Values<std::uint64_t>, Values<std::uint32_t>>(),
           "codes"_a.noconvert(), "tables"_a, "balanced"_a, "few_rows"_a.noconvert(),
           "few_codes"_a.noconvert(), "heads"_a.noconvert(), "repeat_starts"_a.noconvert(),
           "repeats"_a.noconvert())
      .def("search", &SearchableCodes::search, "queries"_a.noconvert(), "radius"_a, "threads"_a = 1,
           "way"_a = "",
           "Offsets, rows and distances; None where nothing is found. `way` is for tests.")
      .def("plan", &SearchableCodes::plan, "queries"_a, "radius"_a,
           "The way that a search goes, and the nanoseconds a query without and with the tables.")
      .def("lines", &SearchableCodes::lines, "query"_a.noconvert(), "radius"_a,
           "The cache lines of sketches that looking up a query reads; for benchmarks.");
  m.def("build_tables", &build_tables, "codes"_a.noconvert(), "few"_a, "large"_a, "threads"_a,
        "The tables of codes (n, w): arguments of Tables, whether they hold balanced codes only, "
        "arguments of Tables for the others or None, and the other arguments of Index.");
  m.def(
      "can_build_tables",
      [](std::uint64_t count, std::size_t bytes) { return can_build(count, bytes); }, "count"_a,
      "bytes"_a, "Whether so many codes fit into one index.");
  m.def(
      "chunk_bits", [](std::size_t bytes) { return to_array(chunk_bits(bytes)); }, "bytes"_a,
      "Which bit of a code is bit b of chunk c, at [16 * c + b].");
  m.def(
      "pages", [](std::size_t bytes) { return to_array<std::uint8_t>(Pages(bytes)); }, "bytes"_a,
      "Zeroed memory, in huge pages where the system gives them.");
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

using PixelArray = nb::ndarray<const uint8_t, nb::ro, nb::device::cpu>;

Pixels pixels_of(const PixelArray& array) {
  const bool colour = array.ndim() == 3;
  if (!(array.ndim() == 2 || (colour && array.shape(2) == 3)))
    throw nb::value_error("pixels must be uint8 of shape (height, width) or (height, width, 3)");
  return {array.data(),
          static_cast<int64_t>(array.shape(0)),
          static_cast<int64_t>(array.shape(1)),
          colour ? 3 : 1,
          array.stride(0),
          array.stride(1),
          colour ? array.stride(2) : 0};
}

using HashesAndQuality = nb::typed<nb::tuple, nb::bytes, int>;

template <class Hashes>
HashesAndQuality hashes_and_quality(const Hashes& hashes, int quality) {
  return nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(&hashes), sizeof hashes), quality);
}

// Runs a PDQ function with the GIL released.
template <class Result>
Result hashed(Result (*function)(const Pixels&, const PdqKernel&), const PixelArray& array,
              Isa isa) {
  const Pixels pixels = pixels_of(array);
  nb::gil_scoped_release release;
  return function(pixels, pdq_kernel(isa));
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);
  // Chosen once, here: an unknown SCREENER_KERNEL fails the import with the list of choices.
  const Isa active = choose_isa(std::getenv("SCREENER_KERNEL"));
  m.attr("KERNEL") = isa_name(active);
  active_scan = &scan_kernel(active);
  active_ring = &ring_kernel(active);
  bind_index(m);
  m.def("scan", &scan_arrays, "codes"_a.noconvert(), "queries"_a.noconvert(), "radius"_a,
        "Hits of queries (q, w) among codes (n, w) within the radius: offsets, rows, distances.");
  m.def("read_memory", &read_memory, "data"_a.noconvert(),
        "lines"_a.noconvert().none() = nb::none(), "ahead"_a = 0, "hint"_a = "",
        "Reads cache lines of memory, hinting ahead (t0, t1, nta), or all; for benchmarks.");
  m.def("kernels", &kernel_names, "The kernels that this machine can run, best first.");

  m.def(
      "pdq",
      [active](const PixelArray& pixels) {
        const PdqResult result = hashed(pdq, pixels, active);
        return hashes_and_quality(result.hash, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hash of grey (h, w) or RGB (h, w, 3) pixels in 32 bytes; its quality.");
  m.def(
      "pdq_orientations",
      [active](const PixelArray& pixels) {
        const PdqOrientations result = hashed(pdq_orientations, pixels, active);
        return hashes_and_quality(result.hashes, result.quality);
      },
      "pixels"_a.noconvert(),
      "The PDQ hashes of eight orientations, 32 bytes each; the one quality.");
}
