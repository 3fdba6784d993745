// Compares the NEON kernels with the scalar ones on random data; exits non-zero on a difference.
// Built for aarch64 and run under emulation by scripts/neon. One function per check, listed in
// main, here or in a file beside this; it returns how many differences it saw and has said what
// they were.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "checks.h"
#include "kernel.h"
#include "scan.h"

#if !defined(__aarch64__)
#error "this program compares NEON kernels: build it for aarch64"
#endif

using namespace screener;

namespace {

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

int check_active_kernel() {
  const char* best = isa_name(supported_isas().front());
  if (std::strcmp(best, "neon") == 0) return 0;
  std::printf("kernel: %s is chosen, not neon\n", best);
  return 1;
}

int check_scan() {
  std::mt19937 random(20);
  int differences = 0;
  for (std::size_t width : {8u, 16u, 32u, 64u})
    for (std::size_t count : {0u, 1u, 2u, 3u, 5u, 16u, 17u, 1023u, 1024u, 1029u, 3000u})
      for (std::size_t query_count : {0u, 1u, 7u, 8u, 17u}) {
        const Bytes queries = random_bytes(random, query_count * width);
        const Bytes codes = near(random, queries, width, count);
        const auto bits = static_cast<std::uint32_t>(8 * width);
        for (std::uint32_t radius : {0u, 1u, bits / 8, bits / 4, bits / 2, bits - 1, bits}) {
          const auto run = [&](const ScanKernel& kernel) {
            return scan(kernel, codes.data(), count, queries.data(), query_count, width, radius);
          };
          const ScanResult neon = run(kScanNeon);
          const ScanResult scalar = run(kScanScalar);
          if (neon.offsets == scalar.offsets && neon.rows == scalar.rows &&
              neon.distances == scalar.distances)
            continue;
          std::printf("scan: %zu codes of %u bits, %zu queries, radius %u differ\n", count, bits,
                      query_count, radius);
          ++differences;
        }
      }
  return differences;
}

}  // namespace

int main() {
  const struct {
    const char* name;
    int (*run)();
  } checks[] = {
      {"kernel", check_active_kernel},
      {"scan", check_scan},
      {"pdq", check_pdq},
  };
  int differences = 0;
  for (const auto& check : checks) {
    const int found = check.run();
    std::printf("%s: %s\n", check.name, found == 0 ? "equal" : "DIFFERENT");
    differences += found;
  }
  return differences == 0 ? 0 : 1;
}
