#include "index/thresholds.h"

#include <algorithm>
#include <limits>

#include "bits.h"

namespace screener {
namespace {

constexpr double kKeyCost = 0.25;  // finding a bucket, in units of reading a line of it

// All masks with up to kMostFlips bits set, by how many these are.
struct Masks {
  std::vector<std::uint16_t> all;
  std::array<std::size_t, kMostFlips + 2> starts{};  // of those of each number, and the end

  Masks() {
    for (std::uint32_t flips = 0; flips <= kMostFlips; ++flips) {
      for (std::uint32_t mask = 0; mask < kBuckets; ++mask)
        if (count_bits(mask) == flips) all.push_back(static_cast<std::uint16_t>(mask));
      starts[flips + 1] = all.size();
    }
  }
};

// Lines in the buckets within each number of flips of the query's chunk.
std::array<double, kMostFlips + 1> real_lines(const Ring& ring, std::size_t table,
                                              std::uint32_t chunk, int most) {
  const std::uint32_t* starts = ring.directory + table * kDirectory;
  std::array<double, kMostFlips + 1> lines{};
  double sum = 0;
  for (int flips = 0; flips <= kMostFlips; ++flips) {
    if (flips <= most)
      for (const std::uint16_t mask : masks_of(flips)) {
        const std::uint32_t key = chunk ^ mask;
        // A damaged directory may make nonsense of the sum, and does no other harm here.
        sum += kKeyCost + lines_between(starts[key], starts[key + 1]);
      }
    lines[static_cast<std::size_t>(flips)] =
        flips <= most ? sum : std::numeric_limits<double>::infinity();
  }
  return lines;
}

}  // namespace

Thresholds make_thresholds(std::span<const int> values) {
  Thresholds thresholds;
  std::copy(values.begin(), values.end(), thresholds.of.begin());
  for (std::size_t i = 0; i < 2 * values.size(); ++i)
    thresholds.sums[i + 1] = thresholds.sums[i] + values[i % values.size()] + 1;
  thresholds.widest = *std::max_element(values.begin(), values.end());
  return thresholds;
}

Thresholds spread_radius(std::size_t tables, std::uint32_t radius) {
  std::array<int, kMostChunks> values{};
  for (std::size_t i = 0; i < tables; ++i)
    values[i] = static_cast<int>((i + 1) * (radius + 1) / tables) -
                static_cast<int>(i * (radius + 1) / tables) - 1;
  return make_thresholds({values.data(), tables});
}

Probes make_probes(const Thresholds& thresholds, std::size_t tables) {
  Probes probes;
  for (std::size_t table = 0; table < tables; ++table) {
    for (int flips = 0; flips <= thresholds.of[table]; ++flips) {
      const auto limit = static_cast<std::uint32_t>(thresholds.bound(table, 2) - flips);
      const auto masks = masks_of(flips);
      probes.masks.insert(probes.masks.end(), masks.begin(), masks.end());
      probes.limits.insert(probes.limits.end(), masks.size(), make_test(0, limit));
    }
    probes.starts[table + 1] = static_cast<std::uint32_t>(probes.masks.size());
  }
  return probes;
}

std::span<const std::uint16_t> masks_of(int flips) {
  static const Masks masks;
  const auto level = static_cast<std::size_t>(flips);
  return std::span(masks.all).subspan(masks.starts[level],
                                      masks.starts[level + 1] - masks.starts[level]);
}

Thresholds fit_thresholds(const Ring& ring, const std::uint16_t* chunks, std::uint32_t radius) {
  const std::size_t tables = ring.tables;
  const std::size_t budget = radius + 1;
  const int most = std::min(kMostFlips, spread_radius(tables, radius).widest + 2);
  // least[b]: the lowest cost of the tables so far with b of the budget spent.
  std::vector<double> least(budget + 1, std::numeric_limits<double>::infinity());
  least[0] = 0;
  std::vector<std::vector<int>> spent(tables, std::vector<int>(budget + 1, 0));
  for (std::size_t i = 0; i < tables; ++i) {
    const auto lines = real_lines(ring, i, chunks[i], most);
    std::vector<double> after = least;  // nothing spent here: the table is left out
    for (std::size_t b = 0; b <= budget; ++b)
      for (int flips = 0; flips <= most && static_cast<std::size_t>(flips) < b; ++flips) {
        const double cost =
            least[b - static_cast<std::size_t>(flips) - 1] + lines[static_cast<std::size_t>(flips)];
        if (cost < after[b]) {
          after[b] = cost;
          spent[i][b] = flips + 1;
        }
      }
    least = std::move(after);
  }
  std::array<int, kMostChunks> values{};
  std::size_t left = budget;
  for (std::size_t i = tables; i-- > 0;) {
    values[i] = spent[i][left] - 1;
    left -= static_cast<std::size_t>(spent[i][left]);
  }
  return make_thresholds({values.data(), tables});
}

}  // namespace screener
