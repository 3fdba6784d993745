#include "index/ring.h"

namespace screener {

bool set_bases(Ring& ring, std::uint64_t directory_size, std::uint64_t links_bytes,
               std::uint64_t rows_size, std::uint64_t weights_size) {
  if (directory_size != ring.tables * kDirectory) return false;
  if (ring.slots != 0 && reinterpret_cast<std::uintptr_t>(ring.sketches) % 64 != 0) return false;
  if (ring.link_bytes != 1 && ring.link_bytes != 2 && ring.link_bytes != 4) return false;
  if (weights_size != (ring.weights == nullptr ? 0 : ring.tables * kBuckets * kWeights))
    return false;
  if (ring.weights != nullptr && ring.link_bytes != 4) return false;
  std::uint64_t at = 0;
  std::uint64_t link_slots = 0;
  std::uint64_t row_slots = 0;
  for (std::size_t table = 0; table < ring.tables; ++table) {
    const std::uint32_t* own = ring.directory + table * kDirectory;
    if (own[0] != at || own[kBuckets] < at || own[kBuckets] % kLine != 0) return false;
    std::uint64_t& others = holds_rows(table) ? row_slots : link_slots;
    ring.base[table] = at - others;
    others += own[kBuckets] - at;
    at = own[kBuckets];
  }
  return at == ring.slots && link_slots * ring.link_bytes == links_bytes && row_slots == rows_size;
}

}  // namespace screener
