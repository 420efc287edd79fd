// Options declared once: key, member of the config struct, help, constraints. From that one table come defaults,
// validation, documentation and samples (all by the agent), and the filled config struct (here).
//
//   struct Config { std::string path; std::chrono::milliseconds every{500}; };
//   static constexpr auto options = hb::options(
//       hb::option("path", &Config::path, "File to append to.").required(),
//       hb::option("every", &Config::every, "How often.").range(1ms, 1h));
//
// The member's type gives the kind: bool, integers, double, std::string, an enum (with choices, by position), a
// std::chrono duration, hb::Bytes, std::vector of a scalar (list), a struct with its own `options` (table),
// std::vector of such a struct (list of tables), std::map<std::string, std::string> (pass-through table), and
// std::optional of any of them (no default). The member's initializer is the default; an empty string, list or map
// means that there is none. What the type cannot hold is refused: numbers beyond its bounds, durations that are no
// whole multiple of its unit.
#ifndef HBAGENT_OPTIONS_HPP
#define HBAGENT_OPTIONS_HPP

#include <hbagent/plugin.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace hb {

// A size in bytes, written "64MiB".
struct Bytes {
  std::uint64_t value = 0;
  constexpr bool operator==(const Bytes&) const = default;
};
constexpr Bytes operator""_KiB(unsigned long long n) {
  return {n << 10};
}
constexpr Bytes operator""_MiB(unsigned long long n) {
  return {n << 20};
}
constexpr Bytes operator""_GiB(unsigned long long n) {
  return {n << 30};
}

namespace detail {
template <class T>
constexpr double bound_of(const T& bound) {
  if constexpr (std::is_same_v<T, Bytes>) {
    return static_cast<double>(bound.value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(bound);
  } else {
    return std::chrono::duration<double>(bound).count();
  }
}
}  // namespace detail

inline constexpr std::size_t kMaxChoices = 15;

// One declared option. Built by hb::option; every modifier returns a changed copy.
template <class Config, class Member>
struct Option {
  const char* key;
  Member Config::*member;
  const char* help;
  std::uint32_t attributes = 0;
  bool bounded_below = false;
  bool bounded_above = false;
  double minimum = 0;
  double maximum = 0;
  const char* example_text = nullptr;
  const char* shorthand_key = nullptr;
  std::array<const char*, kMaxChoices + 1> choice_names{};

  // The configuration must name it.
  constexpr Option required() const { return with(HB_OPTION_REQUIRED); }
  // Never logged or shown; may be given as file:PATH.
  constexpr Option secret() const { return with(HB_OPTION_SECRET); }
  // Inclusive bounds: numbers, durations or hb::Bytes, as the member is.
  template <class Low, class High>
  constexpr Option range(Low low, High high) const {
    return min(low).max(high);
  }
  template <class Low>
  constexpr Option min(Low low) const {
    Option copy = *this;
    copy.bounded_below = true;
    copy.minimum = detail::bound_of(low);
    return copy;
  }
  template <class High>
  constexpr Option max(High high) const {
    Option copy = *this;
    copy.bounded_above = true;
    copy.maximum = detail::bound_of(high);
    return copy;
  }
  // The allowed texts; for an enum member the n-th text stands for the enumerator of value n.
  template <class... Names>
  constexpr Option choices(Names... names) const {
    static_assert(sizeof...(Names) <= kMaxChoices, "raise kMaxChoices");
    Option copy = *this;
    copy.choice_names = {names...};
    return copy;
  }
  // The value shown in samples where it is not the default, as written in TOML: "\"localhost:9092\"".
  constexpr Option example(const char* toml) const {
    Option copy = *this;
    copy.example_text = toml;
    return copy;
  }
  // A table that may also be written as a plain string, which then stands for the table with this one key.
  constexpr Option shorthand(const char* nested_key) const {
    Option copy = *this;
    copy.shorthand_key = nested_key;
    return copy;
  }

 private:
  constexpr Option with(std::uint32_t attribute) const {
    Option copy = *this;
    copy.attributes |= attribute;
    return copy;
  }
};

template <class Config, class Member>
constexpr Option<Config, Member> option(const char* key, Member Config::*member, const char* help) {
  return {key, member, help};
}

template <class... Options>
constexpr std::tuple<Options...> options(Options... all) {
  return {all...};
}

// The C option table of Owner::options, whose defaults are those of a default-made Config. Built at the first call,
// valid until the process ends. [any thread]
template <class Owner, class Config>
const std::vector<hb_option>& option_table();

// Fills `config` from the host's validated values. Keys that are absent keep the member's initializer.
template <class Owner, class Config>
void assign_options(const hb_value& table, Config& config);

}  // namespace hb

#include <hbagent/detail/options_impl.hpp>

#endif
