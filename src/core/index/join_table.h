// The join of one table with the queries of a block: bucket by bucket, each with all queries that
// visit it.
#pragma once
#include <array>
#include <vector>

#include "index/follow_links.h"
#include "index/planner.h"

namespace screener {

// The queries of a block in order of their chunk for one table.
struct SortedQueries {
  std::vector<std::uint32_t> starts;  // of the queries with each key
  std::vector<QueryEntry> entries;

  void sort(const QueryBlock& block, const std::vector<std::uint32_t>& all, std::size_t table,
            std::size_t tables);
};

// What a thread keeps between tables.
class TableJoin {
 public:
  TableJoin(const Ring& ring, const RingKernel& kernel, const QueryBlock& block,
            std::size_t queries, const RadiusPlan& plan);

  // Joins the buckets of a table from one key to another with these queries of the block.
  void run(std::size_t table, std::uint32_t key, std::uint32_t end,
           const std::vector<std::uint32_t>& all);

  std::vector<Found> found;               // in no order, some several times
  std::vector<std::uint32_t> candidates;  // how many each query met, or enough to be too many

 private:
  void begin(std::size_t table);
  template <std::uint32_t kCopied>
  void gather(std::uint32_t key);
  void test(std::uint32_t level, std::size_t count);
  void follow(std::size_t line, std::size_t count);
  void follow_links(std::size_t line, const std::uint32_t* hits, std::size_t count);
  template <bool kTold, class Link>
  void follow_each(const Link* links, std::size_t line, const std::uint32_t* hits,
                   std::size_t count);
  void follow_rows(std::size_t line, const std::uint32_t* hits, std::size_t count);
  void settle();
  void finish();

  const Ring& ring_;
  const RingKernel& kernel_;
  const QueryBlock& block_;
  const Thresholds& thresholds_;
  std::size_t most_candidates_;
  std::size_t crowded_;
  LinkFollower<BitDistance> links_;
  SortedQueries sorted_;
  std::size_t table_ = kMostChunks;  // none yet
  std::uint32_t start_ = 0;          // the slots of the bucket
  std::uint32_t end_ = 0;
  std::vector<std::uint16_t> flipped_;                // the masks of all levels
  std::array<std::uint32_t, kMostFlips + 1> levels_;  // where they end
  std::array<std::uint32_t, kMostFlips + 1> ends_;    // of the run's levels
  std::vector<QueryEntry> entries_;                   // the run
  std::vector<std::uint32_t> masks_;
  std::vector<std::uint32_t> passed_;
  std::vector<std::uint32_t> hits_;
  std::vector<Waiting> waiting_;
  std::size_t waiting_count_ = 0;
};

}  // namespace screener
