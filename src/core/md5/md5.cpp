#include "md5/md5.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace screener {
namespace {

constexpr std::uint32_t kStart[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
constexpr std::size_t kBlock = kMd5BlockBytes;
constexpr std::size_t kLengthBytes = 8;

// A lane's message: its whole blocks, then its end, which is padded to one block or two.
struct Lane {
  std::size_t message = 0;
  std::int64_t left = 0;  // blocks, of what it is at
  bool at_end = false;
  std::uint8_t end[2 * kBlock];
};

class Batch {
 public:
  Batch(std::span<const Message> messages, const Md5Kernel& kernel)
      : messages_(messages), kernel_(kernel), digests_(messages.size()), order_(messages.size()) {
    // The longest first, so that no long one is alone at the end.
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return messages_[a].size() > messages_[b].size();
    });
  }

  std::vector<Md5Digest> run() {
    for (int l = 0; l < kernel_.lanes; ++l) begin(l);
    while (under_way_ > 0) {
      std::int64_t count = 0;
      for (int l = 0; l < kernel_.lanes; ++l)
        if (strides_[l] != 0) count = count == 0 ? lanes_[l].left : std::min(count, lanes_[l].left);
      kernel_.blocks(from_, strides_, count, state_);
      for (int l = 0; l < kernel_.lanes; ++l)
        if (strides_[l] != 0) advance(l, count);
    }
    return std::move(digests_);
  }

 private:
  void begin(int l) {
    if (next_ == order_.size()) {
      from_[l] = lanes_[l].end;  // blocks of whatever is there, of which nothing is taken
      strides_[l] = 0;
      return;
    }
    Lane& lane = lanes_[l];
    lane.message = order_[next_++];
    for (int w = 0; w < 4; ++w) state_[w * kernel_.lanes + l] = kStart[w];
    from_[l] = messages_[lane.message].data();
    strides_[l] = kBlock;
    lane.left = static_cast<std::int64_t>(messages_[lane.message].size() / kBlock);
    lane.at_end = false;
    ++under_way_;
    if (lane.left == 0) pad(l);
  }

  void pad(int l) {
    Lane& lane = lanes_[l];
    const Message message = messages_[lane.message];
    const std::size_t rest = message.size() % kBlock;
    const std::size_t bytes = rest + 1 + kLengthBytes <= kBlock ? kBlock : 2 * kBlock;
    std::memset(lane.end, 0, sizeof lane.end);
    if (rest > 0) std::memcpy(lane.end, message.data() + message.size() - rest, rest);
    lane.end[rest] = 0x80;
    const std::uint64_t bits = std::uint64_t{message.size()} * 8;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
      lane.end[bytes - kLengthBytes + i] = static_cast<std::uint8_t>(bits >> (8 * i));
    from_[l] = lane.end;
    lane.left = static_cast<std::int64_t>(bytes / kBlock);
    lane.at_end = true;
  }

  void advance(int l, std::int64_t count) {
    Lane& lane = lanes_[l];
    from_[l] += static_cast<std::size_t>(count) * kBlock;
    lane.left -= count;
    if (lane.left > 0) return;
    if (!lane.at_end) {
      pad(l);
      return;
    }
    for (int w = 0; w < 4; ++w)
      for (int i = 0; i < 4; ++i)
        digests_[lane.message][4 * w + i] =
            static_cast<std::uint8_t>(state_[w * kernel_.lanes + l] >> (8 * i));
    --under_way_;
    begin(l);
  }

  std::span<const Message> messages_;
  const Md5Kernel& kernel_;
  std::vector<Md5Digest> digests_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
  std::size_t under_way_ = 0;
  Lane lanes_[kMd5MostLanes] = {};
  const std::uint8_t* from_[kMd5MostLanes] = {};
  std::int64_t strides_[kMd5MostLanes] = {};
  alignas(64) std::uint32_t state_[4 * kMd5MostLanes] = {};
};

}  // namespace

std::vector<Md5Digest> md5_batch(std::span<const Message> messages, const Md5Kernel& kernel) {
  return Batch(messages, kernel).run();
}

}  // namespace screener
