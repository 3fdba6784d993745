// Views of a picture: guesses of what was done to it, undone. Each is made of PDQ's own 64×64
// samples of the picture, so it reads no pixel.
#pragma once
#include <cstddef>
#include <vector>

#include "pdq/pdq_filter.h"
#include "pdq/pdq_view_shape.h"
#include "pdq/pdq_weights.h"

namespace screener {

// A sample that is put together of others: by their numbers in the grid.
struct PdqFill {
  uint16_t cell;
  uint16_t from[PdqGuess::kMost];
  float weights[PdqGuess::kMost];
};

// A set of views, ready for any picture.
class PdqViews {
 public:
  explicit PdqViews(const std::vector<PdqViewShape>& shapes);

  size_t size() const { return views_.size(); }
  const PdqSureness& sureness(size_t view) const { return views_[view].sureness; }

  // The coefficients that the listed picture would have, from the samples of a copy of which the
  // height is `aspect` times the width.
  void transform(size_t view, const PdqGrid& samples, double aspect, const PdqKernel& kernel,
                 float coefficients[kBand][kBand]) const;

  // The queries of views from `first` to before `last`, each in kOrientations or in kPdqMirrored.
  void weigh(size_t first, size_t last, const PdqGrid& samples, double aspect,
             const PdqKernel& kernel, size_t orientations, const PdqQueries& queries) const;

 private:
  struct View {
    PdqViewShape shape;
    PdqSureness sureness;
    PdqMatrices matrices;        // of a picture that was not turned: they move the samples as well
    std::vector<PdqFill> fills;  // under a cover
  };
  std::vector<View> views_;
};

}  // namespace screener
