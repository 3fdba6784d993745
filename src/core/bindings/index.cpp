// Searching codes by their tables.
#include <cstring>

#include "arrays.h"
#include "index/lookup.h"
#include "index/search.h"
#include "index/weighted_search.h"
#include "threads.h"

namespace screener {
namespace {

using QueryArray = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;

// The arrays of one set of tables, kept. Whether they fit together is checked when codes come to
// them, and what they lead to by the search.
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

// What a lone query found, if that is little, goes as the bytes of its three arrays: memory of a
// list drives everything else out of the caches, and what makes arrays is much and then cold.
constexpr std::size_t kFewHits = 64;

template <class Distance>
nb::object packed(const HitsOf<Distance>& result) {
  const std::size_t hits = result.rows.size();
  nb::object bytes = nb::steal(PyByteArray_FromStringAndSize(
      nullptr, static_cast<Py_ssize_t>(16 + (8 + sizeof(Distance)) * hits)));
  if (!bytes.is_valid()) throw nb::python_error();
  char* to = PyByteArray_AsString(bytes.ptr());
  std::memcpy(to, result.offsets.data(), 16);
  std::memcpy(to + 16, result.rows.data(), 8 * hits);
  std::memcpy(to + 16 + 8 * hits, result.distances.data(), sizeof(Distance) * hits);
  return bytes;
}

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
    check_width(codes.shape(1));
    if (few_codes.shape(0) != few_rows.size() || few_codes.shape(1) != codes.shape(1) ||
        repeat_starts.size() != heads.size() + !tables_.empty() ||
        (!tables_.empty() && codes.shape(0) > UINT32_MAX))  // tables number rows by 32 bits
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
    ScanResult result = without_gil([&] {
      return screener::search(index_, radius, way_named(way), active().scan, active().ring,
                              queries.data(), last == 0 ? 1 : queries.shape(0), threads);
    });
    // Most searches find nothing, and making three arrays takes longer than a small search.
    if (result.rows.empty()) return nb::none();
    if (last == 0 && result.rows.size() <= kFewHits) return packed(result);
    return to_arrays(std::move(result));
  }

  // Queries are (q, w), their weights (q, 8 w), and budgets (q).
  nb::object search_weighted(const Codes& queries, const Codes& weights,
                             const Values<std::int64_t>& budgets, std::size_t threads,
                             const std::string& way) const {
    WeightedResult result = find_weighted(weighted_batch(queries, weights, budgets), threads, way);
    if (result.rows.empty()) return nb::none();
    return to_arrays(std::move(result));
  }

  // A query is (w), its weights (8 w).
  nb::object search_weighted_one(const Values<std::uint8_t>& query,
                                 const Values<std::uint8_t>& weights, std::int64_t budget,
                                 std::size_t threads) const {
    if (query.size() != codes_.shape(1) || weights.size() != 8 * codes_.shape(1))
      throw nb::value_error("arguments that no search takes");
    WeightedResult result = find_weighted({query.data(), weights.data(), &budget, 1}, threads, "");
    if (result.rows.empty()) return nb::none();
    if (result.rows.size() <= kFewHits) return packed(result);
    return to_arrays(std::move(result));
  }

  using PlanTuple = nb::typed<nb::tuple, nb::str, double, double>;

  PlanTuple plan(std::uint64_t queries, std::uint32_t radius) const {
    return to_tuple(index_.choose(queries, radius));
  }

  PlanTuple plan_weighted(const Codes& queries, const Codes& weights,
                          const Values<std::int64_t>& budgets) const {
    return to_tuple(screener::plan_weighted(index_, weighted_batch(queries, weights, budgets)));
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
    lookup.begin(part.ring, active().ring, plan);
    return to_array(lookup.lines(query.data()));
  }

 private:
  static PlanTuple to_tuple(const Plan& plan) {
    const char* names[] = {"flat", "lookup", "join"};
    return nb::make_tuple(names[static_cast<int>(plan.way)], plan.flat, plan.tables);
  }

  WeightedBatch weighted_batch(const Codes& queries, const Codes& weights,
                               const Values<std::int64_t>& budgets) const {
    const std::size_t count = queries.shape(0);
    if (queries.shape(1) != codes_.shape(1) || weights.shape(1) != 8 * codes_.shape(1) ||
        weights.shape(0) != count || budgets.size() != count)
      throw nb::value_error("arguments that no search takes");
    return {queries.data(), weights.data(), budgets.data(), count};
  }

  WeightedResult find_weighted(const WeightedBatch& batch, std::size_t threads,
                               const std::string& way) const {
    if (threads < 1 || threads > kMostThreads)
      throw nb::value_error("arguments that no search takes");
    return without_gil([&] {
      return screener::search_weighted(index_, batch, way_named(way), active().weigh, threads);
    });
  }

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

}  // namespace

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
           "Offsets, rows and distances; None where nothing is found; the bytes of the three one "
           "after another where one query (w) finds little. `way` is for tests.")
      .def("search_weighted", &SearchableCodes::search_weighted, "queries"_a.noconvert(),
           "weights"_a.noconvert(), "budgets"_a.noconvert(), "threads"_a = 1, "way"_a = "",
           "As `search`, by weighted distance.")
      .def("search_weighted_one", &SearchableCodes::search_weighted_one, "query"_a.noconvert(),
           "weights"_a.noconvert(), "budget"_a, "threads"_a = 1)
      .def("plan_weighted", &SearchableCodes::plan_weighted, "queries"_a.noconvert(),
           "weights"_a.noconvert(), "budgets"_a.noconvert(), "As `plan`, of weighted queries.")
      .def("plan", &SearchableCodes::plan, "queries"_a, "radius"_a,
           "The way that a search goes, and the nanoseconds a query without and with the tables.")
      .def("lines", &SearchableCodes::lines, "query"_a.noconvert(), "radius"_a,
           "The cache lines of sketches that looking up a query reads; for benchmarks.");
}

}  // namespace screener
