#include "hbcommon/json.hpp"

#include "hbcommon/customer_id.hpp"
#include "hbcommon/number.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

namespace hb::codec {
namespace {

constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

constexpr Outcome bad(const char* detail) {
  return {Reason::bad_json, detail};
}

constexpr bool is_high_surrogate(unsigned code) {
  return code >= 0xd800 && code <= 0xdbff;
}
constexpr bool is_low_surrogate(unsigned code) {
  return code >= 0xdc00 && code <= 0xdfff;
}

unsigned hex_value(std::string_view four) {
  unsigned code = 0;
  std::from_chars(four.data(), four.data() + four.size(), code, 16);
  return code;
}

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

char plain_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// REQUIRES: the escapes were checked when the text was parsed.
void undo_escapes(std::string_view raw, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < raw.size();) {
    if (raw[i] != '\\') {
      out.push_back(raw[i++]);
    } else if (raw[i + 1] != 'u') {
      out.push_back(plain_escape(raw[i + 1]));
      i += 2;
    } else {
      unsigned code = hex_value(raw.substr(i + 2, 4));
      i += 6;
      if (is_high_surrogate(code)) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex_value(raw.substr(i + 2, 4)) - 0xdc00);
        i += 6;
      }
      append_utf8(out, code);
    }
  }
}

}  // namespace

// The first character from `at` on that may not be plain: ASCII that neither ends a string nor escapes. Looks at eight
// at once, so it stops up to seven early at the end.
inline const char* skip_plain(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHighs = 0x8080808080808080u;
  const auto has_zero = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  for (std::uint64_t bytes = 0; end - at >= 8; at += 8) {
    std::memcpy(&bytes, at, sizeof bytes);
    const std::uint64_t below_space = bytes - kOnes * 0x20;
    const std::uint64_t special = has_zero(bytes ^ (kOnes * '"')) | has_zero(bytes ^ (kOnes * '\\'));
    const std::uint64_t marks = (bytes | below_space | special) & kHighs;
    if (marks == 0) continue;
    // The lowest mark is exact, those above it may come from its borrow.
    return std::endian::native == std::endian::little ? at + std::countr_zero(marks) / 8 : at;
  }
  return at;
}

// As memcmp, whose call costs more than comparing a usual key does.
template <class Word>
inline bool same_word(const char* one, const char* other) {
  Word first = 0, second = 0;
  std::memcpy(&first, one, sizeof first);
  std::memcpy(&second, other, sizeof second);
  return first == second;
}
inline bool same_bytes(const char* one, const char* other, std::size_t size) {
  using Word = std::uint64_t;
  using Half = std::uint32_t;
  if (size < sizeof(Half)) {
    for (std::size_t i = 0; i < size; ++i) {
      if (one[i] != other[i]) return false;
    }
    return true;
  }
  // The last word overlaps the one before.
  if (size < sizeof(Word)) {
    const std::size_t last = size - sizeof(Half);
    return same_word<Half>(one, other) && same_word<Half>(one + last, other + last);
  }
  const std::size_t last = size - sizeof(Word);
  for (std::size_t i = 0; i < last; i += sizeof(Word)) {
    if (!same_word<Word>(one + i, other + i)) return false;
  }
  return same_word<Word>(one + last, other + last);
}

// ---- the parser

inline void JsonDocument::skip_space() {
  while (at_ != end_ && is_space(*at_)) ++at_;
}

inline void JsonDocument::add(JsonKind kind, const char* begin, const char* end, bool escaped) {
  const auto next = static_cast<std::uint32_t>(nodes_.size()) + 1;
  nodes_.push_back(
      {static_cast<std::uint32_t>(begin - base_), static_cast<std::uint32_t>(end - begin), next, kind, escaped});
}

bool JsonDocument::unicode_escape(unsigned& code) {
  if (end_ - at_ < 4) return false;
  const auto read = std::from_chars(at_, at_ + 4, code, 16);
  if (read.ec != std::errc() || read.ptr != at_ + 4) return false;
  at_ += 4;
  return true;
}

// REQUIRES: behind a backslash.
Outcome JsonDocument::escape() {
  if (at_ == end_) return bad("a string without end");
  const char c = *at_++;
  if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos ? Outcome{} : bad("bad escape");
  unsigned code = 0;
  if (!unicode_escape(code)) return bad("bad \\u escape");
  if (is_low_surrogate(code)) return bad("lone surrogate");
  if (!is_high_surrogate(code)) return {};
  if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return bad("lone surrogate");
  at_ += 2;
  if (!unicode_escape(code)) return bad("bad \\u escape");
  return is_low_surrogate(code) ? Outcome{} : bad("lone surrogate");
}

// REQUIRES: at the opening quote.
Outcome JsonDocument::string() {
  const char* const begin = ++at_;
  bool escaped = false;
  at_ = skip_plain(at_, end_);
  while (at_ != end_) {
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"') {
      add(JsonKind::string, begin, at_, escaped);
      ++at_;
      return {};
    }
    if (c < 0x20) return bad("a control character in a string");
    if (c == '\\') {
      ++at_;
      escaped = true;
      if (const Outcome read = escape(); !read.ok()) return read;
    } else if (c < 0x80) {
      ++at_;
    } else {
      char32_t code = 0;
      const std::size_t size = decode_utf8(at_, end_, code);
      if (size == 0) return {Reason::bad_utf8, "a string is not valid UTF-8"};
      at_ += size;
    }
  }
  return bad("a string without end");
}

Outcome JsonDocument::literal() {
  Decimal number;
  if (const char* const end = parse_number(at_, end_, number); end != nullptr) {
    add(JsonKind::number, at_, end);
    at_ = end;
    return {};
  }
  using namespace std::string_view_literals;
  const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
  for (const std::string_view word : {"null"sv, "true"sv, "false"sv}) {
    if (rest.starts_with(word)) {
      add(word == "null"sv ? JsonKind::null : JsonKind::boolean, at_, at_ + word.size());
      at_ += word.size();
      return {};
    }
  }
  return bad("not a JSON value");
}

// A key and its colon.
Outcome JsonDocument::member() {
  skip_space();
  if (at_ == end_ || *at_ != '"') return bad("an object key is missing");
  if (const Outcome key = string(); !key.ok()) return key;
  skip_space();
  if (at_ == end_ || *at_ != ':') return bad("a colon is missing");
  ++at_;
  return {};
}

// One value, or the opening of an array or object that has one.
Outcome JsonDocument::value(bool& opened) {
  opened = false;
  skip_space();
  if (at_ == end_) return bad("the document ends too soon");
  if (*at_ == '"') return string();
  if (*at_ != '{' && *at_ != '[') return literal();
  if (open_.size() == kMaxDepth) return bad("deeper than 64 levels");
  const bool object = *at_ == '{';
  open_.push_back({static_cast<std::uint32_t>(nodes_.size()), object});
  add(object ? JsonKind::object : JsonKind::array, at_, at_ + 1);
  ++at_;
  skip_space();
  if (at_ != end_ && *at_ == (object ? '}' : ']')) return {};
  opened = true;
  return object ? member() : Outcome{};
}

// Closes what ends behind a value, up to the place of the next one.
Outcome JsonDocument::close() {
  while (!open_.empty()) {
    skip_space();
    if (at_ == end_) return bad("the document ends too soon");
    const Open top = open_.back();
    if (*at_ == ',' && nodes_.size() > top.node + 1) {
      ++at_;
      return top.object ? member() : Outcome{};
    }
    if (*at_ != (top.object ? '}' : ']')) return bad("a comma or a closing bracket is missing");
    ++at_;
    Node& node = nodes_[top.node];
    node.size = static_cast<std::uint32_t>(at_ - base_) - node.begin;
    node.next = static_cast<std::uint32_t>(nodes_.size());
    open_.pop_back();
    if (top.object) note_duplicates(top.node);
  }
  return {};
}

Outcome JsonDocument::parse(std::string_view text) {
  nodes_.clear();
  open_.clear();
  duplicates_.clear();
  text_ = text;
  at_ = text.data();
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) return {Reason::too_large, "4 GiB or more"};
  nodes_.reserve(32);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  base_ = at_ = text.data();
  end_ = base_ + text.size();
  skip_space();
  if (at_ == end_) return {Reason::empty, "nothing but white space"};
  do {
    bool opened = false;
    if (const Outcome read = value(opened); !read.ok()) return read;
    if (opened) continue;
    if (const Outcome closed = close(); !closed.ok()) return closed;
  } while (!open_.empty());
  skip_space();
  if (at_ != end_) return bad("more behind the document's end");
  return {};
}

std::string_view JsonDocument::node_text(const Node& node, std::string& scratch) const {
  const std::string_view raw(base_ + node.begin, node.size);
  if (!node.escaped) return raw;
  undo_escapes(raw, scratch);
  return scratch;
}

// Pairs for the few keys of a usual object; sorted where there are many, so that a hostile one costs n log n.
void JsonDocument::note_duplicates(std::uint32_t object) {
  constexpr std::size_t kFew = 12;
  std::array<std::uint32_t, kFew> few{};
  std::size_t count = 0;
  bool escaped = false;
  const std::uint32_t end = nodes_[object].next;
  for (std::uint32_t key = object + 1; key < end; key = nodes_[key + 1].next) {
    escaped |= nodes_[key].escaped;
    if (count < kFew) few[count] = key;
    ++count;
  }
  bool twice = false;
  if (count <= kFew && !escaped) {
    for (std::size_t i = 1; i < count; ++i) {
      const Node& key = nodes_[few[i]];
      for (std::size_t j = 0; j < i; ++j) {
        const Node& other = nodes_[few[j]];
        twice |= other.size == key.size && same_bytes(base_ + other.begin, base_ + key.begin, key.size);
      }
    }
  } else {
    std::vector<std::string> keys;
    keys.reserve(count);
    for (std::uint32_t key = object + 1; key < end; key = nodes_[key + 1].next) {
      std::string scratch;
      keys.emplace_back(node_text(nodes_[key], scratch));
    }
    std::sort(keys.begin(), keys.end());
    twice = std::adjacent_find(keys.begin(), keys.end()) != keys.end();
  }
  if (twice) duplicates_.push_back(object);
}

// ---- its values

inline bool JsonDocument::is_text(const Node& node, std::string_view wanted) const {
  if (!node.escaped) return node.size == wanted.size() && same_bytes(base_ + node.begin, wanted.data(), node.size);
  std::string scratch;
  return node_text(node, scratch) == wanted;
}

std::uint32_t JsonDocument::find_child(std::uint32_t parent, std::string_view name) const {
  const std::uint32_t end = nodes_[parent].next;
  if (nodes_[parent].kind == JsonKind::object) {
    for (std::uint32_t key = parent + 1; key < end; key = nodes_[key + 1].next) {
      if (is_text(nodes_[key], name)) return key + 1;
    }
    return kNone;
  }
  if (nodes_[parent].kind != JsonKind::array || name.empty() || (name.size() > 1 && name[0] == '0')) return kNone;
  std::uint32_t wanted = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), wanted);
  if (read.ec != std::errc() || read.ptr != name.data() + name.size()) return kNone;
  std::uint32_t at = parent + 1;
  for (; at < end && wanted > 0; --wanted) at = nodes_[at].next;
  return at < end ? at : kNone;
}

std::optional<JsonValue> JsonValue::descend(std::span<const std::string> steps) const {
  std::uint32_t at = index_;
  for (const std::string& step : steps) {
    at = document_->find_child(at, step);
    if (at == JsonDocument::kNone) return std::nullopt;
  }
  return JsonValue(*document_, at, 0);
}

std::optional<JsonValue> JsonValue::child(std::string_view name) const {
  const std::uint32_t found = document_->find_child(index_, name);
  if (found == JsonDocument::kNone) return std::nullopt;
  return JsonValue(*document_, found, 0);
}

std::optional<JsonValue> JsonValue::first_element() const {
  const std::uint32_t end = document_->nodes_[index_].next;
  if (kind() != JsonKind::array || index_ + 1 >= end) return std::nullopt;
  return JsonValue(*document_, index_ + 1, end);
}

std::optional<JsonValue> JsonValue::next_element() const {
  const std::uint32_t next = document_->nodes_[index_].next;
  if (next >= end_) return std::nullopt;
  return JsonValue(*document_, next, end_);
}

std::optional<JsonValue> JsonValue::first_key() const {
  const std::uint32_t end = document_->nodes_[index_].next;
  if (kind() != JsonKind::object || index_ + 1 >= end) return std::nullopt;
  return JsonValue(*document_, index_ + 1, end);
}

std::optional<JsonValue> JsonValue::next_key() const {
  const std::uint32_t next = document_->nodes_[index_ + 1].next;
  if (next >= end_) return std::nullopt;
  return JsonValue(*document_, next, end_);
}

std::size_t JsonValue::duplicate_keys() const {
  const auto& all = document_->duplicates_;
  if (all.empty()) return 0;
  const std::uint32_t end = document_->nodes_[index_].next;
  const auto within = [&](std::uint32_t object) { return object >= index_ && object < end; };
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), within));
}

}  // namespace hb::codec
