// Compares the loops of a weighted search of every kernel that this machine has with the scalar
// ones, and a whole search with sums of weights bit by bit.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "built_index.h"
#include "checks.h"
#include "index/weighted_search.h"
#include "kernels.h"

using namespace screener;

namespace {

std::mt19937_64 random_bits(29);

std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_bits() % end); }

// Weights of one kind: any, small ones, all equal, one huge, or mostly zero.
void draw_weights(std::uint32_t kind, std::uint8_t* weights, std::size_t count) {
  const std::uint8_t equal = static_cast<std::uint8_t>(random_bits());
  for (std::size_t i = 0; i < count; ++i) {
    const auto any = static_cast<std::uint8_t>(random_bits());
    weights[i] = kind == 0   ? any
                 : kind == 1 ? any % 32
                 : kind == 2 ? equal
                 : kind == 3 ? any % 2
                 : any < 200 ? 0
                             : any;
  }
  if (kind == 3) weights[random_bits() % count] = 255;
}

bool same_lines(const WeighKernel& kernel) {
  constexpr std::size_t kLines = 8;
  constexpr std::size_t kTests = 500;
  const Pages sketch_pages(kLines * kLine * sizeof(std::uint16_t));
  const Pages sum_pages(kTests * kSums);
  auto* sketches = sketch_pages.as<std::uint16_t>();
  auto* sums = sum_pages.as<std::uint8_t>();
  for (std::size_t i = 0; i < kLines * kLine; ++i)
    sketches[i] = static_cast<std::uint16_t>(random_bits());
  for (std::size_t i = 0; i < kTests * kSums; ++i)
    sums[i] = static_cast<std::uint8_t>(random_bits() >> i / kSums % 6);
  std::vector<LineTest> tests(kTests + kAhead, {0, 0});
  for (std::size_t k = 0; k < kTests; ++k)
    tests[k] = {below(kLines), make_weight_test(k, below(kMostLimit + 1))};
  std::vector<std::uint32_t> masks[2] = {std::vector<std::uint32_t>(kTests + 16),
                                         std::vector<std::uint32_t>(kTests + 16)};
  std::vector<std::uint32_t> passed[2] = {masks[0], masks[0]};
  const WeighKernel* kernels[2] = {&kWeighScalar, &kernel};
  std::size_t listed[2];
  for (int i = 0; i < 2; ++i)
    listed[i] = kernels[i]->weigh_lines(sketches, tests.data(), kTests, sums, masks[i].data(),
                                        passed[i].data());
  return listed[0] == listed[1] && masks[0] == masks[1] &&
         std::equal(passed[0].begin(), passed[0].begin() + static_cast<std::ptrdiff_t>(listed[0]),
                    passed[1].begin());
}

bool same_changes(const WeighKernel& kernel, std::uint32_t kind) {
  std::uint8_t weights[16];
  draw_weights(kind, weights, 16);
  std::uint32_t changes[16];
  for (std::uint32_t i = 0; i < 16; ++i) changes[i] = make_change(weights[i], 1u << i);
  std::sort(changes, changes + 16, std::greater<>());
  std::vector<std::uint32_t> lists[2] = {std::vector<std::uint32_t>(kChangesRoom),
                                         std::vector<std::uint32_t>(kChangesRoom)};
  const std::uint32_t bound = make_change(below(900) + 1, 0);
  const std::size_t right = kWeighScalar.list_changes(changes, bound, lists[0].data());
  if (kernel.list_changes(changes, bound, lists[1].data()) != right) return false;
  for (auto& list : lists) list.resize(right);
  return lists[0] == lists[1];
}

// Makes every four queries, or two of the last, relatives of the first, as the hashes of a mirrored
// picture are: in whole half bytes equal or opposite but for a bit, with nearly its weights. The
// list has them, too.
void relate(std::size_t bytes, std::vector<std::uint8_t>& queries,
            std::vector<std::uint8_t>& weights, std::vector<std::uint8_t>& codes) {
  for (std::size_t i = 0; i < queries.size() / bytes; ++i) {
    const std::size_t size = i < 8 ? kGrouped : 2;
    const std::size_t first = i - i % size;
    const std::size_t place = i < kGrouped || i >= 8 ? i % size : 3 - i % size;
    for (std::size_t at = 0; at < bytes && i != first; ++at) {
      std::uint32_t turned = 0;
      for (std::size_t half = 0; half < 2; ++half)
        if (is_turned(place, (2 * at + half) % 7 % kGrouped)) turned |= 0x55u << half;
      queries[i * bytes + at] = static_cast<std::uint8_t>(queries[first * bytes + at] ^ turned);
    }
    for (std::size_t k = 0; k < 8 * bytes && i != first; ++k) {
      const std::uint8_t weight = weights[first * 8 * bytes + k];
      weights[i * 8 * bytes + k] = weight == 0 ? 0 : static_cast<std::uint8_t>(weight - below(2));
    }
    queries[i * bytes + below(static_cast<std::uint32_t>(bytes))] ^= 4;
    for (std::size_t at = 0; at < bytes; ++at)
      codes[(50 * i + 7) * bytes + at] = queries[i * bytes + at] ^ (at % 8 == i % 8 ? 3 : 0);
  }
}

// What a search of these queries must return.
WeightedResult brute_force(const std::vector<std::uint8_t>& codes, std::size_t bytes,
                           const WeightedBatch& batch) {
  WeightedResult result;
  result.offsets.push_back(0);
  for (std::size_t i = 0; i < batch.count; ++i) {
    for (std::size_t row = 0; row < codes.size() / bytes; ++row) {
      std::uint32_t sum = 0;
      for (std::size_t bit = 0; bit < 8 * bytes; ++bit) {
        const int differs = codes[row * bytes + bit / 8] ^ batch.codes[i * bytes + bit / 8];
        if (differs >> (7 - bit % 8) & 1) sum += batch.weights[i * 8 * bytes + bit];
      }
      if (static_cast<std::int64_t>(sum) > batch.budgets[i]) continue;
      result.rows.push_back(static_cast<std::int64_t>(row));
      result.distances.push_back(sum);
    }
    result.offsets.push_back(static_cast<std::int64_t>(result.rows.size()));
  }
  return result;
}

bool same_search(std::size_t bytes, std::uint64_t large, std::uint32_t apart) {
  constexpr std::size_t kCodes = 2000;
  constexpr std::size_t kQueries = 16;
  std::vector<std::uint8_t> codes(kCodes * bytes);
  for (std::uint8_t& byte : codes) byte = random_bits() % 3 == 0;
  std::vector<std::uint8_t> own(codes.begin(),
                                codes.begin() + static_cast<std::ptrdiff_t>(kQueries * bytes));
  std::vector<std::uint8_t> related = own;
  std::vector<std::uint8_t> related_weights(kQueries * 8 * bytes);
  for (std::size_t i = 0; i < kQueries; ++i)
    draw_weights(i < 8 ? 0 : 1, &related_weights[i * 8 * bytes], 8 * bytes);
  relate(bytes, related, related_weights, codes);
  const BuiltIndex built = build_index(codes.data(), kCodes, bytes, {100, large}, 2);
  Index index(holding_of(built, codes, bytes));
  if (!add_tables(index, built, codes, bytes)) return false;
  for (std::uint32_t kind = below(apart); kind < 8; kind += apart) {
    const bool are_related = kind >= 5;
    std::vector<std::uint8_t> weights(kQueries * 8 * bytes);
    std::vector<std::int64_t> budgets(kQueries);
    for (std::size_t i = 0; i < kQueries; ++i) {
      draw_weights(kind % 5, &weights[i * 8 * bytes], 8 * bytes);
      budgets[i] = static_cast<std::int64_t>(below(static_cast<std::uint32_t>(bytes) * 90)) - 9;
    }
    if (are_related) weights = related_weights;
    const WeightedBatch batch{(are_related ? related : own).data(), weights.data(), budgets.data(),
                              kQueries};
    const WeightedResult right = brute_force(codes, bytes, batch);
    for (const Kernels& kernels : supported_kernels())
      for (const Way way : {Way::flat, Way::lookup, Way::join}) {
        const WeightedResult found = search_weighted(index, batch, way, kernels.weigh, 2);
        if (found.offsets == right.offsets && found.rows == right.rows &&
            found.distances == right.distances)
          continue;
        std::fprintf(stderr, "weigh: %s differs: %zu bits, weights of kind %u, way %d\n",
                     kernels.name, 8 * bytes, kind, static_cast<int>(way));
        return false;
      }
  }
  return true;
}

}  // namespace

bool check_weigh(unsigned every) {
  bool same = true;
  for (const Kernels& kernels : supported_kernels()) {
    bool own = same_lines(kernels.weigh);
    for (std::uint32_t round = 0; round < 100; round += std::min(every, 8u))
      own = same_changes(kernels.weigh, round % 5) && own;
    if (own) continue;
    std::fprintf(stderr, "weigh: %s sieves otherwise than scalar\n", kernels.name);
    same = false;
  }
  for (const std::size_t bytes : {8, 16, 32, 64})
    for (const std::uint64_t large : {1000, 10'000})
      same = same_search(bytes, large, std::min(every, 8u)) && same;
  return same;
}
