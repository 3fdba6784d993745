// The queries of a weighted search, as its tables see them.
#pragma once
#include <vector>

#include "index/pages.h"
#include "index/thresholds.h"
#include "index/weigh.h"

namespace screener {

// What a caller asks for. Weight j is that of bit 7 - j % 8, the lowest being 0, of byte j / 8 of
// the code: in the order of NumPy's unpackbits. A query whose budget is negative finds nothing.
struct WeightedBatch {
  const std::uint8_t* codes;
  const std::uint8_t* weights;  // eight a byte of the codes
  const std::int64_t* budgets;
  std::size_t count;
};

// The longest run of chunks that is summed up before a table leads to the code: see kRowsEvery.
constexpr std::size_t kMostLength = kRowsEvery + 1;
constexpr std::size_t kLengths = kMostLength - 1;

// A budget dealt to the chunks of a query, as ring.h deals a radius, each threshold in weight.
struct Spread {
  Thresholds thresholds;
  double buckets;  // about how many lie within the thresholds
};

// Some queries of a batch, prepared for searching tables. Keeps its memory from one batch to the
// next.
class WeightedQueries {
 public:
  // Makes room for so many queries on codes of so many bytes; each is to be set then.
  void begin(std::size_t count, std::size_t bytes);
  // Prepares query `at` from query `number` of a batch, whose budget is not negative. Threads may
  // set different ones at once.
  void set(std::size_t at, const WeightedBatch& batch, std::size_t number);
  // The same query with its budget spread again: a bucket of table i costs dear[i] times as much.
  void spread_again(std::size_t at, const std::uint32_t* dear);

  std::size_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }
  const WeighedQuery* queries() const { return queries_.data(); }
  const Spread& spread(std::size_t at) const { return spreads_[at]; }
  std::uint32_t chunk(std::size_t at, std::size_t table) const {
    return chunks_[at * tables_ + table];
  }
  // Changes of one bit of a chunk, the heaviest first.
  void list_bits(std::size_t at, std::size_t table, std::uint32_t* changes) const;

  // The sums of a table for a query, in which kernels find them: at sums() + kSums times that.
  std::size_t sums_at(std::size_t at, std::size_t table) const { return table * count_ + at; }
  const std::uint8_t* sums() const { return sums_.as<std::uint8_t>(); }
  // Sums and bounds are shifted right by so much, so that they fit into a test.
  std::uint32_t shift(std::size_t at) const { return shifts_[at]; }
  // The bound on the distance of `length` chunks from `start`, 2 to kMostLength of them.
  int bound(std::size_t at, std::size_t start, std::size_t length) const {
    return bounds_[sums_at(at, start) * kLengths + length - 2];
  }
  // What a sketch adds to a distance as the chunk of this number, shifted.
  std::uint32_t weight(std::size_t at, std::size_t chunk, std::uint32_t sketch) const {
    const std::uint8_t* sums = this->sums() + sums_at(at, chunk) * kSums;
    return std::uint32_t{sums[sketch & 15]} + sums[16 + (sketch >> 4 & 15)] +
           sums[32 + (sketch >> 8 & 15)] + sums[48 + (sketch >> 12)];
  }

 private:
  void sum_up(std::size_t at);

  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t tables_ = 0;
  std::vector<WeighedQuery> queries_;
  std::vector<std::uint8_t> weights_;        // of the bits of the codes
  std::vector<std::uint8_t> chunk_weights_;  // of the bits of the chunks
  std::vector<std::uint16_t> chunks_;
  std::vector<Spread> spreads_;
  std::vector<std::uint32_t> shifts_;
  std::vector<std::int32_t> bounds_;
  Pages sums_;
};

// Deals a budget to chunks whose bits weigh so much, sixteen each: every next step goes to the
// chunk where it adds the fewest buckets for the weight that it gives.
Spread spread_budget(const std::uint8_t* weights, std::size_t tables, std::uint32_t budget,
                     const std::uint32_t* dear = nullptr);

// The budget of a query as a search needs it: at most the sum of all weights.
std::uint32_t budget_of(const WeightedBatch& batch, std::size_t number, std::size_t bytes);

// Copies the weights of a query of a batch in the order of WeighedQuery.
void order_weights(const WeightedBatch& batch, std::size_t number, std::size_t bytes,
                   std::uint8_t* weights);

}  // namespace screener
