// The only way these tests wait: for a condition, with a limit.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

// Throws std::runtime_error that names `what` when the condition stays false for `limit`.
template <class Condition>
void wait_until(const std::string& what, std::chrono::milliseconds limit, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain: " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}
