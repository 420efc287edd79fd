// The tests' Catch2: the one that the SDK offers to plugins out of the tree as well.
#pragma once
#include <hbagent/catch.hpp>

#include <string>

#if __has_include(<catch2/catch_test_macros.hpp>)
inline auto contains_text(const std::string& text) {
  return Catch::Matchers::ContainsSubstring(text);
}
#else
inline auto contains_text(const std::string& text) {
  return Catch::Matchers::Contains(text);
}
#endif
