#include "index/follow_links.h"

#include <algorithm>
#include <stdexcept>

namespace screener {
namespace {

inline std::uint32_t told_at(const Ring& ring, std::uint64_t at) {
  return static_cast<const std::uint16_t*>(ring.links)[2 * at + 1];
}

inline std::uint32_t link_at(const Ring& ring, std::uint64_t at) {
  if (ring.weights != nullptr) return static_cast<const std::uint16_t*>(ring.links)[2 * at];
  if (ring.link_bytes == 1) return static_cast<const std::uint8_t*>(ring.links)[at];
  if (ring.link_bytes == 2) return static_cast<const std::uint16_t*>(ring.links)[at];
  return static_cast<const std::uint32_t*>(ring.links)[at];
}

}  // namespace

void refuse_damaged() { throw std::domain_error("the index is damaged: it leads astray"); }

void sort_once(std::vector<Found>& found) {
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

void LinkFollower::prefetch(const Step& step, std::size_t table) const {
  const std::uint64_t at = step.slot - ring_->base[table];
  if (holds_rows(table)) {
    prefetch_line(ring_->rows + at);
  } else {
    prefetch_line(static_cast<const char*>(ring_->links) + at * ring_->link_bytes);
    // Where links tell the next sketch, few steps come to its bucket.
    if (ring_->weights == nullptr)
      prefetch_line(bucket(ring_->around(table + 1), ring_->sketches[step.slot]));
  }
}

std::uint32_t LinkFollower::follow_link(const Step& step, std::size_t table) const {
  const std::uint32_t* starts = bucket(ring_->around(table + 1), ring_->sketches[step.slot]);
  const std::uint64_t slot =
      std::uint64_t{starts[0]} + link_at(*ring_, step.slot - ring_->base[table]);
  const std::uint32_t* table_starts = bucket(ring_->around(table + 1), 0);
  if (slot >= starts[1] || starts[0] < table_starts[0] || starts[1] > table_starts[kBuckets])
    refuse_damaged();
  return static_cast<std::uint32_t>(slot);
}

// Steps in tables with rows become pairs; the others stand on the next table afterwards. Every slot
// that a step can stand on was checked to lie in its table, and so do its row and its link.
void LinkFollower::move_on() {
  for (const Step& step : steps_) {
    const std::size_t table = table_of(step);
    if (holds_rows(table)) {
      compare(ring_->rows[step.slot - ring_->base[table]], step.query);
    } else if (ring_->weights == nullptr || may_go_on(step, table)) {
      Step moved = step;
      moved.slot = follow_link(step, table);
      ++moved.length;
      prefetch_line(ring_->sketches + moved.slot);
      prefetch_line(queries_.chunks + std::uint64_t{step.query} * ring_->tables);
      moved_.push_back(moved);
    }
  }
  steps_.clear();
}

// The distance of the chunk after the first `length` of a step, whose other side is `sketch`.
std::uint32_t LinkFollower::distance(const Step& step, std::size_t length,
                                     std::uint32_t sketch) const {
  const std::size_t chunk = ring_->around(step.start + length);
  return count_bits(sketch ^ queries_.chunks[step.query * ring_->tables + chunk]);
}

// Whether a step stays within its bound where its link, by what it tells, leads.
bool LinkFollower::may_go_on(const Step& step, std::size_t table) const {
  const std::uint32_t sketch = told_at(*ring_, step.slot - ring_->base[table]);
  const std::uint32_t sum = step.sum + distance(step, step.length, sketch);
  return static_cast<int>(sum) <= thresholds_->bound(step.start, step.length + 1u);
}

// Adds the distance of one more chunk. False beyond the bound. Once round the ring the first chunk
// is counted again, in the sum as in the bound.
bool LinkFollower::count_chunk(Step& step) const {
  step.sum = static_cast<std::uint16_t>(
      step.sum + distance(step, step.length - 1u, ring_->sketches[step.slot]));
  return step.sum <= thresholds_->bound(step.start, step.length);
}

// Of the first of those that moved, the ones still within their bound wait for their next link.
void LinkFollower::extend(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (count_chunk(moved_[i])) add(moved_[i]);
  moved_.erase(moved_.begin(), moved_.begin() + static_cast<std::ptrdiff_t>(count));
}

// In this order, so that nothing is read that was asked of memory a moment ago.
void LinkFollower::advance() {
  const std::size_t arrived = moved_.size();
  move_on();
  extend(arrived);
}

void LinkFollower::finish(std::vector<Found>& found) {
  while (waiting() != 0) advance();
  distances_.resize(pairs_.size());
  kernel_->distances(ring_->codes, queries_.codes, ring_->bytes, pairs_.data(), pairs_.size(),
                     distances_.data());
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    if (distances_[i] <= radius_) found.push_back({pairs_[i].query, pairs_[i].row, distances_[i]});
  pairs_.clear();
}

}  // namespace screener
