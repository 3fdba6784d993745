// Refuses a build in which floating-point arithmetic is not what the sources say. Hashes are equal
// to the reference's bit for bit because every operation rounds once, to its own type, in the order
// that is written; what is computed otherwise is another hash, and misses what is listed.
#pragma once
#include <cfloat>

// CMakeLists.txt takes such flags back, whoever gives them (CXXFLAGS, say).
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "screener cannot be built with -ffast-math or a part of it: hashes would differ"
#endif
// 16 is a processor with arithmetic of 16 bits, which changes nothing for float and double.
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "screener cannot be built where float is computed wider (x87): hashes would differ"
#endif
