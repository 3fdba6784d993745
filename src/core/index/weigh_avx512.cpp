// Weighted search for AVX-512: the 32 sketches of a cache line, or a byte of 64 codes, in a vector.
#include "index/weigh.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "inline.h"
#include "region_avx512.inc"

namespace screener {
namespace {

constexpr std::size_t kCodes = 64;
constexpr std::size_t kVectors = 4;

using Bytes = __m512i;

INLINE Bytes column_of(const std::uint8_t* bytes) { return _mm512_load_si512(bytes); }
INLINE void store(std::uint8_t* bytes, Bytes x) { _mm512_store_si512(bytes, x); }
INLINE Bytes table_of(const std::uint8_t* sums) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(sums)));
}
INLINE Bytes all_of(std::uint8_t byte) { return _mm512_set1_epi8(static_cast<char>(byte)); }
INLINE Bytes looked_up(Bytes table, Bytes column) { return _mm512_shuffle_epi8(table, column); }
INLINE Bytes sum_of(Bytes a, Bytes b) { return _mm512_adds_epu8(a, b); }
INLINE Bytes rest_of(Bytes a, Bytes b) { return _mm512_subs_epu8(a, b); }
INLINE Bytes least(Bytes a, Bytes b) { return _mm512_min_epu8(a, b); }
INLINE Bytes both(Bytes a, Bytes b) { return _mm512_and_si512(a, b); }
INLINE Bytes either(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
template <unsigned kBits>
INLINE Bytes shifted(Bytes x) {
  return _mm512_srli_epi16(x, kBits);
}
INLINE std::uint64_t zeros(Bytes x) { return _mm512_testn_epi8_mask(x, x); }

INLINE Bytes low_halves(Bytes x) { return both(x, all_of(0x0f)); }
INLINE Bytes high_halves(Bytes x) { return low_halves(shifted<4>(x)); }

INLINE std::uint32_t test_line(const std::uint16_t* line, const std::uint8_t* sums,
                               std::uint32_t limit) {
  constexpr __mmask64 kUpper = 0xaaaaaaaaaaaaaaaa;  // bytes of the sketches
  const Bytes x = _mm512_load_si512(line);
  const Bytes low = low_halves(x);
  const Bytes high = high_halves(x);
  const Bytes a = _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(table_of(sums), low), kUpper,
                                           table_of(sums + 32), low);
  const Bytes b = _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(table_of(sums + 16), high), kUpper,
                                           table_of(sums + 48), high);
  const Bytes words = _mm512_maddubs_epi16(_mm512_adds_epu8(a, b), _mm512_set1_epi8(1));
  return _mm512_cmple_epu16_mask(words, _mm512_set1_epi16(static_cast<short>(limit)));
}

INLINE std::uint32_t weight(const std::uint8_t* code, const WeighedQuery& query,
                            std::size_t bytes) {
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t x;
    std::uint64_t y;
    __builtin_memcpy(&x, code + at, 8);
    __builtin_memcpy(&y, query.code + at, 8);
    const __m512i differing =
        _mm512_maskz_mov_epi8(x ^ y, _mm512_loadu_si512(query.weights + 8 * at));
    sum = _mm512_add_epi64(sum, _mm512_sad_epu8(differing, _mm512_setzero_si512()));
  }
  return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(sum));
}

std::size_t list_changes(const std::uint32_t* changes, std::uint32_t bound, std::uint32_t* list) {
  const __m512i most = _mm512_set1_epi32(static_cast<int>(bound));
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t listed = 1;
  list[0] = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (changes[i] >= bound) continue;
    const __m512i change = _mm512_set1_epi32(static_cast<int>(changes[i]));
    const std::size_t before = listed;
    for (std::size_t j = 0; j < before; j += 16) {
      const __m512i left = _mm512_set1_epi32(static_cast<int>(before - j));
      const __m512i sums = _mm512_add_epi32(_mm512_loadu_si512(list + j), change);
      const __mmask16 valid = _mm512_cmplt_epu32_mask(lanes, left);
      const __mmask16 some = _mm512_mask_cmplt_epu32_mask(valid, sums, most);
      _mm512_storeu_si512(list + listed, _mm512_maskz_compress_epi32(some, sums));
      listed += static_cast<std::size_t>(_mm_popcnt_u32(some));
    }
  }
  return listed;
}

#include "index/weigh_loops.inc"
#include "index/weigh_tile.inc"

}  // namespace

const WeighKernel kWeighAvx512 = {list_changes, weigh_lines, split_columns, weigh_tile, distances};

}  // namespace screener

#include "region_end.inc"
#endif
