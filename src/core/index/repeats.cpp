#include "index/repeats.h"

#include <algorithm>
#include <cstring>

#include "threads.h"

namespace screener {
namespace {

constexpr std::size_t kKeys = 1 << 16;
constexpr std::size_t kTasks = 64;

// A row and the first word of its code: few of one key have the same, so that few codes are read
// again.
struct Begun {
  std::uint64_t word;
  std::uint32_t row;
};

// Rows in order of their keys, ascending for each key. `starts` has one entry more than keys.
std::vector<std::uint32_t> sort_by_key(const std::uint16_t* keys, std::uint64_t count,
                                       std::vector<std::uint32_t>& starts) {
  starts.assign(kKeys + 1, 0);
  for (std::uint64_t row = 0; row < count; ++row) ++starts[keys[row] + 1u];
  for (std::size_t key = 0; key < kKeys; ++key) starts[key + 1] += starts[key];
  std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1);
  std::vector<std::uint32_t> rows(count);
  for (std::uint64_t row = 0; row < count; ++row)
    rows[next[keys[row]]++] = static_cast<std::uint32_t>(row);
  return rows;
}

// Appends each group of equal codes among the rows of one key: its size, then its rows.
class Groups {
 public:
  Groups(const std::uint8_t* codes, std::size_t bytes) : codes_(codes), bytes_(bytes) {}

  void find(const std::uint32_t* rows, std::size_t count, std::vector<std::uint32_t>& groups) {
    begun_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      begun_[i].row = rows[i];
      std::memcpy(&begun_[i].word, code(rows[i]), sizeof begun_[i].word);
    }
    std::sort(begun_.begin(), begun_.end(),
              [this](const Begun& a, const Begun& b) { return before(a, b); });
    for (std::size_t first = 0, end; first < count; first = end) {
      for (end = first + 1; end < count && same(begun_[first], begun_[end]);) ++end;
      if (end - first == 1) continue;
      groups.push_back(static_cast<std::uint32_t>(end - first));
      for (std::size_t i = first; i < end; ++i) groups.push_back(begun_[i].row);
    }
  }

 private:
  const std::uint8_t* code(std::uint32_t row) const { return codes_ + row * bytes_; }

  bool before(const Begun& a, const Begun& b) const {
    if (a.word != b.word) return a.word < b.word;
    const int order = std::memcmp(code(a.row), code(b.row), bytes_);
    return order != 0 ? order < 0 : a.row < b.row;
  }

  bool same(const Begun& a, const Begun& b) const {
    return a.word == b.word && std::memcmp(code(a.row), code(b.row), bytes_) == 0;
  }

  const std::uint8_t* codes_;
  std::size_t bytes_;
  std::vector<Begun> begun_;
};

Repeats collect(const std::vector<std::vector<std::uint32_t>>& groups, std::uint64_t count) {
  struct Group {
    const std::uint32_t* rows;
    std::uint32_t size;
  };
  std::vector<Group> found;
  for (const auto& some : groups)
    for (std::size_t at = 0; at < some.size(); at += some[at] + 1u)
      found.push_back({&some[at + 1], some[at]});
  std::sort(found.begin(), found.end(),
            [](const Group& a, const Group& b) { return a.rows[0] < b.rows[0]; });
  Repeats repeats;
  repeats.starts.push_back(0);
  if (!found.empty()) repeats.repeated.resize(count);
  for (const Group& group : found) {
    repeats.heads.push_back(group.rows[0]);
    repeats.rows.insert(repeats.rows.end(), group.rows + 1, group.rows + group.size);
    repeats.starts.push_back(repeats.rows.size());
    for (std::uint32_t i = 1; i < group.size; ++i) repeats.repeated[group.rows[i]] = true;
  }
  return repeats;
}

}  // namespace

Repeats find_repeats(const std::uint8_t* codes, std::uint64_t count, std::size_t bytes,
                     const std::uint16_t* keys, std::size_t threads) {
  std::vector<std::uint32_t> starts;
  const std::vector<std::uint32_t> rows = sort_by_key(keys, count, starts);
  std::vector<std::vector<std::uint32_t>> groups(kTasks);
  share_out(kTasks, threads, [&](std::size_t task, std::size_t) {
    Groups finder(codes, bytes);
    for (std::size_t key = task * kKeys / kTasks; key < (task + 1) * kKeys / kTasks; ++key)
      if (starts[key + 1] - starts[key] > 1)
        finder.find(&rows[starts[key]], starts[key + 1] - starts[key], groups[task]);
  });
  return collect(groups, count);
}

}  // namespace screener
