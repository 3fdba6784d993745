// The queries of views by every kernel that this machine has against the scalar one's, to the last
// sixteenth, of pictures with and without detail.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "checks.h"
#include "kernels.h"
#include "pdq/pdq_views.h"

namespace {

using namespace screener;

// Margins, a turn, both, something added, and covers of either shape: at an edge and off the
// middle.
const std::vector<PdqViewShape> kShapes = {
    {0, 0, 0, 0, 0, PdqCover::none, 0, 0, 0, 0},
    {0.1, 0, 0, 0.04, 0, PdqCover::none, 0, 0, 0, 0},
    {-0.2, -0.1, 0, 0, 0, PdqCover::none, 0, 0, 0, 0},
    {0, 0, 0, 0, 4.5, PdqCover::none, 0, 0, 0, 0},
    {0.03, 0.03, 0.03, 0.03, -90, PdqCover::none, 0, 0, 0, 0},
    {0, 0, 0, 0, 0, PdqCover::rectangle, 0, 0.8, 1, 1},
    {0, 0, 0, 0, 0, PdqCover::ellipse, -0.1, 0.2, 0.3, 0.6},
};

PdqGrid draw(uint64_t seed, int greys) {
  uint64_t state = 0x9e3779b97f4a7c15 + seed;
  PdqGrid grid;
  for (int i = 0; i < kGrid; ++i)
    for (int j = 0; j < kGrid; ++j) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      const auto noise = static_cast<float>((state >> 11) % 1000) / 1000;
      grid[i][j] =
          100 + static_cast<float>(greys) * noise + static_cast<float>(greys * i * j) / 4096;
    }
  return grid;
}

struct Made {
  std::vector<uint8_t> codes, weights;
  std::vector<int32_t> ceilings;

  Made(const PdqViews& views, const PdqGrid& grid, double aspect, const PdqKernel& kernel,
       size_t orientations = kOrientations)
      : codes(views.size() * orientations * kPdqBytes),
        weights(views.size() * orientations * kPdqBits),
        ceilings(views.size() * orientations) {
    views.weigh(0, views.size(), grid, aspect, kernel, orientations,
                {codes.data(), weights.data(), ceilings.data()});
  }
  bool operator==(const Made&) const = default;
};

}  // namespace

bool check_views() {
  const PdqViews views(kShapes);
  bool equal = true;
  for (int n = 0; n < 40; ++n) {
    const PdqGrid grid = draw(static_cast<uint64_t>(n), n % 4 * 40);
    const double aspect = 0.2 + 0.1 * n;
    const Made wanted(views, grid, aspect, kPdqScalar);
    for (const Kernels& kernels : supported_kernels()) {
      if (Made(views, grid, aspect, kernels.pdq) == wanted) continue;
      std::printf("views: %s differs from scalar in picture %d\n", kernels.name, n);
      equal = false;
    }
  }
  return equal;
}
