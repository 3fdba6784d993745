// An index of what build_index has built, for the checks that search one.
#pragma once
#include <cstdint>
#include <vector>

#include "index/index.h"
#include "index/ring_build.h"

inline screener::Holding holding_of(const screener::BuiltIndex& built,
                                    const std::vector<std::uint8_t>& codes, std::size_t bytes) {
  return {codes.data(),
          codes.size() / bytes,
          static_cast<std::uint32_t>(bytes),
          built.heads.data(),
          built.repeat_starts.data(),
          built.repeats.data(),
          built.heads.size(),
          built.repeats.size(),
          {built.few_codes.data(), built.few_rows.data(), built.few_rows.size()}};
}

inline screener::Ring ring_of(const screener::BuiltTables& built,
                              const std::vector<std::uint8_t>& codes, std::size_t bytes) {
  screener::Ring ring{};
  ring.codes = codes.data();
  ring.count = codes.size() / bytes;
  ring.bytes = static_cast<std::uint32_t>(bytes);
  ring.tables = ring.bytes / 2;
  ring.directory = built.directory.as<std::uint32_t>();
  ring.sketches = built.sketches.as<std::uint16_t>();
  ring.slots = built.sketches.bytes() / sizeof(std::uint16_t);
  ring.links = built.links.data();
  ring.link_bytes = built.link_bytes;
  ring.weights = built.weights.bytes() == 0 ? nullptr : built.weights.as<std::uint8_t>();
  ring.rows = built.rows.as<std::uint32_t>();
  return ring;
}

// False if the arrays do not fit together.
inline bool add_tables(screener::Index& index, const screener::BuiltIndex& built,
                       const std::vector<std::uint8_t>& codes, std::size_t bytes) {
  for (const screener::BuiltTables* tables : {&built.tables, &built.rest}) {
    if (tables->directory.bytes() == 0) continue;
    screener::Ring ring = ring_of(*tables, codes, bytes);
    if (!set_bases(ring, tables->directory.bytes() / sizeof(std::uint32_t), tables->links.bytes(),
                   tables->rows.bytes() / sizeof(std::uint32_t), tables->weights.bytes()))
      return false;
    index.add(ring, built.balanced && tables == &built.tables);
  }
  return true;
}
