// The tests of an index for AVX-512: the 32 sketches of a cache line in one vector.
#include "index/ring.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx512.inc"

namespace screener {
namespace {

INLINE std::uint32_t within(__m512i line, __m512i sketch, __m512i limit) {
  return _mm512_cmple_epu16_mask(_mm512_popcnt_epi16(_mm512_xor_si512(line, sketch)), limit);
}

INLINE __m512i sketch_of(std::uint32_t test) { return _mm512_set1_epi16(static_cast<short>(test)); }

INLINE __m512i limit_of(std::uint32_t test) {
  return _mm512_set1_epi16(static_cast<short>(test >> 16));
}

// Masks that are not zero are few; a branch on each would cost more than the tests.
INLINE std::size_t list_passed(std::uint32_t* masks, std::size_t count, std::uint32_t* passed) {
  _mm512_storeu_si512(masks + count, _mm512_setzero_si512());
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t listed = 0;
  for (std::size_t k = 0; k < count; k += 16) {
    const __m512i some = _mm512_loadu_si512(masks + k);
    const __mmask16 any = _mm512_test_epi32_mask(some, some);
    _mm512_storeu_si512(passed + listed, _mm512_maskz_compress_epi32(any, at));
    listed += static_cast<std::size_t>(_mm_popcnt_u32(any));
    at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
  }
  return listed;
}

std::size_t sieve_lines(const std::uint16_t* sketches, const std::uint32_t* lines,
                        const std::uint32_t* tests, std::size_t count, std::uint32_t* masks,
                        std::uint32_t* passed) {
  for (std::size_t k = 0; k < count; ++k) {
    prefetch_line(sketches + lines[k + kAhead] * kLine);
    const __m512i line = _mm512_load_si512(sketches + lines[k] * kLine);
    masks[k] = within(line, sketch_of(tests[k]), limit_of(tests[k]));
  }
  return list_passed(masks, count, passed);
}

// The masks that passed to hits. Nearly all have one bit.
template <std::size_t kLines>
INLINE std::size_t list_hits(const std::uint32_t* masks, const std::uint32_t* passed,
                             std::size_t count, std::uint32_t* hits) {
  std::size_t listed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t entry = passed[i] / kLines;
    const auto line = static_cast<std::uint32_t>(passed[i] - entry * kLines);
    std::uint32_t mask = masks[passed[i]];
    do {
      const auto place = static_cast<std::uint32_t>(__builtin_ctz(mask));
      hits[listed++] = make_hit(entry, line * kLine + place);
      mask &= mask - 1;
    } while (mask != 0);
  }
  return listed;
}

template <std::size_t kLines>
INLINE std::size_t sieve(const BucketLines& bucket, const QueryRun& run, std::uint32_t* masks,
                         std::uint32_t* passed, std::uint32_t* hits) {
  __m512i lines[kLines];
#pragma GCC unroll 8
  for (std::size_t l = 0; l < kLines; ++l)
    lines[l] = _mm512_load_si512(bucket.sketches + l * kLine);
  static_assert(kLines > 1);
  std::size_t k = 0;
  for (std::uint32_t level = 0; level < run.levels; ++level) {
    const __m512i limit = limit_of((run.limit - level) << 16);
    for (; k < run.ends[level]; ++k) {
      const __m512i sketch = sketch_of(run.entries[k].chunks);
#pragma GCC unroll 8
      for (std::size_t l = 0; l < kLines; ++l) {
        const __m512i bits = _mm512_popcnt_epi16(_mm512_xor_si512(lines[l], sketch));
        masks[k * kLines + l] = l + 1 == kLines
                                    ? _mm512_mask_cmple_epu16_mask(bucket.last, bits, limit)
                                : l == 0 ? _mm512_mask_cmple_epu16_mask(bucket.first, bits, limit)
                                         : _mm512_cmple_epu16_mask(bits, limit);
      }
    }
  }
  return list_hits<kLines>(masks, passed, list_passed(masks, k * kLines, passed), hits);
}

// The sketches of 32 queries.
INLINE __m512i sketches_of(const QueryEntry* entries) {
  const __m256i low = _mm256_set_m128i(_mm512_cvtepi64_epi16(_mm512_loadu_si512(entries + 8)),
                                       _mm512_cvtepi64_epi16(_mm512_loadu_si512(entries)));
  const __m256i high = _mm256_set_m128i(_mm512_cvtepi64_epi16(_mm512_loadu_si512(entries + 24)),
                                        _mm512_cvtepi64_epi16(_mm512_loadu_si512(entries + 16)));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// The limits of 32 queries, of which the first is the query `at` of the run.
INLINE __m512i limits_of(const QueryRun& run, std::size_t at) {
  const __m512i lanes = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                                         16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i places = _mm512_add_epi16(lanes, _mm512_set1_epi16(static_cast<short>(at)));
  __m512i limits = _mm512_set1_epi16(static_cast<short>(run.limit));
  for (std::uint32_t level = 0; level + 1 < run.levels; ++level) {
    const __m512i end = _mm512_set1_epi16(static_cast<short>(run.ends[level]));
    limits = _mm512_mask_sub_epi16(limits, _mm512_cmpge_epu16_mask(places, end), limits,
                                   _mm512_set1_epi16(1));
  }
  return limits;
}

// Lists which of 32 * kVectors queries of a run, from `at` on, pass with any of the postings.
template <std::size_t kVectors>
INLINE std::size_t list_queries(const std::uint16_t* postings, std::size_t count,
                                const QueryRun& run, std::size_t at, std::uint32_t* passed) {
  __m512i queries[kVectors];
  __m512i least[kVectors];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    queries[v] = sketches_of(run.entries + at + 32 * v);
    least[v] = _mm512_set1_epi16(16);
  }
  for (std::size_t p = 0; p < count; ++p) {
    const __m512i posting = _mm512_set1_epi16(static_cast<short>(postings[p]));
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v)
      least[v] =
          _mm512_min_epu16(least[v], _mm512_popcnt_epi16(_mm512_xor_si512(queries[v], posting)));
  }
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t listed = 0;
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t first = at + 32 * v;
    std::uint32_t any = _mm512_cmple_epu16_mask(least[v], limits_of(run, first));
    if (first + 32 > run.count()) any &= (1u << (run.count() - first)) - 1;
    const __m512i low = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(first)));
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(16));
    _mm512_storeu_si512(passed + listed,
                        _mm512_maskz_compress_epi32(static_cast<__mmask16>(any), low));
    listed += static_cast<std::size_t>(_mm_popcnt_u32(any & 0xffffu));
    _mm512_storeu_si512(passed + listed,
                        _mm512_maskz_compress_epi32(static_cast<__mmask16>(any >> 16), high));
    listed += static_cast<std::size_t>(_mm_popcnt_u32(any >> 16));
  }
  return listed;
}

// A bucket within one line: with queries in the lanes and the least distance of each kept, few
// are left to be tested on their own.
template <>
INLINE std::size_t sieve<1>(const BucketLines& bucket, const QueryRun& run,
                            std::uint32_t* /*masks*/, std::uint32_t* passed, std::uint32_t* hits) {
  const std::uint32_t places = bucket.first & bucket.last;
  const auto from = static_cast<std::size_t>(__builtin_ctz(places));
  const std::size_t count = kLine - from - static_cast<std::size_t>(__builtin_clz(places));
  const std::uint16_t* postings = bucket.sketches + from;
  const std::size_t queries = run.count();
  std::size_t some = 0;
  std::size_t at = 0;
  for (; at + 96 < queries; at += 128)
    some += list_queries<4>(postings, count, run, at, passed + some);
  if (at + 64 < queries)
    some += list_queries<3>(postings, count, run, at, passed + some);
  else if (at + 32 < queries)
    some += list_queries<2>(postings, count, run, at, passed + some);
  else if (at < queries)
    some += list_queries<1>(postings, count, run, at, passed + some);
  const __m512i line = _mm512_load_si512(bucket.sketches);
  std::size_t listed = 0;
  for (std::size_t i = 0; i < some; ++i) {
    const std::size_t k = passed[i];
    std::uint32_t limit = run.limit;
    for (std::uint32_t level = 0; level + 1 < run.levels; ++level) limit -= k >= run.ends[level];
    std::uint32_t mask =
        places & within(line, sketch_of(run.entries[k].chunks), limit_of(limit << 16));
    do {
      hits[listed++] = make_hit(k, static_cast<std::uint32_t>(__builtin_ctz(mask)));
      mask &= mask - 1;
    } while (mask != 0);
  }
  return listed;
}

#include "index/popcount.inc"
#include "index/ring_held_buckets.inc"
#include "index/ring_loops.inc"

}  // namespace

const RingKernel kRingAvx512 = {sieve_lines, sieve_bucket, sieve_waiting, distances};

}  // namespace screener

#include "region_end.inc"
#endif
