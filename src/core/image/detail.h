// How much a picture shows, and a PDQ: the measures of hashing/detail.py, which says what they
// are for.
#pragma once
#include "pdq/pdq.h"

namespace screener {

struct DetailMeasures {
  double spread, area, shades, tones;
};

// Of a picture that is not empty; colour is turned to grey as Pillow does it.
DetailMeasures detail_measures(const Pixels& pixels);

struct DetailSpectrum {
  double waves, texture;
};

// The measures that all waves of the grid go into, which take as long again.
DetailSpectrum detail_spectrum(const Pixels& pixels);

struct PdqPatterns {
  int power;   // the sum of the squares of the products of all two rows of bits, as 1 and -1
  int widest;  // the largest sum of absolute products of a row with all others
};
PdqPatterns pdq_patterns(const uint8_t hash[kPdqBytes]);

}  // namespace screener
