#include "kernels.h"

#include <stdexcept>
#include <string>

namespace screener {

std::vector<Kernels> supported_kernels() {
  std::vector<Kernels> supported;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Zen 4 and Ice Lake have all of these; VPOPCNTDQ alone has no 16-bit form.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg"))
    supported.push_back({"avx512", kScanAvx512, kRingAvx512, kWeighAvx512, kPdqAvx512, kMd5Avx512});
  // Every processor with AVX2 that matters has FMA; PDQ divides by it.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    supported.push_back({"avx2", kScanAvx2, kRingAvx2, kWeighAvx2, kPdqAvx2, kMd5Avx2});
#elif defined(__aarch64__)
  // NEON is part of the base architecture, so a compiler makes vectors of the scalar MD5.
  supported.push_back({"neon", kScanNeon, kRingNeon, kWeighNeon, kPdqNeon, kMd5Scalar});
#endif
  supported.push_back({"scalar", kScanScalar, kRingScalar, kWeighScalar, kPdqScalar, kMd5Scalar});
  return supported;
}

Kernels choose_kernels(const char* name) {
  const std::vector<Kernels> supported = supported_kernels();
  if (name == nullptr || *name == '\0') return supported.front();
  std::string choices;
  for (const Kernels& kernels : supported) {
    if (name == std::string(kernels.name)) return kernels;
    choices += choices.empty() ? "" : ", ";
    choices += kernels.name;
  }
  throw std::runtime_error(
      "SCREENER_KERNEL=" + std::string(name) +
      " is unknown or not supported on this machine; choose one of: " + choices);
}

}  // namespace screener
