// An index as a search sees it: codes, and the tables by which they are found.
//
// PDQ and hashes of its kind have exactly half of their bits set, but for pictures with too little
// in them. Where most codes are balanced in this way, they have tables of their own: a query whose
// own weight is too far from half passes them by, distances to all others have the parity of its
// weight, so that every other radius is in truth the one below, and the keys that pictures of
// nothing share lie in tables that they do not spoil.
#pragma once
#include <deque>
#include <optional>

#include "index/follow_links.h"
#include "index/planner.h"

namespace screener {

// Codes too few for tables, ordered by their weight, and the rows that they stand in.
struct Few {
  const std::uint8_t* codes;
  const std::uint32_t* rows;
  std::uint64_t count;
};

// Tables, and what is known of the codes in them.
struct Part {
  Part(const Ring& of, bool all_balanced) : ring(of), balanced(all_balanced), planner(ring) {}

  // The radius within which a query of this weight finds what it would within `radius`; nothing
  // where it finds nothing.
  std::optional<std::uint32_t> radius_of(std::uint32_t weight, std::uint32_t radius) const;

  const Ring ring;
  const bool balanced;
  const Planner planner;
};

// What an index holds. Nothing in it is trusted: a search checks what it follows.
struct Holding {
  const std::uint8_t* codes;
  std::uint64_t count;
  std::uint32_t bytes;
  // Equal codes: only the first row of each is in tables. It stands in `heads`, ascending, and its
  // other rows in `repeats` from repeat_starts[k] to repeat_starts[k + 1].
  const std::uint32_t* heads;
  const std::uint64_t* repeat_starts;
  const std::uint32_t* repeats;
  std::uint64_t head_count;
  std::uint64_t repeat_count;
  Few few;
};

// Adds to codes found by tables the other rows of each.
void add_repeats(const Holding& holding, std::vector<Found>& found);

class Index {
 public:
  explicit Index(const Holding& holding) : holding_(holding) {}
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  void add(const Ring& tables, bool balanced) { parts_.emplace_back(tables, balanced); }

  const Holding& holding() const { return holding_; }
  const std::deque<Part>& parts() const { return parts_; }

  // How a batch is searched, as far as it can be told without seeing it.
  Plan choose(std::uint64_t queries, std::uint32_t radius) const;

 private:
  Holding holding_;
  std::deque<Part> parts_;
};

}  // namespace screener
