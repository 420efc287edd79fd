// What a member's type can hold: the agent refuses the rest, so that no value is cut on its way into the member.
#ifndef HBAGENT_DETAIL_OPTION_LIMITS_HPP
#define HBAGENT_DETAIL_OPTION_LIMITS_HPP

#include <hbagent/plugin.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>
#include <type_traits>
#include <vector>

namespace hb::detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsDuration : std::false_type {};
template <class Rep, class Period>
struct IsDuration<std::chrono::duration<Rep, Period>> : std::true_type {};

template <class T>
concept HasOptions = requires {
  T::options;
};

// In the option table's units: numbers as they are, durations in seconds. Absent where the type holds all that a
// configuration can say.
struct Limits {
  std::optional<double> minimum, maximum;
};

template <class T>
constexpr Limits limits_of() {
  using Numbers = std::numeric_limits<T>;
  if constexpr (IsOptional<T>::value || IsVector<T>::value) {
    return limits_of<typename T::value_type>();
  } else if constexpr (IsDuration<T>::value) {
    // A configuration's are never negative, and less than 2^63 us.
    using Period = typename T::period;
    const double longest = static_cast<double>(T::max().count()) * Period::num / Period::den;
    return longest < 9.2e12 ? Limits{std::nullopt, longest} : Limits{};
  } else if constexpr (std::is_same_v<T, bool> || !std::is_arithmetic_v<T>) {
    return {};
  } else if constexpr (std::is_floating_point_v<T>) {
    if (sizeof(T) >= sizeof(double)) return {};
    return {static_cast<double>(Numbers::lowest()), static_cast<double>(Numbers::max())};
  } else {
    Limits limits;
    if (std::is_unsigned_v<T> || sizeof(T) < sizeof(std::int64_t)) limits.minimum = static_cast<double>(Numbers::min());
    if (sizeof(T) < sizeof(std::int64_t)) limits.maximum = static_cast<double>(Numbers::max());
    return limits;
  }
}

template <class T>
constexpr std::uint32_t unit_attribute() {
  if constexpr (IsOptional<T>::value || IsVector<T>::value) {
    return unit_attribute<typename T::value_type>();
  } else if constexpr (IsDuration<T>::value) {
    using std::chrono::treat_as_floating_point_v;
    using Period = typename T::period;
    if constexpr (treat_as_floating_point_v<typename T::rep> || std::ratio_divide<std::micro, Period>::den == 1) {
      return 0;
    } else if constexpr (std::is_same_v<Period, std::milli>) {
      return HB_OPTION_WHOLE_MILLISECONDS;
    } else if constexpr (std::is_same_v<Period, std::chrono::seconds::period>) {
      return HB_OPTION_WHOLE_SECONDS;
    } else if constexpr (std::is_same_v<Period, std::chrono::minutes::period>) {
      return HB_OPTION_WHOLE_MINUTES;
    } else if constexpr (std::is_same_v<Period, std::chrono::hours::period>) {
      return HB_OPTION_WHOLE_HOURS;
    } else {
      static_assert(std::is_same_v<Period, std::chrono::days::period>, "a duration's unit is one that <chrono> names");
      return HB_OPTION_WHOLE_DAYS;
    }
  } else {
    return 0;
  }
}

}  // namespace hb::detail

#endif
