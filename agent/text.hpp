// Small text helpers that several parts of the agent share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hbagent {

// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);
// Control characters replaced by spaces: a log line stays one line.
std::string one_line(std::string_view text);
// Whether `text` is valid UTF-8 without control characters other than tab, CR and LF.
bool is_plain_text(std::string_view text);
// RFC 4648 section 4.
std::string base64(std::string_view bytes);
// What base64 made; nullopt for anything else.
std::optional<std::string> from_base64(std::string_view text);
// Pairs of hexadecimal digits of either case, white space between pairs; nullopt for anything else.
std::optional<std::string> from_hex(std::string_view text);
// Microseconds since the epoch as 2026-11-22T10:00:00.123456Z; years beyond 9999 or before 0 as they are.
std::string iso_time(std::int64_t time_us);
// What iso_time made; nullopt for anything else.
std::optional<std::int64_t> parse_iso_time(std::string_view text);
// A time of RFC 3339, with any offset and up to a microsecond's digits; nullopt for anything else.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);
// At most `limit` bytes of the beginning, cut where a UTF-8 character ends.
std::string_view beginning(std::string_view text, std::size_t limit);
// "1,234,567"
std::string grouped(std::uint64_t number);
// The nearest of `candidates` by edit distance; empty when none is near enough to be meant.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
// "a, b, c"
std::string joined(std::span<const std::string> words, std::string_view separator = ", ");

}  // namespace hbagent
