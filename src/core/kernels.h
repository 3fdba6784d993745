// The kernels: the loops that each instruction set has of its own, chosen once for the process.
#pragma once
#include <vector>

#include "index/ring.h"
#include "index/scan.h"
#include "index/weigh.h"
#include "md5/md5_kernel.h"
#include "pdq/pdq_kernel.h"

namespace screener {

// Those of one instruction set.
struct Kernels {
  const char* name;
  const ScanKernel& scan;
  const RingKernel& ring;
  const WeighKernel& weigh;
  const PdqKernel& pdq;
  const Md5Kernel& md5;
};

// What this machine can run, best first; the last are always the scalar ones.
std::vector<Kernels> supported_kernels();

// The best supported ones, or those named (null or empty: the best). Throws std::runtime_error that
// lists the choices when the name is unknown or not supported here.
Kernels choose_kernels(const char* name);

}  // namespace screener
