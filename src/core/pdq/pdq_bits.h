// From the coefficients of a picture to the bits of its hash.
#pragma once
#include "pdq/pdq_types.h"

namespace screener {

// The lower median: the last of the smaller half of 256 values.
float pdq_median(const float values[kPdqBits]);

// Bit k is set where coefficient k is above the median. The text begins with bit 255.
PdqHash pdq_bits(const float coefficients[kPdqBits], float median);

}  // namespace screener
