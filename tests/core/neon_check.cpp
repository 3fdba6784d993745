// Runs every check of the core. scripts/neon builds it for aarch64 and runs it under emulation
// with the name of the kernel that must be there; exits 1 on any difference.
#include <cstdio>
#include <cstring>

#include "checks.h"
#include "kernel.h"

int main(int argc, char** argv) {
  const char* best = screener::isa_name(screener::supported_isas().front());
  if (argc != 2 || std::strcmp(argv[1], best) != 0) {
    std::fprintf(stderr, "the best kernel here is %s: name it to have it checked\n", best);
    return 2;
  }
  const struct {
    const char* name;
    bool (*run)();
  } checks[] = {{"scan", check_scan}, {"pdq", check_pdq}, {"ring", check_ring}};
  bool good = true;
  for (const auto& check : checks) {
    const bool equal = check.run();
    std::printf("%s: %s\n", check.name, equal ? "equal" : "DIFFERENT");
    good = good && equal;
  }
  return good ? 0 : 1;
}
