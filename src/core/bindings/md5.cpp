// Digests of many messages at once.
#include "md5/md5.h"

#include "arrays.h"

namespace screener {

void bind_md5(nb::module_& m) {
  m.def(
      "md5_batch",
      [](const std::vector<nb::bytes>& messages) {
        std::vector<Message> all;
        for (const nb::bytes& one : messages)
          all.emplace_back(static_cast<const uint8_t*>(one.data()), one.size());
        std::vector<nb::bytes> told;
        for (const Md5Digest& one : without_gil([&] { return md5_batch(all, active().md5); }))
          told.emplace_back(one.data(), one.size());
        return told;
      },
      "messages"_a, "The MD5 of each message, in their order.");
}

}  // namespace screener
