// Whether samples that rounded otherwise than the reference's must still give its hash and quality.
//
// docs/pdq.md derives every term.
#pragma once
#include "pdq_sample.h"

namespace screener {

// The size of a picture as its hash is made: turned, if it is of a turned picture.
struct PdqShape {
  int64_t height;
  int64_t width;
  int channels;
  int roundings;  // of our own samples
};

struct PdqCertificate {
  float coefficients[kBand][kBand];
  double bounds[kBand][kBand];  // how far the reference's coefficient can be from ours
  PdqResult result;             // the reference's, but for the bits in doubt
  int doubt;                    // how many those are; all of them where the quality is in doubt
};

PdqCertificate pdq_certify(const PdqGrid& grid, const PdqShape& shape, const PdqKernel& kernel);

}  // namespace screener
