#include "index/chunks.h"

#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace screener {
namespace {

// 256 bits are sixteen rows of sixteen (the frequencies of a PDQ hash). Chunk c is the diagonal
// 5 c: bit a of it comes from row a, column (a + 5 c) mod 16. Rows and columns are correlated,
// diagonals are not, and the stride keeps neighbours in the ring apart.
constexpr std::size_t kSquare = 32;
constexpr std::size_t kStride = 5;

#if defined(__x86_64__)
// Row a, turned right by a, as a multiplication by 2^(16 - a): the two halves of the product.
inline __m128i turn(__m128i rows, __m128i factors) {
  return _mm_or_si128(_mm_mullo_epi16(rows, factors), _mm_mulhi_epu16(rows, factors));
}

void cut_square(const std::uint8_t* code, std::uint16_t* chunks) {
  const __m128i low_factors =
      _mm_setr_epi16(1, static_cast<short>(0x8000), 0x4000, 0x2000, 0x1000, 0x0800, 0x0400, 0x0200);
  const __m128i high_factors =
      _mm_setr_epi16(0x0100, 0x0080, 0x0040, 0x0020, 0x0010, 0x0008, 0x0004, 0x0002);
  const __m128i first = turn(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code)), low_factors);
  const __m128i second =
      turn(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code + 16)), high_factors);
  // Columns 0 to 7 of all rows are the low bytes; the top bit of each byte is one column.
  const __m128i byte = _mm_set1_epi16(0xff);
  __m128i low = _mm_packus_epi16(_mm_and_si128(first, byte), _mm_and_si128(second, byte));
  __m128i high = _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(second, 8));
  std::uint16_t columns[16];
  for (int b = 7; b >= 0; --b) {
    columns[b] = static_cast<std::uint16_t>(_mm_movemask_epi8(low));
    columns[b + 8] = static_cast<std::uint16_t>(_mm_movemask_epi8(high));
    low = _mm_add_epi8(low, low);
    high = _mm_add_epi8(high, high);
  }
  for (std::size_t c = 0; c < 16; ++c) chunks[c] = columns[kStride * c % 16];
}
#else
void cut_square(const std::uint8_t* code, std::uint16_t* chunks) {
  std::uint16_t columns[16] = {};
  for (std::uint32_t a = 0; a < 16; ++a) {
    const std::uint32_t row = code[2 * a] | std::uint32_t{code[2 * a + 1]} << 8;
    const std::uint32_t turned = row >> a | row << (16 - a);
    for (std::uint32_t b = 0; b < 16; ++b)
      columns[b] = static_cast<std::uint16_t>(columns[b] | (turned >> b & 1u) << a);
  }
  for (std::size_t c = 0; c < 16; ++c) chunks[c] = columns[kStride * c % 16];
}
#endif

// Other widths: bits are dealt to the chunks in turn, as neighbouring bits are the likeliest to
// depend on each other.
void deal_bits(const std::uint8_t* code, std::size_t bytes, std::uint16_t* chunks) {
  const std::size_t count = bytes / 2;
  std::memset(chunks, 0, bytes);
  for (std::size_t bit = 0; bit < 8 * bytes; ++bit) {
    const std::uint32_t value = code[bit / 8] >> (bit % 8) & 1u;
    std::uint16_t& chunk = chunks[bit % count];
    chunk = static_cast<std::uint16_t>(chunk | value << (bit / count));
  }
}

}  // namespace

std::vector<std::uint16_t> chunk_bits(std::size_t bytes) {
  std::vector<std::uint16_t> bits(8 * bytes);
  for (std::size_t c = 0; c < bytes / 2; ++c)
    for (std::size_t b = 0; b < 16; ++b)
      bits[16 * c + b] = static_cast<std::uint16_t>(
          bytes == kSquare ? 16 * b + (b + kStride * c) % 16 : b * (bytes / 2) + c);
  return bits;
}

void cut_chunks(const std::uint8_t* code, std::size_t bytes, std::uint16_t* chunks) {
  if (bytes == kSquare)
    cut_square(code, chunks);
  else
    deal_bits(code, bytes, chunks);
}

}  // namespace screener
