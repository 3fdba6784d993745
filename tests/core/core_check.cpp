// Runs every check of the core with the name of the kernel that must be the best here; exits 1 on
// any difference. With a number behind it, one of so many is checked where there are many.
// scripts/neon builds it for aarch64 and runs it under emulation, scripts/sanitize runs it here.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "checks.h"
#include "kernels.h"

static bool told(const char* name, bool equal) {
  std::printf("%s: %s\n", name, equal ? "equal" : "DIFFERENT");
  std::fflush(stdout);
  return equal;
}

int main(int argc, char** argv) {
  const char* best = screener::supported_kernels().front().name;
  const unsigned every = argc == 3 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
  if (argc < 2 || argc > 3 || every % 2 == 0 || std::strcmp(argv[1], best) != 0) {
    std::fprintf(stderr, "name %s, the best kernel here, and an odd number or none\n", best);
    return 2;
  }
  bool good = told("scan", check_scan());
  good &= told("pdq", check_pdq(every));
  good &= told("views", check_views());
  good &= told("ring", check_ring(every));
  good &= told("weigh", check_weigh(every));
  good &= told("md5", check_md5());
  return good ? 0 : 1;
}
