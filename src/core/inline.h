// Functions of a kernel that are to be compiled into what calls them, whatever the compiler thinks.
#pragma once
#define INLINE inline __attribute__((always_inline))
