// How much a grey picture shows, and a PDQ: the measures of hashing/detail.py, which says what they
// are for.
#pragma once
#include "pdq.h"

namespace screener {

struct DetailMeasures {
  double spread, area, shades, tones;
};

// Of a picture of one channel that is not empty.
DetailMeasures detail_measures(const Pixels& pixels);

struct PdqPatterns {
  int power;   // the sum of the squares of the products of all two rows of bits, as 1 and -1
  int widest;  // the largest sum of absolute products of a row with all others
};
PdqPatterns pdq_patterns(const uint8_t hash[kPdqBytes]);

}  // namespace screener
