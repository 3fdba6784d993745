// Compares the tests of an index of every kernel that this machine has with the scalar ones on
// random sketches, at every limit, and a whole search with brute force.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "built_index.h"
#include "checks.h"
#include "index/pages.h"
#include "index/ring.h"
#include "index/search.h"
#include "kernels.h"

using namespace screener;

namespace {

std::mt19937_64 random_bits(7);

bool same_tests(const RingKernel& kernel) {
  constexpr std::size_t kLines = 8;
  constexpr std::size_t kTests = 300;
  const Pages pages(kLines * kLine * sizeof(std::uint16_t));
  auto* sketches = pages.as<std::uint16_t>();
  for (std::size_t i = 0; i < kLines * kLine; ++i)
    sketches[i] = static_cast<std::uint16_t>(random_bits());
  std::vector<std::uint32_t> lines(kTests + kAhead, 0);
  std::vector<std::uint32_t> tests(kTests);
  for (std::size_t k = 0; k < kTests; ++k) {
    lines[k] = static_cast<std::uint32_t>(random_bits() % kLines);
    tests[k] = make_test(static_cast<std::uint32_t>(random_bits() & 0xffff),
                         static_cast<std::uint32_t>(k % 18));
  }
  const std::size_t room = kTests * kLines + 16;
  std::vector<std::uint32_t> masks[2] = {std::vector<std::uint32_t>(room),
                                         std::vector<std::uint32_t>(room)};
  std::vector<std::uint32_t> passed[2] = {std::vector<std::uint32_t>(room),
                                          std::vector<std::uint32_t>(room)};
  const RingKernel* kernels[2] = {&kRingScalar, &kernel};
  std::size_t listed[2];
  for (int i = 0; i < 2; ++i)
    listed[i] = kernels[i]->sieve_lines(sketches, lines.data(), tests.data(), kTests,
                                        masks[i].data(), passed[i].data());
  if (listed[0] != listed[1]) return false;
  for (std::size_t k = 0; k < listed[0]; ++k)
    if (passed[0][k] != passed[1][k] || masks[0][passed[0][k]] != masks[1][passed[0][k]])
      return false;
  return true;
}

// Buckets of every number of lines, of whole lines and of parts, with runs of every length up to
// some, at every limit, and the postings that pass followed on.
bool same_joins(const RingKernel& kernel) {
  constexpr std::size_t kQueries = 150;
  constexpr std::size_t kSlack = 128;
  const Pages pages(kPlaces * sizeof(std::uint16_t));
  auto* sketches = pages.as<std::uint16_t>();
  for (std::size_t i = 0; i < kPlaces; ++i) sketches[i] = static_cast<std::uint16_t>(random_bits());
  std::vector<QueryEntry> entries(kQueries + kSlack);
  for (QueryEntry& entry : entries) entry = {static_cast<std::uint32_t>(random_bits()), 0};
  const std::size_t room = kQueries * kBucketLines + 16;
  std::vector<std::uint32_t> masks(room);
  std::vector<std::uint32_t> passed[2] = {std::vector<std::uint32_t>(kQueries * kPlaces + 16),
                                          std::vector<std::uint32_t>(kQueries * kPlaces + 16)};
  std::vector<std::uint32_t> hits[2] = {std::vector<std::uint32_t>(kQueries * kPlaces),
                                        std::vector<std::uint32_t>(kQueries * kPlaces)};
  const RingKernel* kernels[2] = {&kRingScalar, &kernel};
  for (std::uint32_t count = 1; count <= kQueries; ++count) {
    const std::uint32_t levels = 1 + count % 5;
    std::uint32_t ends[5];
    for (std::uint32_t level = 0; level < levels; ++level)
      ends[level] = count * (level + 1) / levels;
    const QueryRun run{entries.data(), ends, levels, levels - 1 + count % 13};
    for (std::size_t lines = 1; lines <= kBucketLines; ++lines) {
      const auto first = static_cast<std::uint32_t>(random_bits() % 16);
      const BucketLines bucket{sketches, lines, ~0u << first, ~0u >> (random_bits() % 16)};
      std::size_t found[2];
      for (int i = 0; i < 2; ++i)
        found[i] =
            kernels[i]->sieve_bucket(bucket, run, masks.data(), passed[i].data(), hits[i].data());
      if (found[0] != found[1]) return false;
      for (std::size_t k = 0; k < found[0]; ++k)
        if (hits[0][k] != hits[1][k]) return false;
      std::vector<Waiting> waiting(found[0]);
      for (std::size_t k = 0; k < found[0]; ++k)
        waiting[k] = {static_cast<std::uint32_t>(random_bits() % kPlaces),
                      static_cast<std::uint32_t>(random_bits()),
                      static_cast<std::uint32_t>(random_bits() % 5) << kFlipsAt | count};
      for (int i = 0; i < 2; ++i)
        found[i] = kernels[i]->sieve_waiting(sketches, waiting.data(), waiting.size(), count % 20,
                                             passed[i].data());
      if (found[0] != found[1]) return false;
      for (std::size_t k = 0; k < found[0]; ++k)
        if (passed[0][k] != passed[1][k]) return false;
    }
  }
  return true;
}

// At every radius, or at some that are so far apart.
bool same_search(std::size_t bytes, std::uint64_t large, std::uint32_t apart) {
  std::vector<std::uint8_t> codes(3000 * bytes);
  for (std::uint8_t& byte : codes) byte = random_bits() % 3 == 0;
  const BuiltIndex built = build_index(codes.data(), 3000, bytes, {100, large}, 2);
  Index index(holding_of(built, codes, bytes));
  if (!add_tables(index, built, codes, bytes)) return false;
  const std::vector<Kernels> supported = supported_kernels();
  for (auto radius = static_cast<std::uint32_t>(random_bits() % apart); radius < bytes;
       radius += apart) {
    const ScanResult right = scan(kScanScalar, codes.data(), 3000, codes.data(), 50, bytes, radius);
    for (const Kernels& kernels : supported)
      for (const Way way : {Way::lookup, Way::join}) {
        const ScanResult found =
            search(index, radius, way, kernels.scan, kernels.ring, codes.data(), 50, 2);
        if (found.offsets == right.offsets && found.rows == right.rows &&
            found.distances == right.distances)
          continue;
        std::fprintf(stderr, "ring: %s differs: %zu bits, radius %u\n", kernels.name, 8 * bytes,
                     radius);
        return false;
      }
  }
  return true;
}

}  // namespace

bool check_ring(unsigned every) {
  bool same = true;
  for (const Kernels& kernels : supported_kernels()) {
    if (&kernels.ring == &kRingScalar || (same_tests(kernels.ring) && same_joins(kernels.ring)))
      continue;
    std::fprintf(stderr, "ring: %s sieves otherwise than scalar\n", kernels.name);
    same = false;
  }
  for (const std::size_t bytes : {8, 16, 32, 64})
    for (const std::uint64_t large : {1000, 10'000})
      same = same_search(bytes, large, std::min(every, 8u)) && same;
  return same;
}
