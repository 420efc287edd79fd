#include "text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace hbagent {

std::string json_quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool is_plain_text(std::string_view text) {
  const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  });
  if (controls) return false;
  try {
    static_cast<void>(nlohmann::json(text).dump());
  } catch (const nlohmann::json::type_error&) {  // invalid UTF-8
    return false;
  }
  return true;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
    };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[group & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool padded = i + padding >= text.size();
    const std::size_t digit = padded ? 0 : kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (const int shift : {16, 8, 0}) out += static_cast<char>(group >> shift & 255);
    group = 0;
  }
  out.resize(out.size() - padding);
  return base64(out) == text ? std::optional(out) : std::nullopt;
}

std::optional<std::string> from_hex(std::string_view text) {
  static constexpr std::string_view kWhiteSpace = " \t\r\n";
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size();) {
    if (kWhiteSpace.find(text[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    if (i + 1 == text.size() || digit(text[i]) < 0 || digit(text[i + 1]) < 0) return std::nullopt;
    out += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
    i += 2;
  }
  return out;
}

std::string iso_time(std::int64_t time_us) {
  std::int64_t seconds = time_us / 1'000'000;
  std::int64_t micros = time_us % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  // fmt's calendar ends with int-sized years; a reading's time is any int64 of microseconds, which fits.
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(seconds)), micros);
}

namespace {

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level
// Date Algorithms". The standard library's years end at 32,767.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

}  // namespace

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  static constexpr std::string_view kSeparators = "--T::.Z";
  static constexpr std::size_t kLongest = 32;  // no year of an int64 of microseconds needs more
  if (text.size() > kLongest) return std::nullopt;
  std::array<std::int64_t, kSeparators.size()> fields{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, fields[i]);
    if (error != std::errc() || next == end || *next != kSeparators[i]) return std::nullopt;
    at = next + 1;
  }
  if (at != end) return std::nullopt;
  const auto [year, month, day, hour, minute, second, micros] = fields;
  if (month < 1 || month > 12 || year < -300'000 || year > 300'000) return std::nullopt;
  std::int64_t seconds = days_from_civil(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second;
  std::int64_t rest = micros;
  if (seconds < 0 && rest > 0) {  // the lowest of all times has whole seconds that do not fit
    ++seconds;
    rest -= 1'000'000;
  }
  std::int64_t time_us = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000}, &time_us)) return std::nullopt;
  if (__builtin_add_overflow(time_us, rest, &time_us)) return std::nullopt;
  return iso_time(time_us) == text ? std::optional(time_us) : std::nullopt;
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  // 2026-01-01T00:00:00, then .123456, then Z or +01:00.
  static constexpr std::size_t kSeconds = 19;
  static constexpr std::size_t kMostDigits = 6;
  if (text.size() <= kSeconds) return std::nullopt;
  std::string whole(text.substr(0, kSeconds));
  if (whole[10] == 't' || whole[10] == ' ') whole[10] = 'T';
  text.remove_prefix(kSeconds);
  std::string digits;
  if (text.front() == '.') {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    digits = text.substr(1, end - 1);
    text.remove_prefix(end);
    if (digits.empty() || digits.size() > kMostDigits) return std::nullopt;
  }
  digits.resize(kMostDigits, '0');
  const auto utc = parse_iso_time(whole + "." + digits + "Z");
  if (!utc || text == "Z" || text == "z") return utc;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  std::int64_t hours = 0, minutes = 0;
  const auto number = [&](std::size_t at, std::int64_t most, std::int64_t& to) {
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, to);
    return error == std::errc() && end == text.data() + at + 2 && to >= 0 && to <= most;
  };
  if (!number(1, 23, hours) || !number(4, 59, minutes)) return std::nullopt;
  const std::int64_t offset_us = (hours * 60 + minutes) * 60'000'000;
  return text[0] == '+' ? *utc - offset_us : *utc + offset_us;
}

std::string_view beginning(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

namespace {

// Damerau-Levenshtein distance, adjacent transpositions counted once (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  static constexpr std::size_t kLongestWord = 64, kShortestStart = 3;
  if (word.size() > kLongestWord) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best_distance = distance;
      best = candidate;
    }
  }
  if (best.empty() && word.size() >= kShortestStart) {
    const auto longer = std::find_if(candidates.begin(), candidates.end(),
                                     [&](const std::string& candidate) { return candidate.starts_with(word); });
    if (longer != candidates.end()) return *longer;
  }
  return best;
}

std::string joined(std::span<const std::string> words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words.begin(), words.end(), separator));
}

}  // namespace hbagent
