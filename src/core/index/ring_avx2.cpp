// The tests of an index for AVX2: the 32 sketches of a cache line in two vectors.
#include "index/ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx2.inc"

namespace screener {
namespace {

#include "index/byte_counts_avx2.inc"

// All ones in each word of 16 bits that has at most `most` set, which is kMost or, if that is
// kCounted, anything. Words left with a bit set after their lowest set bit has been cleared so many
// times have more; up to three, this is faster than counting.
constexpr std::uint32_t kCounted = 4;
template <std::uint32_t kMost>
INLINE __m256i within(__m256i x, [[maybe_unused]] std::uint32_t most) {
  if constexpr (kMost < kCounted) {
    for (std::uint32_t i = 0; i < kMost; ++i)
      x = _mm256_and_si256(x, _mm256_add_epi16(x, _mm256_set1_epi16(-1)));
    return _mm256_cmpeq_epi16(x, _mm256_setzero_si256());
  } else {
    const __m256i limit = _mm256_set1_epi16(static_cast<short>(most));
    const __m256i words = _mm256_maddubs_epi16(byte_counts(x), _mm256_set1_epi8(1));
    return _mm256_cmpeq_epi16(_mm256_max_epi16(words, limit), limit);
  }
}

// One bit for each of the 32 words, which are all zeros or all ones.
INLINE std::uint32_t mask_of(__m256i a, __m256i b) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(packed));
}

INLINE std::uint32_t test_line(const std::uint16_t* line, std::uint32_t test) {
  const __m256i sketch = _mm256_set1_epi16(static_cast<short>(test));
  const __m256i a =
      _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(line)), sketch);
  const __m256i b =
      _mm256_xor_si256(_mm256_load_si256(reinterpret_cast<const __m256i*>(line + 16)), sketch);
  const std::uint32_t most = test >> 16;
  switch (most) {
    case 0:
      return mask_of(within<0>(a, most), within<0>(b, most));
    case 1:
      return mask_of(within<1>(a, most), within<1>(b, most));
    case 2:
      return mask_of(within<2>(a, most), within<2>(b, most));
    case 3:
      return mask_of(within<3>(a, most), within<3>(b, most));
    default:
      return mask_of(within<kCounted>(a, most), within<kCounted>(b, most));
  }
}

// The two halves of a line, such that packing what comes of them keeps the order of places.
struct Line {
  __m256i a;
  __m256i b;
};

// Tests the lines of a bucket with the queries of one level.
template <std::uint32_t kMost>
INLINE void test_level(const Line* lines, std::size_t count, const QueryEntry* entries,
                       std::size_t queries, std::uint32_t most, std::uint32_t* masks) {
  for (std::size_t k = 0; k < queries; ++k) {
    const __m256i sketch = _mm256_set1_epi16(static_cast<short>(entries[k].chunks));
    for (std::size_t l = 0; l < count; ++l) {
      const __m256i a = within<kMost>(_mm256_xor_si256(lines[l].a, sketch), most);
      const __m256i b = within<kMost>(_mm256_xor_si256(lines[l].b, sketch), most);
      *masks++ = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_packs_epi16(a, b)));
    }
  }
}

// The masks that are not zero, to hits. They are few; a branch on each would cost more than the
// tests.
template <std::size_t kLines>
INLINE std::size_t list_hits(const BucketLines& bucket, const std::uint32_t* masks,
                             std::size_t count, std::uint32_t* passed, std::uint32_t* hits) {
  std::size_t some = 0;
  for (std::size_t at = 0; at < count; ++at) {
    passed[some] = static_cast<std::uint32_t>(at);
    some += masks[at] != 0;
  }
  std::size_t listed = 0;
  for (std::size_t i = 0; i < some; ++i) {
    const std::uint32_t entry = passed[i] / kLines;
    const auto line = static_cast<std::uint32_t>(passed[i] - entry * kLines);
    std::uint32_t mask = masks[passed[i]];
    if (line == 0) mask &= bucket.first;
    if (line + 1 == kLines) mask &= bucket.last;
    for (; mask != 0; mask &= mask - 1)
      hits[listed++] =
          make_hit(entry, line * kLine + static_cast<std::uint32_t>(__builtin_ctz(mask)));
  }
  return listed;
}

template <std::size_t kLines>
INLINE std::size_t sieve(const BucketLines& bucket, const QueryRun& run, std::uint32_t* masks,
                         std::uint32_t* passed, std::uint32_t* hits) {
  Line lines[kLines];
  for (std::size_t l = 0; l < kLines; ++l) {
    const auto* line = reinterpret_cast<const __m256i*>(bucket.sketches + l * kLine);
    const __m256i low = _mm256_load_si256(line);
    const __m256i high = _mm256_load_si256(line + 1);
    lines[l] = {_mm256_permute2x128_si256(low, high, 0x20),
                _mm256_permute2x128_si256(low, high, 0x31)};
  }
  std::uint32_t from = 0;
  for (std::uint32_t level = 0; level < run.levels; ++level) {
    const QueryEntry* entries = run.entries + from;
    const std::size_t count = run.ends[level] - from;
    const std::uint32_t most = run.limit - level;
    std::uint32_t* to = masks + from * kLines;
    switch (most) {
      case 0:
        test_level<0>(lines, kLines, entries, count, most, to);
        break;
      case 1:
        test_level<1>(lines, kLines, entries, count, most, to);
        break;
      case 2:
        test_level<2>(lines, kLines, entries, count, most, to);
        break;
      case 3:
        test_level<3>(lines, kLines, entries, count, most, to);
        break;
      default:
        test_level<kCounted>(lines, kLines, entries, count, most, to);
    }
    from = run.ends[level];
  }
  return list_hits<kLines>(bucket, masks, from * kLines, passed, hits);
}

#include "index/popcount.inc"
#include "index/ring_held_buckets.inc"
#include "index/ring_lines.inc"
#include "index/ring_loops.inc"

}  // namespace

const RingKernel kRingAvx2 = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener

#include "region_end.inc"
#endif
