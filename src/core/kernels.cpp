#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <stdexcept>
#include <string>

namespace screener {

#if defined(__x86_64__)
namespace {

struct Processor {
  bool avx2 = false;
  bool avx512 = false;
};

bool has(unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; }

// By the processor's own answers: __builtin_cpu_supports asks the compiler's run-time library, and
// that of Zig answers no, whatever the processor has.
Processor read_processor() {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !has(ecx, bit_OSXSAVE | bit_FMA | bit_POPCNT))
    return {};
  unsigned saved, high;  // which registers the system saves when it changes threads
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return {};
  constexpr unsigned kYmm = 0x06, kZmm = 0xe6;
  Processor processor;
  // Every processor with AVX2 that matters has FMA; PDQ divides by it.
  processor.avx2 = has(saved, kYmm) && has(ebx, bit_AVX2);
  // Zen 4 and Ice Lake have all of these; VPOPCNTDQ alone has no 16-bit form.
  processor.avx512 = has(saved, kZmm) &&
                     has(ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) &&
                     has(ecx, bit_AVX512VPOPCNTDQ | bit_AVX512BITALG);
  return processor;
}

}  // namespace
#endif

std::vector<Kernels> supported_kernels() {
  std::vector<Kernels> supported;
#if defined(__x86_64__)
  const Processor processor = read_processor();
  if (processor.avx512)
    supported.push_back({"avx512", kScanAvx512, kRingAvx512, kWeighAvx512, kPdqAvx512, kMd5Avx512});
  if (processor.avx2)
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
