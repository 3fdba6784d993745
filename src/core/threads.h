// Splits work over a few threads, which are gone when it is done.
#pragma once
#include <cstddef>
#include <functional>

namespace screener {

constexpr std::size_t kMostThreads = 1024;

// Calls work(task, thread) for every task from 0, each once, in any order; thread is below
// `threads`. The first exception ends the rest and is thrown on.
void share_out(std::size_t tasks, std::size_t threads,
               const std::function<void(std::size_t task, std::size_t thread)>& work);

}  // namespace screener
