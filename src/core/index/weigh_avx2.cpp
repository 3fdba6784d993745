// Weighted search for AVX2: 16 sketches, or a byte of 32 codes, in a vector.
#include "index/weigh.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx2.inc"

namespace screener {
namespace {

constexpr std::size_t kCodes = 32;
constexpr std::size_t kVectors = 2;

using Bytes = __m256i;

INLINE Bytes column_of(const std::uint8_t* bytes) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
}
INLINE void store(std::uint8_t* bytes, Bytes x) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), x);
}
INLINE Bytes table_of(const std::uint8_t* sums) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(sums)));
}
INLINE Bytes all_of(std::uint8_t byte) { return _mm256_set1_epi8(static_cast<char>(byte)); }
INLINE Bytes looked_up(Bytes table, Bytes column) { return _mm256_shuffle_epi8(table, column); }
INLINE Bytes sum_of(Bytes a, Bytes b) { return _mm256_adds_epu8(a, b); }
INLINE Bytes rest_of(Bytes a, Bytes b) { return _mm256_subs_epu8(a, b); }
INLINE Bytes least(Bytes a, Bytes b) { return _mm256_min_epu8(a, b); }
INLINE Bytes both(Bytes a, Bytes b) { return _mm256_and_si256(a, b); }
INLINE Bytes either(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
template <int kBits>
INLINE Bytes shifted(Bytes x) {
  return _mm256_srli_epi16(x, kBits);
}
INLINE std::uint64_t zeros(Bytes x) {
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_setzero_si256())));
}

INLINE Bytes low_halves(Bytes x) { return both(x, all_of(0x0f)); }
INLINE Bytes high_halves(Bytes x) { return low_halves(shifted<4>(x)); }

struct Tables {
  Bytes of[4];
};

// All ones in each sketch that weighs at most the limit.
INLINE Bytes within_limit(Bytes x, const Tables& tables, Bytes limit) {
  const Bytes upper = _mm256_set1_epi16(static_cast<short>(0xff00));
  const Bytes low = low_halves(x);
  const Bytes high = high_halves(x);
  const Bytes a = _mm256_blendv_epi8(_mm256_shuffle_epi8(tables.of[0], low),
                                     _mm256_shuffle_epi8(tables.of[2], low), upper);
  const Bytes b = _mm256_blendv_epi8(_mm256_shuffle_epi8(tables.of[1], high),
                                     _mm256_shuffle_epi8(tables.of[3], high), upper);
  const Bytes words = _mm256_maddubs_epi16(_mm256_adds_epu8(a, b), _mm256_set1_epi8(1));
  return _mm256_cmpeq_epi16(_mm256_max_epi16(words, limit), limit);
}

INLINE std::uint32_t test_line(const std::uint16_t* line, const std::uint8_t* sums,
                               std::uint32_t limit) {
  const Tables tables = {
      {table_of(sums), table_of(sums + 16), table_of(sums + 32), table_of(sums + 48)}};
  const auto* halves = reinterpret_cast<const __m256i*>(line);
  const Bytes most = _mm256_set1_epi16(static_cast<short>(limit));
  const Bytes a = within_limit(_mm256_load_si256(halves), tables, most);
  const Bytes b = within_limit(_mm256_load_si256(halves + 1), tables, most);
  const Bytes packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(packed));
}

// Four bytes of the code at a time, each bit of them in a byte of its own.
INLINE std::uint32_t weight(const std::uint8_t* code, const WeighedQuery& query,
                            std::size_t bytes) {
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bits = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t at = 0; at < bytes; at += 4) {
    std::uint32_t x;
    std::uint32_t y;
    __builtin_memcpy(&x, code + at, 4);
    __builtin_memcpy(&y, query.code + at, 4);
    const __m256i word = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(x ^ y)), spread);
    const __m256i differing = _mm256_cmpeq_epi8(_mm256_and_si256(word, bits), bits);
    const __m256i weights =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query.weights + 8 * at));
    sum = _mm256_add_epi64(
        sum, _mm256_sad_epu8(_mm256_and_si256(differing, weights), _mm256_setzero_si256()));
  }
  const __m128i halves =
      _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(halves) + _mm_extract_epi32(halves, 2));
}

#include "index/weigh_changes.inc"
#include "index/weigh_loops.inc"
#include "index/weigh_tile.inc"

}  // namespace

const WeighKernel kWeighAvx2 = {list_changes, weigh_lines, split_columns, weigh_tile, distances};

}  // namespace screener

#include "region_end.inc"
#endif
