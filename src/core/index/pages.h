// Memory of its own pages, zeroed, in huge ones where the system gives them: random reads in
// tables of hundreds of megabytes wait for page look-ups otherwise.
#pragma once
#include <cstddef>
#include <utility>

namespace screener {

class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes);  // std::bad_alloc where there is no memory
  ~Pages();
  Pages(Pages&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::size_t bytes() const { return bytes_; }
  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace screener
