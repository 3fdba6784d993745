// Which instruction set the process uses: detected once, forceable by name.
#pragma once
#include <string>
#include <vector>

namespace screener {

enum class Isa { scalar, neon, avx2, avx512 };

const char* isa_name(Isa isa);

// The instruction sets that this machine can run, best first; the last is always scalar.
std::vector<Isa> supported_isas();

// The best supported one, or the one named (null or empty: the best). Throws
// std::runtime_error that lists the choices when the name is unknown or not supported here.
Isa choose_isa(const char* name);

}  // namespace screener
