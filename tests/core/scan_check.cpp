// Every scan kernel that this machine has against the scalar one, on random codes of every width.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "checks.h"
#include "kernels.h"

namespace {

using namespace screener;
using Bytes = std::vector<std::uint8_t>;

Bytes random_bytes(std::mt19937& random, std::size_t count) {
  Bytes bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Codes within a few bits of the queries, among random ones, so that every radius has hits.
Bytes near(std::mt19937& random, const Bytes& queries, std::size_t width, std::size_t count) {
  Bytes codes = random_bytes(random, count * width);
  const std::size_t query_count = queries.size() / width;
  for (std::size_t i = 0; i < count && query_count != 0; i += 1 + random() % 5) {
    std::memcpy(&codes[i * width], &queries[random() % query_count * width], width);
    for (std::size_t flips = random() % (2 * width); flips > 0; --flips)
      codes[i * width + random() % width] ^= static_cast<std::uint8_t>(1u << random() % 8);
  }
  return codes;
}

bool same(const Kernels& kernels, const Bytes& codes, const Bytes& queries, std::size_t width) {
  const auto bits = static_cast<std::uint32_t>(8 * width);
  const auto run = [&](const ScanKernel& kernel, std::uint32_t radius) {
    return scan(kernel, codes.data(), codes.size() / width, queries.data(), queries.size() / width,
                width, radius);
  };
  for (std::uint32_t radius : {0u, 1u, bits / 8, bits / 4, bits / 2, bits - 1, bits}) {
    const ScanResult found = run(kernels.scan, radius);
    const ScanResult wanted = run(kScanScalar, radius);
    if (found.offsets == wanted.offsets && found.rows == wanted.rows &&
        found.distances == wanted.distances)
      continue;
    std::fprintf(stderr, "scan: %s differs: %zu codes of %u bits, %zu queries, radius %u\n",
                 kernels.name, codes.size() / width, bits, queries.size() / width, radius);
    return false;
  }
  return true;
}

}  // namespace

bool check_scan() {
  std::mt19937 random(20);
  bool good = true;
  for (std::size_t width : {8u, 16u, 32u, 64u})
    for (std::size_t count : {0u, 1u, 2u, 3u, 5u, 16u, 17u, 1023u, 1024u, 1029u, 3000u})
      for (std::size_t query_count : {0u, 1u, 7u, 8u, 17u}) {
        const Bytes queries = random_bytes(random, query_count * width);
        const Bytes codes = near(random, queries, width, count);
        for (const Kernels& kernels : supported_kernels())
          good = same(kernels, codes, queries, width) && good;
      }
  return good;
}
