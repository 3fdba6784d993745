// MD5 by every kernel that this machine has against the values that RFC 1321 prints, all at once
// and more than once over, so that lanes are filled again.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "checks.h"
#include "kernels.h"
#include "md5/md5.h"

namespace {

struct Printed {
  std::string_view message, digest;
};

constexpr Printed kPrinted[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
};
constexpr int kTimes = 7;

std::string hex(const screener::Md5Digest& digest) {
  std::string text;
  char two[3];
  for (const std::uint8_t byte : digest) {
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

}  // namespace

bool check_md5() {
  std::vector<screener::Message> messages;
  std::string expected, found;
  for (int time = 0; time < kTimes; ++time)
    for (const Printed& one : kPrinted) {
      messages.emplace_back(reinterpret_cast<const std::uint8_t*>(one.message.data()),
                            one.message.size());
      expected += one.digest;
    }
  bool equal = true;
  for (const screener::Kernels& kernels : screener::supported_kernels()) {
    found.clear();
    for (const screener::Md5Digest& one : screener::md5_batch(messages, kernels.md5))
      found += hex(one);
    equal &= found == expected;
  }
  return equal;
}
