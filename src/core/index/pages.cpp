#include "index/pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace screener {
namespace {

constexpr std::size_t kHuge = 2 << 20;

std::size_t mapped_bytes(std::size_t bytes) { return (bytes + kHuge - 1) / kHuge * kHuge; }

// Small memory starts anywhere; for large memory, what is mapped too much on either side of a
// boundary of huge pages is given back.
void* map(std::size_t bytes) {
  const std::size_t wanted = mapped_bytes(bytes);
  void* raw =
      mmap(nullptr, wanted + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  const auto start = reinterpret_cast<std::uintptr_t>(raw);
  const std::size_t before = (kHuge - start % kHuge) % kHuge;
  auto* data = static_cast<char*>(raw) + before;
  if (before != 0) munmap(raw, before);
  munmap(data + wanted, kHuge - before);
#if defined(MADV_HUGEPAGE)
  if (bytes >= kHuge) madvise(data, wanted, MADV_HUGEPAGE);  // advice: a refusal costs speed only
#endif
  return data;
}

}  // namespace

Pages::Pages(std::size_t bytes) : data_(bytes == 0 ? nullptr : map(bytes)), bytes_(bytes) {}

Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, mapped_bytes(bytes_));
}

}  // namespace screener
