// How hb::options becomes the C option table, and how the host's values become the config struct.
#ifndef HBAGENT_DETAIL_OPTIONS_IMPL_HPP
#define HBAGENT_DETAIL_OPTIONS_IMPL_HPP

#include <hbagent/detail/option_limits.hpp>

#include <charconv>
#include <deque>
#include <memory>

namespace hb::detail {

using PassThrough = std::map<std::string, std::string>;

template <class T>
constexpr std::uint32_t kind_of(bool has_choices = false) {
  if constexpr (HasOptions<T>) {
    return HB_TABLE;
  } else if constexpr (IsOptional<T>::value) {
    return kind_of<typename T::value_type>(has_choices);
  } else if constexpr (std::is_same_v<T, bool>) {
    return HB_BOOL;
  } else if constexpr (std::is_enum_v<T>) {
    return HB_CHOICE;
  } else if constexpr (std::is_integral_v<T>) {
    return HB_INTEGER;
  } else if constexpr (std::is_floating_point_v<T>) {
    return HB_NUMBER;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return has_choices ? HB_CHOICE : HB_STRING;
  } else if constexpr (IsDuration<T>::value) {
    return HB_DURATION;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return HB_SIZE;
  } else if constexpr (std::is_same_v<T, PassThrough>) {
    return HB_PASS;
  } else if constexpr (IsVector<T>::value) {
    return HasOptions<typename T::value_type> ? HB_TABLES : HB_LIST;
  } else {
    static_assert(HasOptions<T>, "an option's member is a scalar, a list, a table with `options`, or a map of text");
    return 0;
  }
}

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

struct Unit {
  std::int64_t factor;
  const char* name;
};

// The value in the largest unit that divides it.
template <std::size_t Count>
std::string in_units(std::int64_t value, const Unit (&units)[Count]) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (value != 0 || unit.factor == 1)) {
      return detail::quoted(std::to_string(value / unit.factor) + unit.name);
    }
  }
  return {};
}

inline std::string number_text(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string out(text.data(), end);
  return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

// The value as written in TOML; empty where it stands for "no default".
template <class T>
std::string toml_text(const T& value, const std::array<const char*, kMaxChoices + 1>& choices) {
  if constexpr (IsOptional<T>::value) {
    return value ? toml_text(*value, choices) : std::string();
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return detail::quoted(choices[static_cast<std::size_t>(value)]);
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return number_text(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.empty() ? std::string() : detail::quoted(value);
  } else if constexpr (IsDuration<T>::value) {
    static constexpr Unit kUnits[] = {{86'400'000'000, "d"}, {3'600'000'000, "h"}, {60'000'000, "m"},
                                      {1'000'000, "s"},      {1'000, "ms"},        {1, "us"}};
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    return us == 0 ? detail::quoted("0s") : in_units(us, kUnits);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    static constexpr Unit kUnits[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};
    return in_units(static_cast<std::int64_t>(value.value), kUnits);
  } else if constexpr (IsVector<T>::value) {
    if constexpr (!HasOptions<typename T::value_type>) {
      std::string list;
      for (const auto& item : value)
        list += (list.empty() ? "" : ", ") + toml_text<typename T::value_type>(item, choices);
      return list.empty() ? std::string() : '[' + list + ']';
    } else {
      return {};
    }
  } else {
    return {};
  }
}

// Owns what the C table points to.
struct TableStorage {
  std::vector<hb_option> rows;
  std::deque<std::string> texts;
  std::deque<double> bounds;
  std::deque<std::vector<const char*>> choices;

  const char* keep(std::string text) { return text.empty() ? nullptr : texts.emplace_back(std::move(text)).c_str(); }
};

template <class T>
void describe_nested(hb_option& row) {
  if constexpr (HasOptions<T>) {
    const std::vector<hb_option>& nested = option_table<T, T>();
    row.fields = nested.data();
    row.field_count = static_cast<std::uint32_t>(nested.size());
  } else if constexpr (IsOptional<T>::value) {
    describe_nested<typename T::value_type>(row);
  } else if constexpr (IsVector<T>::value) {
    row.element = kind_of<typename T::value_type>(row.choices != nullptr);
    if (row.kind == HB_TABLES) {
      row.element = 0;
      describe_nested<typename T::value_type>(row);
    }
  }
}

template <class Config, class Member>
hb_option describe(const Option<Config, Member>& option, const Config& defaults, TableStorage& storage) {
  hb_option row{};
  row.size = sizeof row;
  row.key = option.key;
  row.help = option.help;
  row.attributes = option.attributes | unit_attribute<Member>();
  row.example_text = option.example_text;
  row.shorthand = option.shorthand_key;
  if (option.choice_names[0] != nullptr) {
    auto& names = storage.choices.emplace_back();
    for (const char* name : option.choice_names) {
      names.push_back(name);
      if (name == nullptr) break;
    }
    row.choices = names.data();
  }
  row.kind = kind_of<Member>(row.choices != nullptr);
  if ((option.attributes & HB_OPTION_REQUIRED) == 0) {
    row.default_text = storage.keep(toml_text(defaults.*option.member, option.choice_names));
  }
  Limits limits = limits_of<Member>();
  if (option.bounded_below) limits.minimum = std::max(option.minimum, limits.minimum.value_or(option.minimum));
  if (option.bounded_above) limits.maximum = std::min(option.maximum, limits.maximum.value_or(option.maximum));
  if (limits.minimum) row.minimum = &storage.bounds.emplace_back(*limits.minimum);
  if (limits.maximum) row.maximum = &storage.bounds.emplace_back(*limits.maximum);
  describe_nested<Member>(row);
  return row;
}

// Element `index` of an array of sized structs, which lie `size` of the first apart.
inline const hb_value& element(const hb_value* first, std::uint32_t index) {
  return *reinterpret_cast<const hb_value*>(reinterpret_cast<const char*>(first) +
                                            static_cast<std::size_t>(index) * first->size);
}

template <class T>
void assign(const hb_value& value, T& target) {
  if constexpr (IsOptional<T>::value) {
    assign(value, target.emplace());
  } else if constexpr (std::is_same_v<T, bool>) {
    target = value.integer != 0;
  } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    target = static_cast<T>(value.integer);
  } else if constexpr (std::is_floating_point_v<T>) {
    target = static_cast<T>(value.number);
  } else if constexpr (std::is_same_v<T, std::string>) {
    target = value.text == nullptr ? "" : value.text;
  } else if constexpr (IsDuration<T>::value) {
    target = std::chrono::duration_cast<T>(std::chrono::microseconds(value.integer));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    target.value = static_cast<std::uint64_t>(value.integer);
  } else if constexpr (std::is_same_v<T, PassThrough>) {
    target.clear();
    for (std::uint32_t i = 0; i < value.count; ++i) {
      const hb_value& item = element(value.items, i);
      target[item.key] = item.text;
    }
  } else if constexpr (IsVector<T>::value) {
    target.clear();
    for (std::uint32_t i = 0; i < value.count; ++i) {
      typename T::value_type item{};
      assign(element(value.items, i), item);
      target.push_back(std::move(item));
    }
  } else {
    assign_options<T>(value, target);
  }
}

}  // namespace hb::detail

namespace hb {

template <class Owner, class Config>
const std::vector<hb_option>& option_table() {
  // Never destroyed: threads of client libraries may outlive static destructors.
  static const detail::TableStorage& storage = *[] {
    auto table = std::make_unique<detail::TableStorage>();
    const Config defaults{};
    std::apply([&](const auto&... option) { (table->rows.push_back(detail::describe(option, defaults, *table)), ...); },
               Owner::options);
    return table.release();
  }();
  return storage.rows;
}

template <class Owner, class Config>
void assign_options(const hb_value& table, Config& config) {
  const auto assign_one = [&](const auto& option) {
    for (std::uint32_t i = 0; i < table.count; ++i) {
      const hb_value& value = detail::element(table.items, i);
      if (std::string_view(value.key) == option.key) detail::assign(value, config.*option.member);
    }
  };
  std::apply([&](const auto&... option) { (assign_one(option), ...); }, Owner::options);
}

}  // namespace hb

#endif
