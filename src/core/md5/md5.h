// MD5 (RFC 1321) of many messages at once. Of one message alone each step waits for the one before
// it; of several, a vector takes the same step in each of its lanes.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "md5/md5_kernel.h"

namespace screener {

using Md5Digest = std::array<std::uint8_t, 16>;
using Message = std::span<const std::uint8_t>;

// The digest of each message, in their order.
std::vector<Md5Digest> md5_batch(std::span<const Message> messages, const Md5Kernel& kernel);

}  // namespace screener
