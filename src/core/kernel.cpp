#include "kernel.h"

#include <stdexcept>

namespace screener {

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::neon:
      return "neon";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  throw std::logic_error("no such instruction set");
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Zen 4 and Ice Lake have all of these; VPOPCNTDQ alone has no 16-bit form.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg"))
    isas.push_back(Isa::avx512);
  // Every processor with AVX2 that matters has FMA; PDQ divides by it.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::avx2);
#elif defined(__aarch64__)
  isas.push_back(Isa::neon);  // part of the base architecture
#endif
  isas.push_back(Isa::scalar);
  return isas;
}

Isa choose_isa(const char* name) {
  const std::vector<Isa> supported = supported_isas();
  if (name == nullptr || *name == '\0') return supported.front();
  std::string choices;
  for (Isa isa : supported) {
    if (name == std::string(isa_name(isa))) return isa;
    choices += choices.empty() ? "" : ", ";
    choices += isa_name(isa);
  }
  throw std::runtime_error(
      "SCREENER_KERNEL=" + std::string(name) +
      " is unknown or not supported on this machine; choose one of: " + choices);
}

}  // namespace screener
