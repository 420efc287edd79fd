// One dead letter as a line of JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace hbagent {

struct DeadLetter {
  std::string_view source;    // the source it came through
  std::string_view instance;  // who refused it: "source/ward-3", "sink/postgres"
  std::string_view reason;
  std::string_view detail;
  std::string_view origin;
  std::string_view payload;         // the original bytes of what a source refused; else the reading as JSON
  std::string_view key = {};        // of the record that held the payload; null: none
  std::uint64_t original_size = 0;  // where `payload` is only the beginning: how much there was
  std::int64_t received_us = 0;     // of a reading: us since the epoch; 0: unknown
};

// A letter as it was kept.
struct StoredLetter {
  std::uint64_t id = 0;
  std::int64_t time_us = 0;           // when it was refused, us since the epoch
  std::int64_t refused_again_us = 0;  // when a replay last brought it back; 0: never
  std::string source, instance, reason, sqlstate, detail, origin, payload;
  std::optional<std::string> key;
  bool truncated = false;           // the payload or the key is only its beginning
  std::uint64_t original_size = 0;  // of a truncated one's payload, bytes
  std::int64_t received_us = 0;

  std::uint64_t size() const { return truncated ? original_size : payload.size(); }  // of the payload, bytes
};

// Whose word a letter is: "source", "processor" or "sink", and that one's name.
struct Refuser {
  std::string_view kind, name;
};
Refuser refuser_of(const StoredLetter& letter);

// Which letters: all criteria that are set must hold.
struct LetterSelection {
  std::string reason, source;
  std::set<std::uint64_t> ids;

  bool wants(const StoredLetter& letter) const {
    return (reason.empty() || letter.reason == reason) && (source.empty() || letter.source == source) &&
           (ids.empty() || ids.contains(letter.id));
  }
};

struct LetterStamp {
  std::uint64_t id;
  std::int64_t time_us;
  std::int64_t refused_again_us = 0;
};

// The line, with its end, in at most `max_line` bytes. Of the payload, and of the key, at most `max_payload` bytes are
// kept, of the detail and the origin kMaxLetterText; what has no room is cut and said to be. `max_line` is 4 KiB or
// more.
std::string letter_line(const DeadLetter& letter, const LetterStamp& stamp, std::size_t max_payload,
                        std::size_t max_line);
inline constexpr std::size_t kMaxLetterText = 1024;  // bytes

// What letter_line wrote, without its end; nullopt for anything else.
std::optional<StoredLetter> parse_letter(std::string_view line);
// Only the id, which stands first: at the cost of a few bytes.
std::optional<std::uint64_t> letter_id(std::string_view line);

}  // namespace hbagent
