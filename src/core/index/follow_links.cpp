#include "index/follow_links.h"

#include <algorithm>
#include <stdexcept>

#include "index/weighted_distance.h"

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

template <class Distance>
void LinkFollower<Distance>::prefetch(const Step& step, std::size_t table) const {
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

std::uint32_t next_slot(const Ring& ring, std::size_t table, std::uint64_t slot) {
  const std::uint32_t* table_starts = ring.directory + ring.around(table + 1) * kDirectory;
  const std::uint32_t* starts = table_starts + ring.sketches[slot];
  const std::uint64_t next = std::uint64_t{starts[0]} + link_at(ring, slot - ring.base[table]);
  if (next >= starts[1] || starts[0] < table_starts[0] || starts[1] > table_starts[kBuckets])
    refuse_damaged();
  return static_cast<std::uint32_t>(next);
}

// Steps in tables with rows become pairs; the others stand on the next table afterwards. Every slot
// that a step can stand on was checked to lie in its table, and so do its row and its link.
template <class Distance>
void LinkFollower<Distance>::move_on() {
  for (const Step& step : steps_) {
    const std::size_t table = table_of(step);
    if (holds_rows(table)) {
      compare(ring_->rows[step.slot - ring_->base[table]], step.query);
    } else if (ring_->weights == nullptr || may_go_on(step, table)) {
      Step moved = step;
      moved.slot = next_slot(*ring_, table, step.slot);
      ++moved.length;
      prefetch_line(ring_->sketches + moved.slot);
      distance_.prefetch_chunk(step.query, ring_->around(table + 2));
      moved_.push_back(moved);
    }
  }
  steps_.clear();
}

// The distance of the chunk after the first `length` of a step, whose other side is `sketch`.
template <class Distance>
std::uint32_t LinkFollower<Distance>::distance(const Step& step, std::size_t length,
                                               std::uint32_t sketch) const {
  return distance_.of_chunk(step.query, ring_->around(step.start + length), sketch);
}

// Whether a step stays within its bound where its link, by what it tells, leads.
template <class Distance>
bool LinkFollower<Distance>::may_go_on(const Step& step, std::size_t table) const {
  const std::uint32_t sketch = told_at(*ring_, step.slot - ring_->base[table]);
  const std::uint32_t sum = step.sum + distance(step, step.length, sketch);
  return static_cast<int>(sum) <= distance_.bound(step.query, step.start, step.length + 1u);
}

// Adds the distance of one more chunk. False beyond the bound. Once round the ring the first chunk
// is counted again, in the sum as in the bound.
template <class Distance>
bool LinkFollower<Distance>::count_chunk(Step& step) const {
  step.sum = static_cast<std::uint16_t>(
      step.sum + distance(step, step.length - 1u, ring_->sketches[step.slot]));
  return step.sum <= distance_.bound(step.query, step.start, step.length);
}

// Of the first of those that moved, the ones still within their bound wait for their next link.
template <class Distance>
void LinkFollower<Distance>::extend(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (count_chunk(moved_[i])) add(moved_[i]);
  moved_.erase(moved_.begin(), moved_.begin() + static_cast<std::ptrdiff_t>(count));
}

// In this order, so that nothing is read that was asked of memory a moment ago.
template <class Distance>
void LinkFollower<Distance>::advance() {
  const std::size_t arrived = moved_.size();
  move_on();
  extend(arrived);
}

template <class Distance>
void LinkFollower<Distance>::finish(std::vector<Found>& found) {
  while (waiting() != 0) advance();
  distance_.compare(pairs_, distances_, found);
  pairs_.clear();
}

void BitDistance::compare(const std::vector<Pair>& pairs, std::vector<Value>& distances,
                          std::vector<Found>& found) const {
  distances.resize(pairs.size());
  kernel_->distances(ring_->codes, queries_.codes, ring_->bytes, pairs.data(), pairs.size(),
                     distances.data());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (distances[i] <= radius_) found.push_back({pairs[i].query, pairs[i].row, distances[i]});
}

void WeightedDistance::compare(const std::vector<Pair>& pairs, std::vector<Value>& distances,
                               std::vector<Found>& found) const {
  distances.resize(pairs.size());
  kernel_->distances(ring_->codes, ring_->bytes, queries_->queries(), pairs.data(), pairs.size(),
                     distances.data());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (distances[i] <= queries_->queries()[pairs[i].query].budget)
      found.push_back({pairs[i].query, pairs[i].row, distances[i]});
}

template class LinkFollower<BitDistance>;
template class LinkFollower<WeightedDistance>;

}  // namespace screener
