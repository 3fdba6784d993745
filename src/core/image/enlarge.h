// A picture at twice its size.
#pragma once
#include <vector>

#include "pixels.h"

namespace screener {

// The bytes of a dense picture of twice the height and width, as many channels. Each pixel is three
// quarters of the nearest one and a quarter of the next, rounded, down first and then across: so it
// lies where it would in the larger picture. Not for empty pictures.
std::vector<uint8_t> enlarge(const Pixels& pixels);

}  // namespace screener
