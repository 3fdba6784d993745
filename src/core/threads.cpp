#include "threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace screener {

void share_out(std::size_t tasks, std::size_t threads,
               const std::function<void(std::size_t, std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failed;
  const auto run = [&](std::size_t thread) {
    try {
      for (std::size_t task; (task = next.fetch_add(1)) < tasks;) work(task, thread);
    } catch (...) {
      next = tasks;
      const std::lock_guard lock(failed);
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  try {
    for (std::size_t i = 1; i < std::min(tasks, threads); ++i) others.emplace_back(run, i);
  } catch (...) {
    // The system gives no more threads: those that there are do the work.
  }
  run(0);
  for (std::thread& other : others) other.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace screener
