// Whether samples that rounded otherwise than the reference's must still give its hash and quality.
//
// docs/internals/pdq.md derives every term.
#pragma once
#include "pdq/pdq_bound.h"
#include "pdq/pdq_filter.h"

namespace screener {

struct PdqCertificate {
  float coefficients[kBand][kBand];
  float median;
  double bounds[kBand][kBand];  // how far the reference's coefficient can be from ours
  double dct[kBand][kBand];     // the part of them that the DCT's own roundings have
  PdqResult result;             // the reference's, but for the bits in doubt
  int doubt;                    // how many those are; all of them where the quality is in doubt
};

// Of the samples the first `known` rows are the reference's own, and to the others is added what
// its running sums had left behind when the last of those was made (PdqFilter::drift).
PdqCertificate pdq_certify(const PdqGrid& grid, const PdqBound& bound, const PdqKernel& kernel,
                           int known = 0);

// So many rows of the reference's samples are likely to settle what is in doubt; all, if no fewer.
int pdq_rows_to_know(const PdqCertificate& certificate, const PdqBound& bound);

}  // namespace screener
