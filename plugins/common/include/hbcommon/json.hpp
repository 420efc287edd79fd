// A strict JSON reader (RFC 8259) that keeps what a decoder needs and a lenient one loses: numbers as written,
// duplicate keys, a bound on depth, and where a document goes wrong. Views into the caller's text; no recursion.
#pragma once

#include <hbcommon/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hb::codec {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

class JsonDocument;

// One value of a document; valid until the next parse, and as long as the text is.
class JsonValue {
 public:
  JsonKind kind() const;
  // As written; a string without its quotes, escapes not undone.
  std::string_view raw() const;
  // As written, a string with its quotes.
  std::string_view source() const;
  // A string with its escapes undone; `scratch` holds the text where there are any. REQUIRES: kind() is string.
  std::string_view text(std::string& scratch) const;
  bool is_true() const { return kind() == JsonKind::boolean && raw() == "true"; }

  // The member of an object or the element of an array that one step of a JSON pointer (RFC 6901) names.
  std::optional<JsonValue> child(std::string_view name) const;
  // What all steps of one lead to.
  std::optional<JsonValue> descend(std::span<const std::string> steps) const;
  // Elements of an array, one after the other.
  std::optional<JsonValue> first_element() const;
  std::optional<JsonValue> next_element() const;
  // Keys of an object, one after the other, each a string with its value behind it.
  std::optional<JsonValue> first_key() const;
  std::optional<JsonValue> next_key() const;
  JsonValue value_of_key() const { return {*document_, index_ + 1, 0}; }
  // How many objects in this value, itself included, have a key twice.
  std::size_t duplicate_keys() const;

 private:
  friend class JsonDocument;
  JsonValue(const JsonDocument& document, std::uint32_t index, std::uint32_t end)
      : document_(&document), index_(index), end_(end) {}

  const JsonDocument* document_;
  std::uint32_t index_;
  std::uint32_t end_;  // of the nodes of the array or object that this is an element or key of; else 0
};

// A parsed text. Keeps its buffers from text to text. One thread at a time.
class JsonDocument {
 public:
  static constexpr std::size_t kMaxDepth = 64;

  // A leading byte order mark is skipped. empty: nothing but white space. bad_utf8: within a string. bad_json: all
  // else, also deeper than kMaxDepth. `text` must outlive the use of the document. Duplicate keys are no error here.
  Outcome parse(std::string_view text);
  // REQUIRES: parse was ok.
  JsonValue root() const { return {*this, 0, 0}; }
  bool has_duplicate_key() const { return !duplicates_.empty(); }
  // Bytes of the text that were read: up to the fault where parse failed.
  std::size_t bytes_read() const { return static_cast<std::size_t>(at_ - text_.data()); }

 private:
  friend class JsonValue;
  static constexpr std::uint32_t kNone = 0;  // no child: node 0 is the root
  struct Node {
    std::uint32_t begin, size;  // of the text
    std::uint32_t next;         // node behind this one and all that is in it
    JsonKind kind;
    bool escaped;  // a string with escapes
  };
  struct Open {
    std::uint32_t node;
    bool object;
  };

  Outcome value(bool& opened);
  Outcome member();
  Outcome string();
  Outcome escape();
  Outcome literal();
  Outcome close();
  bool unicode_escape(unsigned& code);
  void skip_space();
  void note_duplicates(std::uint32_t object);
  void add(JsonKind kind, const char* begin, const char* end, bool escaped = false);
  std::uint32_t find_child(std::uint32_t parent, std::string_view name) const;
  bool is_text(const Node& node, std::string_view wanted) const;
  std::string_view node_text(const Node& node, std::string& scratch) const;

  std::string_view text_;
  const char* base_ = nullptr;  // behind the byte order mark
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::vector<Node> nodes_;
  std::vector<Open> open_;
  std::vector<std::uint32_t> duplicates_;  // objects that have a key twice
};

inline JsonKind JsonValue::kind() const {
  return document_->nodes_[index_].kind;
}
inline std::string_view JsonValue::raw() const {
  const auto& node = document_->nodes_[index_];
  return {document_->base_ + node.begin, node.size};
}
inline std::string_view JsonValue::source() const {
  const std::string_view inner = raw();
  return kind() == JsonKind::string ? std::string_view(inner.data() - 1, inner.size() + 2) : inner;
}
inline std::string_view JsonValue::text(std::string& scratch) const {
  return document_->node_text(document_->nodes_[index_], scratch);
}

}  // namespace hb::codec
