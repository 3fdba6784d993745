// The outermost lines of a picture: without one that is of one colour it has no bars, which is so
// of nearly all pictures (media/trim.py).
#pragma once
#include "pixels.h"

namespace screener {

// Whether any of the four outermost lines of a grey picture that is not empty may begin a bar: most
// of it lies near its median, and so does the mean of each of its quarters.
bool even_edges(const Pixels& pixels);

}  // namespace screener
